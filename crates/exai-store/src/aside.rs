//! Damaged files are moved out of the way, never overwritten: whoever looks for what is lost
//! finds every byte that was left.

use crate::fault::Fault;
use exai_protocol::UnixMillis;
use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
};

const MARK: &str = ".corrupt-";
/// More damaged files than this are no accident: the disk is to be looked at, not filled.
const MOST: usize = 8;

/// What belongs to the database `path`, itself first.
pub(crate) fn family(path: &Path) -> [PathBuf; 3] {
    ["", "-wal", "-shm"].map(|tail| with_tail(path, tail))
}

/// The log of the database `path`.
pub(crate) fn log_of(path: &Path) -> PathBuf {
    with_tail(path, "-wal")
}

/// Where the database `path` is written anew before it takes its place.
pub(crate) fn copy_of(path: &Path) -> PathBuf {
    with_tail(path, ".new")
}

fn with_tail(path: &Path, tail: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(tail);
    PathBuf::from(name)
}

/// Renames the file, its log with it. Returns where it is now.
pub(crate) fn set_aside(path: &Path, at: UnixMillis, why: &str) -> Result<PathBuf, Fault> {
    if standing(path).len() >= MOST {
        let at = path.display();
        return Err(Fault::State(crate::State::Failing(format!(
            "the database {at} is damaged ({why}) and {MOST} damaged ones stand beside it already; \
             look at the disk, then remove those"
        ))));
    }
    let target = free_name(path, at);
    let moved = family(path).into_iter().zip(family(&target));
    for (from, to) in moved {
        match std::fs::rename(&from, &to) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Fault::unwritable(
                    path,
                    &format!("it is damaged: {why}; {error}"),
                ));
            }
            Ok(()) | Err(_) => {}
        }
    }
    tracing::error!(why, set_aside = %target.display(), "the database is damaged");
    Ok(target)
}

fn free_name(path: &Path, at: UnixMillis) -> PathBuf {
    let stamp = with_tail(path, &format!("{MARK}{}", at.0));
    let taken = |name: &Path| {
        family(name)
            .iter()
            .any(|file| file.symlink_metadata().is_ok())
    };
    let mut names = (1..).map(|count| with_tail(&stamp, &format!("-{count}")));
    if !taken(&stamp) {
        return stamp;
    }
    names.find(|name| !taken(name)).unwrap_or(stamp)
}

/// Damaged files that stand beside the database `path`, oldest first.
#[must_use]
pub fn standing(path: &Path) -> Vec<PathBuf> {
    let Some((directory, name)) = path.parent().zip(path.file_name()) else {
        return Vec::new();
    };
    let mut prefix: OsString = name.to_owned();
    prefix.push(MARK);
    let is_one = |name: &OsString| {
        let bytes = name.as_encoded_bytes();
        bytes.starts_with(prefix.as_encoded_bytes())
            && !bytes.ends_with(b"-wal")
            && !bytes.ends_with(b"-shm")
    };
    let Ok(entries) = directory.read_dir() else {
        return Vec::new();
    };
    let mut found: Vec<PathBuf> = entries
        .flatten()
        .filter(|entry| is_one(&entry.file_name()))
        .map(|entry| entry.path())
        .collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    #[test]
    fn names_are_never_taken_twice_and_the_log_goes_along() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("exai.db");
        let mut moved = Vec::new();
        for _ in 0..3 {
            File::create(&path).unwrap();
            File::create(with_tail(&path, "-wal")).unwrap();
            let target = set_aside(&path, UnixMillis(1_700_000_000_000), "test").unwrap();
            assert!(!path.exists() && !with_tail(&path, "-wal").exists());
            assert!(target.exists() && with_tail(&target, "-wal").exists());
            moved.push(target);
        }
        assert_eq!(standing(&path), moved);
    }

    #[test]
    fn a_disk_that_damages_everything_is_not_filled_with_copies() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("exai.db");
        for at in 0..8 {
            File::create(&path).unwrap();
            set_aside(&path, UnixMillis(at), "test").unwrap();
        }
        File::create(&path).unwrap();
        assert!(set_aside(&path, UnixMillis(9), "test").is_err());
        assert!(path.exists());
    }
}
