//! Dropped privileges: the daemon runs as one who may read its home's data and not write it. It
//! says so or refuses to start, promises nothing it cannot keep, and goes on by itself once it may
//! write again.

use super::daemon::{back, strike};
use crate::{arena::Arena, clients::Probe};
use std::{
    io,
    time::{Duration, Instant},
};
use tokio::time::sleep;

const NAME: &str = "dropped privileges";
/// The right to write whatever a file's mode says, which root has and nobody else.
const RIGHT: &str = "--bounding-set=-dac_override,-dac_read_search";

pub(super) async fn dropped(arena: &Arena, probe: &Probe, rng: &mut fastrand::Rng) {
    let Some(pause) = arena.pause_starters().await else {
        return arena
            .score
            .skip(NAME, "the starters' lock was not to be had");
    };
    strike(arena).await;
    if let Err(error) = close(arena, true) {
        drop(pause);
        arena.score.skip(NAME, &error.to_string());
        return back(arena, probe, Instant::now(), true, false).await;
    }
    arena.score.fault(NAME);
    arena.oracle.no_room(true);
    drop(pause);
    match start(arena).await {
        Ok(words) if words.contains("panicked") => {
            arena.score.broken(format!("started with {NAME}: {words}"));
        }
        Ok(_) => {}
        Err(why) => arena.score.broken(format!("started with {NAME}: {why}")),
    }
    sleep(Duration::from_millis(rng.u64(..3000))).await;
    if let Err(error) = close(arena, false) {
        arena
            .score
            .broken(format!("cannot make the home writable again: {error}"));
    }
    arena.oracle.no_room(false);
    // It need not be started again, if it started.
    back(arena, probe, Instant::now(), true, false).await;
}

/// Starts it without that right; what it said.
async fn start(arena: &Arena) -> Result<String, String> {
    let mut command = arena.foreign("setpriv");
    command
        .args([RIGHT, "--inh-caps=-all"])
        .arg(arena.path_of("exai-daemon"))
        .args(["start", "--quiet"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    let output = tokio::time::timeout(Duration::from_secs(60), command.output());
    match output.await {
        Err(_) => Err("it did not end within a minute".to_owned()),
        Ok(Err(error)) => {
            arena.score.skip(NAME, &format!("setpriv: {error}"));
            Ok(String::new())
        }
        Ok(Ok(output)) => Ok(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

/// Takes the right to write from the files' modes, or gives it back.
#[cfg(unix)]
fn close(arena: &Arena, closed: bool) -> io::Result<()> {
    use std::{fs, os::unix::fs::PermissionsExt as _};
    let folder = arena.sandbox.home().join(".exai/data");
    let (folders, files) = if closed {
        (0o500, 0o400)
    } else {
        (0o700, 0o600)
    };
    let mode =
        |path: &std::path::Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode));
    for entry in fs::read_dir(&folder)?.flatten() {
        let is_folder = entry.file_type()?.is_dir();
        // A log that is folded away meanwhile needs no mode.
        let _ = mode(&entry.path(), if is_folder { folders } else { files });
    }
    mode(&folder, folders)
}

/// Elsewhere rights are not modes.
#[cfg(not(unix))]
fn close(_: &Arena, _: bool) -> io::Result<()> {
    Err(io::Error::other("rights are modes on Unix only"))
}
