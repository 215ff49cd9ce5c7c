//! The one way files are replaced: a new file in the same directory, synced, renamed over the
//! old. A reader sees the old bytes or the new ones, a crash leaves one of the two.

use crate::owner;
use std::{
    fs::File,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

/// For the owner only.
pub const PRIVATE: u32 = 0o600;

/// A file could not be replaced; what stood there still stands.
#[derive(Debug, thiserror::Error)]
#[error("cannot {doing} {}: {source}", path.display())]
pub struct WriteError {
    /// The target.
    pub path: PathBuf,
    /// Which step failed.
    pub doing: &'static str,
    /// Why.
    #[source]
    pub source: io::Error,
}

/// Replaces `path` with `bytes`, under permission bits `mode` (where there are such).
///
/// # Errors
/// [`WriteError`]; also when the target is a symbolic link, which is never followed.
pub fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<(), WriteError> {
    let failed = |doing| {
        move |source| WriteError {
            path: path.to_owned(),
            doing,
            source,
        }
    };
    if path
        .symlink_metadata()
        .is_ok_and(|meta| meta.file_type().is_symlink())
    {
        let source = io::Error::other("it is a symbolic link; remove it and try again");
        return Err(failed("replace")(source));
    }
    let staged = stage(path, bytes, mode).map_err(failed("write"))?;
    staged
        .persist(path)
        .map_err(|error| failed("replace")(error.error))?;
    sync_directory(path).map_err(failed("sync the directory of"))
}

/// Creates `path` with `bytes` unless it is already there. Whoever sees the file sees all of it.
///
/// # Errors
/// [`WriteError`]; its source is of kind `AlreadyExists` when somebody was faster.
pub fn create(path: &Path, bytes: &[u8], mode: u32) -> Result<(), WriteError> {
    let failed = |doing| {
        move |source| WriteError {
            path: path.to_owned(),
            doing,
            source,
        }
    };
    let staged = stage(path, bytes, mode).map_err(failed("write"))?;
    staged
        .persist_noclobber(path)
        .map_err(|error| failed("create")(error.error))?;
    sync_directory(path).map_err(failed("sync the directory of"))
}

fn stage(path: &Path, bytes: &[u8], mode: u32) -> io::Result<tempfile::NamedTempFile> {
    let directory = path
        .parent()
        .ok_or_else(|| io::Error::other("it has no directory"))?;
    let mut staged = tempfile::Builder::new()
        .prefix(".exai-")
        .tempfile_in(directory)?;
    staged.write_all(bytes)?;
    owner::set_mode(staged.as_file(), mode)?;
    staged.as_file().sync_all()?;
    Ok(staged)
}

/// Makes the rename itself durable. Some file systems cannot sync a directory and say so.
pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    if cfg!(not(unix)) {
        return Ok(());
    }
    let Some(directory) = path.parent() else {
        return Ok(());
    };
    match File::open(directory)?.sync_all() {
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_whole_and_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("héalth.json");
        write(&path, b"one", PRIVATE).unwrap();
        write(&path, b"two", PRIVATE).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn create_does_not_replace() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        create(&path, b"one", PRIVATE).unwrap();
        let error = create(&path, b"two", PRIVATE).unwrap_err();
        assert_eq!(error.source.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read(&path).unwrap(), b"one");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn s07_a_link_at_the_target_is_refused_and_modes_hold() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let victim = dir.path().join("victim");
        write(&victim, b"precious", 0o640).unwrap();
        assert_eq!(
            victim.metadata().unwrap().permissions().mode() & 0o777,
            0o640
        );
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&victim, &link).unwrap();
        let error = write(&link, b"evil", PRIVATE).unwrap_err().to_string();
        assert!(
            error.contains("symbolic link") && error.contains("link"),
            "{error}"
        );
        assert_eq!(std::fs::read(&victim).unwrap(), b"precious");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn r42_a_place_that_cannot_be_written_is_named() {
        let error = write(Path::new("/proc/exai-test"), b"x", PRIVATE)
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("cannot write /proc/exai-test: "),
            "{error}"
        );
    }
}
