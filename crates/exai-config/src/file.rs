//! Reading small files with a bound, so that no file, however it came there, can hurt us:
//! the home's own (ours alone, never through a link) and the user's settings (links allowed).

use crate::owner;
use std::{
    fs::File,
    io::{self, Read as _},
    path::Path,
};

/// A file of ours, as found.
pub(crate) struct Own {
    pub(crate) text: String,
    /// Others could read it; it has been closed to them.
    pub(crate) was_open: bool,
}

/// Reads a file that must be ours; `None` when there is none.
pub(crate) fn read_own(path: &Path, limit: u64) -> io::Result<Option<Own>> {
    let Some((file, was_open)) = open_own(path)? else {
        return Ok(None);
    };
    if was_open {
        owner::set_mode(&file, crate::atomic::PRIVATE)?;
    }
    Ok(Some(Own {
        text: bounded_text(file, limit)?,
        was_open,
    }))
}

/// Reads a file that must be ours and closed to others; it is left as it is.
pub(crate) fn read_private(path: &Path, limit: u64) -> io::Result<Option<String>> {
    match open_own(path)? {
        None => Ok(None),
        Some((_, true)) => Err(io::Error::other(
            "other users could read it (chmod 600 it, or better replace it)",
        )),
        Some((file, false)) => bounded_text(file, limit).map(Some),
    }
}

/// A file that is ours, and whether others could read it.
fn open_own(path: &Path) -> io::Result<Option<(File, bool)>> {
    let file = match owner::open_no_follow(path) {
        Err(error) if is_absent(&error) => return Ok(None),
        Err(error) => return Err(explain_link(path, error)),
        Ok(file) => file,
    };
    let meta = file.metadata()?;
    if !meta.is_file() {
        return Err(io::Error::other("it is not a regular file; remove it"));
    }
    if let Some(uid) = owner::foreign(&meta) {
        return Err(io::Error::other(format!(
            "it belongs to another user (id {uid}); remove it"
        )));
    }
    let was_open = owner::open_to_others(&meta);
    Ok(Some((file, was_open)))
}

/// Reads a settings file; `None` when there is none.
pub(crate) fn read_settings(path: &Path, limit: u64) -> io::Result<Option<String>> {
    let file = match File::open(path) {
        Err(error) if is_absent(&error) => return Ok(None),
        other => other?,
    };
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    bounded_text(file, limit).map(Some)
}

/// A home that is no directory has no files; what is wrong with it is the home's to say.
fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

/// Whether users other than the owner can read a file.
pub(crate) fn readable_by_others(path: &Path) -> bool {
    path.metadata()
        .is_ok_and(|meta| owner::open_to_others(&meta))
}

fn bounded_text(file: File, limit: u64) -> io::Result<String> {
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::other(format!("it is longer than {limit} bytes")));
    }
    let text = String::from_utf8(bytes).map_err(|_| io::Error::other("it is not UTF-8 text"))?;
    // Editors on Windows put a byte-order mark first; it is never part of the content.
    Ok(text
        .strip_prefix('\u{feff}')
        .map(str::to_owned)
        .unwrap_or(text))
}

fn explain_link(path: &Path, error: io::Error) -> io::Error {
    if path
        .symlink_metadata()
        .is_ok_and(|meta| meta.file_type().is_symlink())
    {
        return io::Error::other("it is a symbolic link; remove it");
    }
    error
}
