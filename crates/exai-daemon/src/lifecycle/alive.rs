//! Which lives of the daemon are not over. One that has given its home away finishes its calls
//! beside the next; each holds a lock of its own for life, so that nobody takes its calls for
//! those of a dead one, whoever died in between.

use super::identity::lock_is_held;
use anyhow::{Context as _, Result};
use exai_config::{Home, rendezvous};
use exai_protocol::{BootId, endpoint::Endpoint};
use exai_store::Lives;
use std::{
    fs::{File, OpenOptions, TryLockError},
    path::{Path, PathBuf},
    sync::Arc,
};

const PREFIX: &str = "boot-";
const SUFFIX: &str = ".lock";

/// This life; over with the process at the latest.
pub(crate) struct Alive {
    path: PathBuf,
    _lock: File,
}

impl Alive {
    /// Begins it.
    pub(crate) fn begin(home: &Home, boot: &BootId) -> Result<Self> {
        let run = home.run_dir();
        let path = path_of(&run, boot.as_str());
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        // Another daemon's sweep may find it before it is locked: then it is made again.
        for _ in 0..3 {
            let lock = options
                .open(&path)
                .with_context(|| format!("cannot make {}", path.display()))?;
            if lock.try_lock().is_ok() && path.exists() {
                return Ok(Self { path, _lock: lock });
            }
            let _ = std::fs::remove_file(&path);
        }
        anyhow::bail!("{} cannot be locked", path.display())
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        // What stays behind is unlocked, and swept by the next one.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// The question, for the store.
pub(crate) fn lives(home: &Home) -> Lives {
    let run = home.run_dir();
    Arc::new(move |boot| is_alive(&run, boot))
}

/// Whose calls go on: those of the daemon that serves, of whatever version it is, and of one
/// before it that finishes its own.
pub(crate) fn with_work(home: &Home) -> impl Fn(&str) -> bool + use<> {
    let record = rendezvous::read(home).ok().flatten();
    let serving = record.filter(|_| lock_is_held(home));
    let lives = lives(home);
    move |boot: &str| {
        let serves = |record: &Endpoint| record.boot_id.as_str() == boot;
        serving.as_ref().is_some_and(serves) || lives(boot)
    }
}

fn is_alive(run: &Path, boot: &str) -> bool {
    // From the database, so perhaps anything.
    let is_name = !boot.is_empty() && boot.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_name && is_locked(&path_of(run, boot))
}

fn is_locked(path: &Path) -> bool {
    let file = File::open(path);
    file.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

fn path_of(run: &Path, boot: &str) -> PathBuf {
    run.join(format!("{PREFIX}{boot}{SUFFIX}"))
}

/// Forgets those that are over. Only for who has the home, or is to get it: others may just be
/// beginning theirs.
pub(crate) fn sweep(home: &Home) {
    let Ok(entries) = home.run_dir().read_dir() else {
        return;
    };
    let is_ours = |name: &str| name.starts_with(PREFIX) && name.ends_with(SUFFIX);
    for entry in entries.flatten() {
        if entry.file_name().to_str().is_some_and(is_ours) && !is_locked(&entry.path()) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_is_seen_until_it_is_over_and_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(dir.path());
        home.prepare().unwrap();
        let lives = lives(&home);
        let [first, second] = ["a1", "b2"].map(BootId::from);
        let life = Alive::begin(&home, &first).unwrap();
        assert!(lives("a1") && !lives("b2") && !lives("../a1") && !lives(""));
        // One that was killed leaves its file.
        File::create(path_of(&home.run_dir(), "dead")).unwrap();
        let other = Alive::begin(&home, &second).unwrap();
        sweep(&home);
        assert!(lives("a1") && lives("b2") && !lives("dead"));
        assert!(!path_of(&home.run_dir(), "dead").exists());
        drop(life);
        assert!(!lives("a1") && lives("b2"));
        drop(other);
        assert!(!path_of(&home.run_dir(), "b2").exists());
    }
}
