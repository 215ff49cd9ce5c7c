//! A key in a file. A file that others can read is refused: a key in it is no secret.

use super::first_line;
use exai_protocol::Secret;
use std::{fs::File, io::Read as _, path::PathBuf};

/// No key is longer; a longer file is the wrong one.
const MOST: u64 = 16 * 1024;

pub(super) async fn read(path: PathBuf) -> Result<Secret, String> {
    match tokio::task::spawn_blocking(move || read_now(&path)).await {
        Ok(read) => read,
        Err(_) => Err("the daemon is ending".to_owned()),
    }
}

fn read_now(path: &std::path::Path) -> Result<Secret, String> {
    let name = format!("the file {}", path.display());
    let unreadable = |error: std::io::Error| format!("{name} cannot be read: {error}");
    // A pipe would hang here for ever; what is asked is asked of the opened file.
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(format!("{name} is no file"));
    }
    let file = File::open(path).map_err(unreadable)?;
    check_owner_only(&file, &name)?;
    let mut bytes = Vec::new();
    file.take(MOST + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() as u64 > MOST {
        return Err(format!("{name} is too long for a key"));
    }
    first_line(&bytes, &name)
}

/// What is wrong with a key's file, as far as a look tells; nothing is read.
pub(super) fn look(path: &std::path::Path) -> Option<String> {
    let name = format!("the file {}", path.display());
    match File::open(path) {
        Err(error) => Some(format!("{name} cannot be read: {error}")),
        Ok(file) => check_owner_only(&file, &name).err(),
    }
}

#[cfg(unix)]
fn check_owner_only(file: &File, name: &str) -> Result<(), String> {
    use std::os::unix::fs::PermissionsExt as _;
    let metadata = file
        .metadata()
        .map_err(|error| format!("{name} cannot be read: {error}"))?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    Err(format!(
        "{name} can be read by others (mode {mode:o}); run `chmod 600` on it, and replace the key if it was shared"
    ))
}

/// Elsewhere the folder's access list decides, which a home's is.
#[cfg(not(unix))]
fn check_owner_only(_file: &File, _name: &str) -> Result<(), String> {
    Ok(())
}
