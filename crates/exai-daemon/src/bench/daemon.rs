//! A daemon of our own to measure: a temporary home, a port of the system's choosing, default
//! settings whatever this process's environment says, test tools off.

use super::drive::Peer;
use crate::{
    context::Context,
    dial::{Connection, Places},
    lifecycle::spawn,
    probe::{Answer, probe},
};
use anyhow::{Context as _, Result, bail};
use exai_config::{Home, rendezvous, strings::fixed};
use std::{
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};
use tokio::{
    process::Child,
    time::{Instant, sleep},
};

const PATIENCE: Duration = Duration::from_secs(20);

/// A daemon that ends with this value.
pub(super) struct BenchDaemon {
    pub(super) peer: Peer,
    pub(super) pid: u32,
    pub(super) context: Context,
    child: Child,
    // Last, so that the home outlives the process.
    _dir: tempfile::TempDir,
}

impl BenchDaemon {
    pub(super) async fn start() -> Result<Self> {
        Self::start_with(&[], &[]).await
    }

    /// The same with settings (key, value) and files of the home (path, text).
    pub(super) async fn start_with(
        settings: &[(&str, &str)],
        files: &[(&str, &str)],
    ) -> Result<Self> {
        Self::start_in(settings, files, &[]).await
    }

    /// The same with settings, and the scripted tools.
    pub(super) async fn with_test_tools(settings: &[(&str, &str)]) -> Result<Self> {
        Self::start_in(settings, &[], &[("EXAI_TEST_TOOLS", "1")]).await
    }

    async fn start_in(
        settings: &[(&str, &str)],
        files: &[(&str, &str)],
        environment: &[(&str, &str)],
    ) -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("exai-bench-").tempdir()?;
        let home = Home::at(std::fs::canonicalize(dir.path())?);
        for (path, text) in files {
            let file = home.root().join(path);
            std::fs::create_dir_all(file.parent().unwrap_or(home.root()))?;
            exai_config::atomic::write(&file, text.as_bytes(), 0o600)?;
        }
        let port = [("network.port".to_owned(), "0".to_owned())];
        let loaded = exai_config::load(&home, &fixed([]), &port)?;
        let context = Context {
            home,
            loaded,
            overrides: Vec::new(),
        };
        let mut command = clean(
            spawn::command(std::env::current_exe()?),
            context.home.root(),
        );
        command.args(["--set", "network.port=0"]);
        for (key, value) in settings {
            command.arg("--set").arg(format!("{key}={value}"));
        }
        command.arg("run").envs(environment.iter().copied());
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut child = tokio::process::Command::from(command)
            .kill_on_drop(true)
            .spawn()?;
        let pid = child.id().context("the daemon died at once")?;
        let began = Instant::now();
        loop {
            if let Some(peer) = ready(&context, pid).await? {
                return Ok(Self {
                    peer,
                    pid,
                    context,
                    child,
                    _dir: dir,
                });
            }
            if let Some(status) = child.try_wait()? {
                let log = std::fs::read_to_string(context.home.daemon_log()).unwrap_or_default();
                bail!(
                    "the daemon to be measured died ({status})\n{}",
                    spawn::tail(&log, 10)
                );
            }
            if began.elapsed() > PATIENCE {
                bail!("the daemon to be measured does not answer");
            }
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// Ends it politely; its value's end would end it anyway.
    pub(super) async fn stop(mut self) {
        if let Ok(connection) = Connection::open(&self.context).await {
            // It is killed below if it does not listen.
            let _ = connection.client.shutdown(0, "the end of bench").await;
            connection.close().await;
            let _ = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        }
    }
}

async fn ready(context: &Context, pid: u32) -> Result<Option<Peer>> {
    let Some(record) = rendezvous::read(&context.home).ok().flatten() else {
        return Ok(None);
    };
    if record.pid != pid {
        return Ok(None);
    }
    let target = Places::of(context).recorded(&record)?;
    match probe(&target, &context.home).await {
        Answer::Ours(_) => Ok(Some(Peer::daemon(target))),
        _ => Ok(None),
    }
}

/// A child of a measured home, deaf to this process's own settings.
pub(super) fn clean(mut command: Command, home: &Path) -> Command {
    let ours = |name: &str| name.starts_with("EXAI_") || matches!(name, "ENV_FILE" | "LOG_LEVEL");
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(ours) {
            command.env_remove(name);
        }
    }
    command.env("EXAI_HOME", home);
    // A settings file of the user's own must not take part either.
    command.env("EXAI_CONFIG", home.join("none.toml"));
    command
}
