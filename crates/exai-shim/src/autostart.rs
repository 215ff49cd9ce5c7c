//! Starts the daemon where none runs, by the same command a person would use: it alone decides,
//! under its own lock, which of many starters wins. The child gets none of our pipes.

use exai_client::Unreachable;
use exai_config::Home;
use std::{path::PathBuf, process::Stdio, time::Duration};
use tokio::{
    process::Command,
    time::{Instant, timeout},
};

/// Two starts of one shim are never closer than this, so that a killed daemon is back within a
/// second and a loop costs next to nothing.
const SPACING: Duration = Duration::from_millis(500);
/// What fails is tried again after a second, then two, four …, at most this.
const LONGEST_SPACING: Duration = Duration::from_secs(30);
/// Longest wait for `exai-daemon start` to return.
const PATIENCE: Duration = Duration::from_secs(20);

/// This shim's attempts.
#[derive(Debug, Default)]
pub(crate) struct Autostart {
    last: Option<Instant>,
    failures: u32,
}

impl Autostart {
    /// Runs `exai-daemon start` and waits for it; `false` when it is too soon to.
    pub(crate) async fn start(&mut self, home: &Home) -> Result<bool, Unreachable> {
        if self
            .last
            .is_some_and(|last| last.elapsed() < self.spacing())
        {
            return Ok(false);
        }
        self.last = Some(Instant::now());
        let started = run(home).await;
        self.failures = if started.is_ok() {
            0
        } else {
            self.failures.saturating_add(1)
        };
        started.map(|()| true)
    }

    fn spacing(&self) -> Duration {
        if self.failures == 0 {
            return SPACING;
        }
        let doubled = Duration::from_secs(1).saturating_mul(1 << (self.failures - 1).min(8));
        doubled.min(LONGEST_SPACING)
    }
}

async fn run(home: &Home) -> Result<(), Unreachable> {
    let program = program();
    tracing::info!(program = %program.display(), "starting the daemon");
    let mut command = command(&program, home);
    let mut child = command.spawn().map_err(|error| {
        let program = program.display();
        Unreachable::NotStarted(format!("{program}: {error}; is exai-daemon installed?"))
    })?;
    match timeout(PATIENCE, child.wait()).await {
        Ok(Ok(status)) if status.success() => Ok(()),
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

fn command(program: &PathBuf, home: &Home) -> Command {
    let mut command = Command::new(program);
    command
        .args(["start", "--quiet", "--autostart"])
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
    async fn r13_what_fails_is_tried_again_ever_more_rarely() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(dir.path());
        let mut autostart = Autostart {
            last: Some(Instant::now()),
            failures: 0,
        };
        assert!(matches!(autostart.start(&home).await, Ok(false)));
        let spacings: Vec<u64> = (0..9)
            .map(|failures| {
                Autostart {
                    last: None,
                    failures,
                }
                .spacing()
                .as_millis() as u64
            })
            .collect();
        assert_eq!(
            spacings,
            [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000]
        );
        autostart.failures = 4;
        tokio::time::advance(Duration::from_secs(7)).await;
        assert!(matches!(autostart.start(&home).await, Ok(false)));
    }

    #[test]
    fn the_child_is_named_and_told_the_home() {
        let home = Home::at("/somewhere");
        let command = command(&PathBuf::from("exai-daemon"), &home);
        let command = command.as_std();
        assert_eq!(
            command.get_args().collect::<Vec<_>>(),
            ["start", "--quiet", "--autostart"]
        );
        let told = command.get_envs().any(|(name, value)| {
            name == "EXAI_HOME" && value.is_some_and(|value| value == "/somewhere")
        });
        assert!(told);
    }
}
