//! Starts the daemon where none runs, by the same command a person would use: it alone decides,
//! under its own lock, which of many starters wins. The child gets none of our pipes.

use exai_client::Unreachable;
use exai_config::Home;
use std::{path::PathBuf, process::Stdio, time::Duration};
use tokio::{
    process::Command,
    time::{Instant, timeout},
};

/// Two attempts of one shim are never closer than this.
const SPACING: Duration = Duration::from_secs(10);
/// Longest wait for `exai-daemon start` to return.
const PATIENCE: Duration = Duration::from_secs(20);

/// This shim's attempts.
#[derive(Debug, Default)]
pub(crate) struct Autostart {
    last: Option<Instant>,
}

impl Autostart {
    /// Runs `exai-daemon start --quiet` and waits for it; `false` when it is too soon to.
    pub(crate) async fn start(&mut self, home: &Home) -> Result<bool, Unreachable> {
        if self.last.is_some_and(|last| last.elapsed() < SPACING) {
            return Ok(false);
        }
        self.last = Some(Instant::now());
        let program = program();
        tracing::info!(program = %program.display(), "starting the daemon");
        let mut command = command(&program, home);
        let mut child = command.spawn().map_err(|error| {
            let program = program.display();
            Unreachable::NotStarted(format!("{program}: {error}; is exai-daemon installed?"))
        })?;
        match timeout(PATIENCE, child.wait()).await {
            Ok(Ok(status)) if status.success() => Ok(true),
            Ok(Ok(status)) => Err(Unreachable::NotStarted(format!(
                "`exai-daemon start` ended with {status}; run it in a terminal to see why, or \
                 look into {}",
                home.daemon_log().display()
            ))),
            Ok(Err(error)) => Err(Unreachable::NotStarted(error.to_string())),
            // It goes on without us; the endpoint record will tell when it has succeeded.
            Err(_) => Err(Unreachable::NotStarted(format!(
                "`exai-daemon start` takes longer than {} s",
                PATIENCE.as_secs()
            ))),
        }
    }
}

fn command(program: &PathBuf, home: &Home) -> Command {
    let mut command = Command::new(program);
    command
        .args(["start", "--quiet"])
        .env("EXAI_HOME", home.root())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    // A Ctrl-C meant for the editor must not stop a daemon half-way up.
    #[cfg(unix)]
    command.process_group(0);
    #[cfg(windows)]
    command.creation_flags(0x0800_0000);
    command
}

/// The sibling of this binary, else whatever PATH finds.
fn program() -> PathBuf {
    let name = format!("exai-daemon{}", std::env::consts::EXE_SUFFIX);
    let sibling = std::env::current_exe()
        .ok()
        .and_then(|path| Some(path.parent()?.join(&name)));
    sibling
        .filter(|path| path.is_file())
        .unwrap_or_else(|| PathBuf::from(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn r11_one_shim_tries_once_in_ten_seconds() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(dir.path());
        let mut autostart = Autostart {
            last: Some(Instant::now()),
        };
        assert!(matches!(autostart.start(&home).await, Ok(false)));
        tokio::time::advance(Duration::from_secs(9)).await;
        assert!(matches!(autostart.start(&home).await, Ok(false)));
    }

    #[test]
    fn the_child_is_named_and_told_the_home() {
        let home = Home::at("/somewhere");
        let command = command(&PathBuf::from("exai-daemon"), &home);
        let command = command.as_std();
        assert_eq!(command.get_args().collect::<Vec<_>>(), ["start", "--quiet"]);
        let told = command.get_envs().any(|(name, value)| {
            name == "EXAI_HOME" && value.is_some_and(|value| value == "/somewhere")
        });
        assert!(told);
    }
}
