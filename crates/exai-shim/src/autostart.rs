//! Starts the daemon where none runs, by the same command a person would use: it alone decides,
//! under its own lock, which of many starters wins. The child gets none of the client's pipes;
//! what it says when it fails is told to the window, because it alone knows.

mod words;

use exai_client::Unreachable;
use exai_config::Home;
use std::{
    io,
    path::PathBuf,
    process::{ExitStatus, Stdio},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    process::{Child, Command},
    time::{Instant, timeout},
};

/// Two starts of one shim are never closer than this, so that a killed daemon is back within a
/// second and a loop costs next to nothing.
const SPACING: Duration = Duration::from_millis(500);
/// What fails is tried again after a second, then two, four …, at most this.
const LONGEST_SPACING: Duration = Duration::from_secs(30);
/// The same while somebody waits: well within the time that a call waits for its daemon.
const WANTED_SPACING: Duration = Duration::from_secs(4);
/// Longest wait for `exai-daemon start` to return.
const PATIENCE: Duration = Duration::from_secs(20);
/// For its words once it has ended: they are in the pipe already.
const LAST_WORDS: Duration = Duration::from_millis(200);
/// Of its words.
const MOST_WORDS: u64 = 16 * 1024;

/// This shim's attempts.
#[derive(Debug, Default)]
pub(crate) struct Autostart {
    last: Option<Instant>,
    failures: u32,
    /// What the last one failed of.
    why: Option<String>,
    wanted: bool,
}

impl Autostart {
    /// Something changed that a start may depend on: the next one is not put off.
    pub(crate) fn renew(&mut self) {
        self.failures = 0;
    }

    /// Whether a call waits for the daemon.
    pub(crate) fn wanted(&mut self, wanted: bool) {
        self.wanted = wanted;
    }

    /// Runs `exai-daemon start` and waits for it. Too soon after another: what became of that
    /// one, `false` where it was well.
    pub(crate) async fn start(&mut self, home: &Home) -> Result<bool, Unreachable> {
        if self
            .last
            .is_some_and(|last| last.elapsed() < self.spacing())
        {
            let why = self.why.clone();
            return why.map_or(Ok(false), |why| Err(Unreachable::NotStarted(why)));
        }
        self.last = Some(Instant::now());
        self.why = run(home).await.err();
        let Some(why) = &self.why else {
            self.failures = 0;
            return Ok(true);
        };
        tracing::warn!(why, "the daemon could not be started");
        self.failures = self.failures.saturating_add(1);
        Err(Unreachable::NotStarted(why.clone()))
    }

    fn spacing(&self) -> Duration {
        if self.failures == 0 {
            return SPACING;
        }
        let doubled = Duration::from_secs(1).saturating_mul(1 << (self.failures - 1).min(8));
        doubled.min(if self.wanted {
            WANTED_SPACING
        } else {
            LONGEST_SPACING
        })
    }
}

/// Or why not.
async fn run(home: &Home) -> Result<(), String> {
    let program = program();
    tracing::info!(program = %program.display(), "starting the daemon");
    let mut command = command(&program, home);
    let child = command.spawn().map_err(|error| {
        let program = program.display();
        format!("{program}: {error}; is exai-daemon installed?")
    })?;
    match timeout(PATIENCE, ended(child)).await {
        Ok(Ok((status, _))) if status.success() => Ok(()),
        Ok(Ok((status, said))) => Err(words::told(&said).unwrap_or_else(|| {
            format!(
                "`exai-daemon start` ended with {status}; run it in a terminal to see why, or \
                 look into {}",
                home.daemon_log().display()
            )
        })),
        Ok(Err(error)) => Err(error.to_string()),
        // It goes on without us; the endpoint record will tell when it has succeeded.
        Err(_) => Err(format!(
            "`exai-daemon start` takes longer than {} s",
            PATIENCE.as_secs()
        )),
    }
}

/// How it ended, and what it said. Its pipe is read meanwhile, so that it never waits for us,
/// and not to its end, which a stranger who inherited it might keep open.
async fn ended(mut child: Child) -> io::Result<(ExitStatus, Vec<u8>)> {
    let mut said = Vec::new();
    let mut pipe = child.stderr.take().map(|pipe| pipe.take(MOST_WORDS));
    let mut speaks = true;
    let status = loop {
        tokio::select! {
            status = child.wait() => break status?,
            () = hear(&mut pipe, &mut said), if speaks => speaks = false,
        }
    };
    let _ = timeout(LAST_WORDS, hear(&mut pipe, &mut said)).await;
    Ok((status, said))
}

async fn hear(pipe: &mut Option<impl AsyncRead + Unpin>, said: &mut Vec<u8>) {
    let Some(pipe) = pipe else { return };
    while matches!(pipe.read_buf(said).await, Ok(1..)) {}
}

fn command(program: &PathBuf, home: &Home) -> Command {
    let mut command = Command::new(program);
    command
        .args(["start", "--quiet", "--autostart"])
        .env("EXAI_HOME", home.root())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
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
            ..Autostart::default()
        };
        assert!(matches!(autostart.start(&home).await, Ok(false)));
        let spacings: Vec<u64> = (0..9)
            .map(|failures| {
                Autostart {
                    failures,
                    ..Autostart::default()
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
        autostart.why = Some("the port is taken".to_owned());
        tokio::time::advance(Duration::from_secs(7)).await;
        assert!(
            matches!(autostart.start(&home).await, Err(Unreachable::NotStarted(why)) if why == "the port is taken"),
            "why it failed is told until it is tried again"
        );
        autostart.wanted(true);
        assert_eq!(
            autostart.spacing(),
            WANTED_SPACING,
            "a call does not wait in vain"
        );
        autostart.renew();
        assert_eq!(autostart.spacing(), SPACING, "something changed");
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
