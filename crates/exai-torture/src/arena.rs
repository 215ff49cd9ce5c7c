//! The place where it happens: a home of its own, its daemon, and the registry of processes
//! that may be harmed. Nothing outside is ever signalled.

use crate::{options::Options, oracle::Oracle, score::Score};
use anyhow::{Context as _, Result};
use exai_testkit::{Relay, Sandbox, is_alive};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{process::Command, time::timeout};
use tokio_util::sync::CancellationToken;

/// A starter waits for its daemon's first answer, and gives up after a quarter of a minute.
const STARTERS: Duration = Duration::from_secs(30);

/// How a finished command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// See the module.
pub(crate) struct Arena {
    pub(crate) sandbox: Sandbox,
    pub(crate) options: Options,
    pub(crate) seed: u64,
    pub(crate) score: Score,
    pub(crate) oracle: Oracle,
    /// Links that can be cut, frozen and swallowed.
    pub(crate) relays: Mutex<Vec<Relay>>,
    pub(crate) targets: Mutex<Vec<Target>>,
    /// Faults end.
    pub(crate) calm: CancellationToken,
    /// Clients make no new calls, and wait for what is owed.
    pub(crate) winding_down: CancellationToken,
    /// Nobody owes anything any more.
    pub(crate) over: CancellationToken,
    /// Daemons that were made to end.
    ended: Mutex<BTreeSet<u32>>,
    /// Why the home is no file system of its own.
    no_mount: OnceLock<String>,
    ids: AtomicU64,
    bin: PathBuf,
}

/// A process that may be killed or frozen.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) pid: u32,
    pub(crate) id: u64,
    /// Whether it is a shim's parent, which takes the shim with it.
    pub(crate) parent: bool,
    /// Whether the shim has spoken. One whose parent dies before it looks is given to us, who
    /// live and hold its pipes: it cannot know.
    pub(crate) spoke: Arc<AtomicBool>,
}

impl Arena {
    pub(crate) fn new(
        sandbox: Sandbox,
        options: Options,
        seed: u64,
        bin: PathBuf,
        relays: Vec<Relay>,
    ) -> Self {
        let oracle = Oracle::new(sandbox.work().join("traces"));
        Self {
            sandbox,
            options,
            seed,
            score: Score::default(),
            oracle,
            relays: Mutex::new(relays),
            targets: Mutex::default(),
            calm: CancellationToken::new(),
            winding_down: CancellationToken::new(),
            over: CancellationToken::new(),
            ended: Mutex::default(),
            no_mount: OnceLock::new(),
            ids: AtomicU64::new(0),
            bin,
        }
    }

    /// A generator of its own for everything that draws: what one does changes nobody else's
    /// luck, so that the seed alone decides every plan.
    pub(crate) fn rng(&self, stream: u64) -> fastrand::Rng {
        fastrand::Rng::with_seed(self.seed ^ stream.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    /// A number nobody else has.
    pub(crate) fn number(&self) -> u64 {
        self.ids.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn patience(&self) -> Duration {
        Duration::from_secs(self.options.patience)
    }

    /// A command of the program under test.
    pub(crate) fn command(&self, program: &str) -> Command {
        let file = format!("{program}{}", std::env::consts::EXE_SUFFIX);
        self.sandbox.command_at(self.bin.join(file))
    }

    /// Any other program, in the same home.
    pub(crate) fn foreign(&self, program: &str) -> Command {
        self.sandbox.command_at(program)
    }

    /// The program under test, for a shell.
    pub(crate) fn path_of(&self, program: &str) -> PathBuf {
        self.bin
            .join(format!("{program}{}", std::env::consts::EXE_SUFFIX))
    }

    /// Runs `exai-daemon` with these arguments; `None` when it does not end.
    pub(crate) async fn cli(&self, arguments: &[&str], limit: Duration) -> Option<Ended> {
        let mut command = self.command("exai-daemon");
        command
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let output = timeout(limit, command.output()).await.ok()?.ok()?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Some(Ended {
            code: output.status.code(),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        })
    }

    /// Starts the daemon by hand; says why it did not start.
    pub(crate) async fn start(&self) -> Result<(), String> {
        match self
            .cli(&["start", "--quiet"], Duration::from_secs(60))
            .await
        {
            Some(ended) if ended.code == Some(0) => Ok(()),
            Some(ended) => Err(format!(
                "{:?}: {}{}",
                ended.code, ended.stdout, ended.stderr
            )),
            None => Err("`exai-daemon start` did not end within a minute".to_owned()),
        }
    }

    /// Daemons of this home that run now; commands that only talk to one are none.
    pub(crate) fn daemons(&self) -> Vec<u32> {
        let mut found = self.sandbox.processes("exai-daemon");
        found.retain(|pid| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            line.split(|byte| *byte == 0)
                .skip(1)
                .any(|word| word == b"run")
        });
        found
    }

    /// These daemons are about to end at our hands.
    pub(crate) fn will_end(&self, daemons: &[u32]) {
        lock(&self.ended).extend(daemons);
    }

    /// Whether this one was made to.
    pub(crate) fn was_ended(&self, daemon: u32) -> bool {
        lock(&self.ended).contains(&daemon)
    }

    /// A process that may be harmed from now on.
    pub(crate) fn enlist(&self, pid: u32, parent: bool) -> Target {
        let target = Target {
            pid,
            id: self.number(),
            parent,
            spoke: Arc::default(),
        };
        lock(&self.targets).push(target.clone());
        target
    }

    /// Takes it from the list; `false` if somebody took it to harm it.
    pub(crate) fn retire(&self, id: u64) -> bool {
        let mut targets = lock(&self.targets);
        let before = targets.len();
        targets.retain(|target| target.id != id);
        targets.len() < before
    }

    /// Waits until a process is gone; `false` when it is not in time.
    pub(crate) async fn gone(&self, pid: u32, limit: Duration) -> bool {
        let end = Instant::now() + limit;
        while is_alive(pid) {
            if Instant::now() > end {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        true
    }

    /// Nothing can be mounted on the home.
    pub(crate) fn cannot_mount(&self, why: String) {
        // Said once.
        let _ = self.no_mount.set(why);
    }

    pub(crate) fn why_no_mount(&self) -> Option<String> {
        self.no_mount.get().cloned()
    }

    /// Takes the starters' lock, as a starter would: until it is dropped nobody starts a daemon.
    pub(crate) async fn pause_starters(&self) -> Option<fs::File> {
        let file = fs::OpenOptions::new()
            .write(true)
            .open(self.run_file("start.lock"))
            .ok()?;
        let end = Instant::now() + STARTERS;
        while Instant::now() < end {
            if file.try_lock().is_ok() {
                return Some(file);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        None
    }

    /// A file of the run directory.
    pub(crate) fn run_file(&self, name: &str) -> PathBuf {
        self.sandbox.run_path(name)
    }
}

/// The folder of the binaries: beside this program, or as told.
pub(crate) fn binaries(options: &Options) -> Result<PathBuf> {
    let folder = match &options.bin_dir {
        Some(folder) => folder.clone(),
        None => beside().context("cannot find out where this program is")?,
    };
    let folder = folder
        .canonicalize()
        .with_context(|| format!("no folder {}", folder.display()))?;
    for program in ["exai-daemon", "exai-shim"] {
        let file = folder.join(format!("{program}{}", std::env::consts::EXE_SUFFIX));
        anyhow::ensure!(
            file.is_file(),
            "{} is not there; build it first",
            file.display()
        );
    }
    Ok(folder)
}

fn beside() -> Option<PathBuf> {
    std::env::current_exe()
        .ok()?
        .parent()
        .map(Path::to_path_buf)
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
