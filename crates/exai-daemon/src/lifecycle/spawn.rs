//! The one door through which processes are started: the daemon itself, detached, by running
//! this program again; and the few children of `smoke` and `bench`.

use crate::context::Context;
use anyhow::{Context as _, Result};
use exai_config::{ProcessEnv, Strings as _};
use std::{
    ffi::OsStr,
    fs::{File, OpenOptions},
    io,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};
use tokio::io::AsyncReadExt as _;

/// Says of a process that it runs inside an agent's command line.
const INSIDE: &str = "EXAI_CLI_DEPTH";

/// Whether this process does.
pub(crate) fn is_inside() -> bool {
    let depth = ProcessEnv.get(INSIDE);
    depth.is_some_and(|depth| !depth.is_empty() && depth != "0")
}

/// A daemon on its way up.
pub(crate) struct Spawned {
    pub(crate) child: Child,
    /// What it says before its own log is open, and when it dies.
    pub(crate) last_words: PathBuf,
}

/// Which daemon is started.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Which<'a> {
    /// Its file, where it is not this program's own.
    pub(crate) program: Option<&'a Path>,
    /// It takes the home over from the one that has it.
    pub(crate) succeeds: bool,
}

/// A command for this machine's own programs only; the single place that makes one.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the door the ban points to"
)]
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    Command::new(program)
}

/// Runs a program to its end without showing anything of it.
#[cfg(windows)]
pub(crate) fn quiet(program: &str, args: &[&str]) -> io::Result<std::process::ExitStatus> {
    command(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
}

/// Which version of the daemon a program says it is; an error says why it is none.
pub(crate) async fn introduced(program: &Path) -> Result<String, String> {
    const SOON: Duration = Duration::from_secs(10);
    const MOST: u64 = 4096;
    let mut ask = tokio::process::Command::from(command(program));
    ask.arg("--version")
        .env_remove(INSIDE)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    let asking = async {
        let mut child = ask.spawn()?;
        let mut said = Vec::new();
        if let Some(mouth) = child.stdout.take() {
            mouth.take(MOST).read_to_end(&mut said).await?;
        }
        Ok((said, child.wait().await?))
    };
    let asked: io::Result<_> = match tokio::time::timeout(SOON, asking).await {
        Ok(asked) => asked,
        Err(_) => {
            return Err(format!(
                "asked for its --version it does not end in {SOON:?}"
            ));
        }
    };
    let (said, status) = asked.map_err(|error| format!("it cannot be run: {error}"))?;
    let text = String::from_utf8_lossy(&said);
    let line = text.lines().next().unwrap_or_default();
    match line.strip_prefix("exai-daemon ") {
        Some(version) if status.success() => Ok(version.chars().take(40).collect()),
        _ => Err(format!(
            "it is no exai-daemon: asked for its --version it said {:?} ({status})",
            line.chars().take(80).collect::<String>()
        )),
    }
}

/// How long the allocator keeps memory that was freed. Its own default keeps it until the same
/// thread frees more: after some results of 30 MB a daemon that kept 60 MB held 250 for good, and
/// with many clients 900, growing for as long as it was watched. It reads this before `main`.
const PURGE: &str = "MIMALLOC_PURGE_DELAY";

/// Starts the daemon of this home as a process of its own: nothing of ours is its input or
/// output, its folder is the root, and it leaves our session as its first act.
pub(crate) fn daemon(context: &Context, which: &Which<'_>) -> Result<Spawned> {
    let program = match which.program {
        Some(program) => program.to_owned(),
        None => own_file().context("cannot find this program's own file")?,
    };
    let home = context.home.root();
    let last_words = context.home.logs().join("ws_daemon.start.log");
    let stderr = private_log(&last_words)
        .with_context(|| format!("cannot open {}", last_words.display()))?;
    let mut run = command(&program);
    run.arg("--home").arg(home);
    for (key, value) in &context.overrides {
        run.arg("--set").arg(format!("{key}={value}"));
    }
    run.args(["run", "--detached"]);
    // Whoever starts it may be an agent that an exai runs as a model. The mark is for what such an
    // agent starts; a daemon serves everybody, for weeks.
    run.env_remove(INSIDE);
    if std::env::var_os(PURGE).is_none() {
        run.env(PURGE, "0");
    }
    if which.succeeds {
        run.arg("--succeed");
    }
    run.stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(stderr);
    run.current_dir(outermost(home));
    let child = launch(&mut run).with_context(|| format!("cannot run {}", program.display()))?;
    Ok(Spawned { child, last_words })
}

/// This program's own file; where an upgrade has replaced it meanwhile, the new one. A restart
/// may wait for calls to end for a long time.
fn own_file() -> io::Result<PathBuf> {
    let path = std::env::current_exe()?;
    // Linux marks the name of a file that is no longer there.
    let replaced = path
        .to_str()
        .and_then(|path| path.strip_suffix(" (deleted)"));
    let replaced = replaced.map(PathBuf::from).filter(|path| path.is_file());
    Ok(replaced.unwrap_or(path))
}

// It does not lead a process group yet: only who leads none can open a session of its own.
#[cfg(unix)]
fn launch(run: &mut Command) -> io::Result<Child> {
    run.spawn()
}

// Not run here. Out of the console, the group and, where the job allows it, the job: an editor
// that ends its job must not end the daemon. Standard handles are the only inherited ones.
#[cfg(windows)]
fn launch(run: &mut Command) -> io::Result<Child> {
    use std::os::windows::process::CommandExt;
    const DETACHED_PROCESS: u32 = 0x0000_0008;
    const CREATE_NEW_PROCESS_GROUP: u32 = 0x0000_0200;
    const CREATE_BREAKAWAY_FROM_JOB: u32 = 0x0100_0000;
    let detached = DETACHED_PROCESS | CREATE_NEW_PROCESS_GROUP;
    run.creation_flags(detached | CREATE_BREAKAWAY_FROM_JOB);
    run.spawn().or_else(|_| {
        run.creation_flags(detached);
        run.spawn()
    })
}

/// The root of the home's file system: a folder nobody wants to remove or unmount.
fn outermost(home: &Path) -> &Path {
    home.ancestors()
        .last()
        .filter(|root| root.is_dir())
        .unwrap_or(home)
}

/// A fresh file for the owner only.
fn private_log(path: &Path) -> io::Result<File> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.append(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// The last lines of a text, for a message.
pub(crate) fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let from = all.len().saturating_sub(lines);
    all[from..]
        .iter()
        .map(|line| format!("  | {}", crate::output::tame(line)))
        .collect::<Vec<_>>()
        .join("\n")
}

/// A program beside this one, where it is installed.
pub(crate) fn sibling(name: &str) -> Option<PathBuf> {
    let here = std::env::current_exe().ok()?;
    let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    Some(here.parent()?.join(file)).filter(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_is_the_end_and_harmless() {
        assert_eq!(tail("a\n\nb\x1b[2J\nc\n", 2), "  | b\u{fffd}[2J\n  | c");
        assert_eq!(tail("", 3), "");
    }

    #[test]
    fn r17_last_words_begin_afresh_and_are_private() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("start.log");
        for _ in 0..2 {
            use std::io::Write;
            private_log(&path).unwrap().write_all(b"once").unwrap();
        }
        assert_eq!(std::fs::read(&path).unwrap(), b"once");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn r23_the_folder_of_a_daemon_is_the_root() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(outermost(dir.path()).parent(), None);
    }
}
