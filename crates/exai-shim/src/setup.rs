//! What the shim learns before it serves: its home, its settings, its log. Nothing here may
//! stop it; what is wrong is said, in the log and once on stderr.

use crate::inside;
use exai_config::{Home, ProcessEnv, Settings, Strings, load};
use exai_telemetry::{
    RotateLimits, RotatingFile, SharedFile,
    logging::{self, LogGuard},
};
use std::{io::Write as _, path::PathBuf, sync::Arc};

pub(crate) struct Setup {
    pub(crate) env: Arc<dyn Strings + Send + Sync>,
    /// Or why there is none.
    pub(crate) home: Result<Home, String>,
    pub(crate) settings: Settings,
    /// A model that exai runs started us.
    pub(crate) is_inside: bool,
    remarks: Vec<String>,
    faults: Vec<String>,
}

impl Setup {
    /// Reads everything there is to read.
    pub(crate) fn read() -> Self {
        Self::from_env(Arc::new(ProcessEnv))
    }

    fn from_env(env: Arc<dyn Strings + Send + Sync>) -> Self {
        let home = Home::locate(None, &*env).map_err(|error| error.to_string());
        // Without a home the environment still counts; nothing can be read from nowhere.
        let nowhere = std::env::temp_dir()
            .join("exai-nowhere")
            .join(std::process::id().to_string());
        let place = home.clone().unwrap_or_else(|_| Home::at(nowhere));
        let mut faults = Vec::new();
        let loaded = load(&place, &*env, &[]).unwrap_or_else(|wrong| {
            faults.push(wrong.to_string());
            *wrong.rest
        });
        let settings = loaded.settings;
        if !settings.shim.by_address {
            match &home {
                Ok(home) => faults.extend(home.prepare().err().map(|error| error.to_string())),
                Err(error) => faults.push(error.clone()),
            }
        }
        Self {
            is_inside: inside::is_inside(&*env),
            env,
            home,
            settings,
            remarks: loaded.warnings,
            faults,
        }
    }

    /// The log all shims of this home share; `None` where there is no place for it.
    pub(crate) fn start_log(&self) -> Option<LogGuard> {
        let home = self
            .home
            .as_ref()
            .ok()
            .filter(|home| home.logs().is_dir())?;
        let logs = &self.settings.logs;
        let limits = RotateLimits {
            max_bytes: logs.max_bytes,
            keep: logs.keep,
            shared: true,
        };
        let file = SharedFile::new(RotatingFile::open(home.shim_log(), limits));
        logging::shim(file, logs.level.as_str()).ok()
    }

    /// Where the last good tool list is kept.
    pub(crate) fn tools_file(&self) -> Option<PathBuf> {
        let home = self
            .home
            .as_ref()
            .ok()
            .filter(|_| !self.settings.shim.by_address)?;
        Some(home.tools_snapshot())
    }

    /// What this home knows of clients.
    pub(crate) fn clients_file(&self) -> Option<PathBuf> {
        let home = self
            .home
            .as_ref()
            .ok()
            .filter(|_| !self.settings.shim.by_address)?;
        Some(home.clients_file())
    }

    /// Faults also go to stderr, where editors show them.
    pub(crate) fn say_remarks(&self) {
        for remark in &self.remarks {
            tracing::warn!("{remark}");
        }
        for fault in &self.faults {
            tracing::error!("{fault}");
            self.complain(fault);
        }
        let home = self
            .home
            .as_ref()
            .map_or("none".to_owned(), |home| home.root().display().to_string());
        let version = env!("CARGO_PKG_VERSION");
        tracing::info!(
            version,
            home,
            by_address = self.settings.shim.by_address,
            without_tools = self.is_inside,
            "the shim starts"
        );
    }

    #[expect(clippy::unused_self, reason = "complaining is something a set-up does")]
    pub(crate) fn complain(&self, what: &str) {
        // stderr may be closed; then there is nobody to tell.
        let _ = writeln!(std::io::stderr(), "exai-shim: {what}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use exai_config::strings::fixed;

    #[test]
    fn r42_nothing_wrong_with_files_stops_the_shim() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        exai_config::atomic::write(&file, b"x", 0o600).unwrap();
        let home = file.join("home");
        let setup = Setup::from_env(Arc::new(fixed([
            ("EXAI_HOME", home.to_str().unwrap()),
            ("EXAI_WS_PORT", "many"),
        ])));
        assert_eq!(setup.settings.network.port, 8765);
        assert_eq!(setup.faults.len(), 2, "{:?}", setup.faults);
        assert!(setup.start_log().is_none());
    }

    #[test]
    fn without_any_home_the_address_is_enough() {
        let setup = Setup::from_env(Arc::new(fixed([
            ("EXAI_WS_HOST", "127.0.0.1"),
            ("EXAI_WS_PORT", "9"),
            ("EXAI_WS_TOKEN", "0123456789abcdef"),
        ])));
        assert!(setup.settings.shim.by_address);
        assert!(
            setup.home.is_err() && setup.faults.is_empty(),
            "{:?}",
            setup.faults
        );
        assert_eq!(setup.tools_file(), None);
    }
}
