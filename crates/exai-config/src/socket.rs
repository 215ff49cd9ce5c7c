//! Where the daemon's Unix socket stands, and whether what stands in its place is ours. A socket
//! has no content to check: its owner, its folder's owner and its folder's mode are what there is.

use crate::{Home, owner};
use std::{
    io,
    os::unix::{ffi::OsStrExt as _, fs::FileTypeExt as _},
    path::{Path, PathBuf},
};

/// Longest path a socket's address holds, without its final zero.
const LONGEST: usize = if cfg!(target_os = "linux") { 107 } else { 103 };
/// The socket's name where it does not stand in the home.
const ELSEWHERE: &str = "daemon.sock";

/// The user whose files and peers are ours.
#[must_use]
pub fn user() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Where the socket of a home is to stand: in its run directory, or, where that path is too long
/// for a socket, in a private folder among `short`, which is made.
///
/// # Errors
/// Why there is no such place.
pub fn place(home: &Home, short: &[PathBuf]) -> io::Result<PathBuf> {
    let own = home.socket_file();
    if fits(&own) {
        return Ok(own);
    }
    let folder = elsewhere(home);
    let mut refused = io::Error::new(
        io::ErrorKind::InvalidInput,
        format!("its path would be longer than {LONGEST} bytes, here and in every short folder"),
    );
    for base in short.iter().filter(|base| base.is_absolute()) {
        let folder = base.join(&folder);
        let path = folder.join(ELSEWHERE);
        if !fits(&path) {
            continue;
        }
        match private(&folder) {
            Ok(()) => return Ok(path),
            Err(error) => refused = named(&folder, &error),
        }
    }
    Err(refused)
}

/// Whether a daemon of this home would put its socket there: one that stands anywhere else is
/// none of its business, whatever a record says.
#[must_use]
pub fn is_place(home: &Home, path: &Path) -> bool {
    path == home.socket_file() || path.ends_with(Path::new(&elsewhere(home)).join(ELSEWHERE))
}

/// The folder's name where the home's path is too long.
fn elsewhere(home: &Home) -> String {
    format!("exai-{}-{:016x}", user(), number(home.root()))
}

/// Whether a client may speak to what stands there: a socket of ours in a folder of ours alone.
///
/// # Errors
/// What it is instead.
pub fn check(path: &Path) -> io::Result<()> {
    let meta = path.symlink_metadata()?;
    if !meta.file_type().is_socket() {
        return Err(io::Error::other("it is no socket"));
    }
    if let Some(uid) = owner::foreign(&meta) {
        return Err(io::Error::other(format!("it belongs to user {uid}")));
    }
    check_folder(path.parent().unwrap_or(path))
}

fn check_folder(folder: &Path) -> io::Result<()> {
    let meta = folder.symlink_metadata()?;
    if !meta.is_dir() {
        return Err(io::Error::other("its folder is a link or a file"));
    }
    if let Some(uid) = owner::foreign(&meta) {
        return Err(io::Error::other(format!("its folder is user {uid}'s")));
    }
    if owner::open_to_others(&meta) {
        return Err(io::Error::other("its folder is open to other users"));
    }
    Ok(())
}

/// Makes a folder that is ours alone, or finds it; another's is left as it is.
fn private(folder: &Path) -> io::Result<()> {
    match owner::create_private_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => check_folder(folder),
        other => other,
    }
}

fn fits(path: &Path) -> bool {
    path.as_os_str().as_bytes().len() <= LONGEST
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// The same home, the same folder, in every life of its daemon: FNV-1a, for a name, not a proof.
fn number(path: &Path) -> u64 {
    let bytes = path.as_os_str().as_bytes();
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::{fs::PermissionsExt as _, net::UnixListener};

    #[test]
    fn s07_a_home_with_a_long_path_has_its_socket_in_a_private_folder() {
        let dir = tempfile::tempdir().unwrap();
        let near = Home::at(dir.path());
        assert_eq!(place(&near, &[]).unwrap(), near.socket_file());
        let far = Home::at(dir.path().join("x".repeat(120)));
        let short = vec![dir.path().to_owned()];
        let path = place(&far, &short).unwrap();
        assert!(fits(&path) && path.starts_with(dir.path()));
        assert_eq!(place(&far, &short).unwrap(), path, "every life finds it");
        assert!(is_place(&far, &path) && !is_place(&near, &path));
        assert!(is_place(&near, &near.socket_file()));
        let folder = path.parent().unwrap();
        let mode = folder.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).unwrap();
        let refused = place(&far, &short).unwrap_err().to_string();
        assert!(refused.contains("open to other users"), "{refused}");
        assert!(place(&far, &[]).is_err());
    }

    #[test]
    fn s08_only_a_socket_of_ours_in_a_folder_of_ours_is_spoken_to() {
        let dir = tempfile::tempdir().unwrap();
        let closed = std::fs::Permissions::from_mode(0o700);
        std::fs::set_permissions(dir.path(), closed).unwrap();
        let socket = dir.path().join("s");
        assert_eq!(check(&socket).unwrap_err().kind(), io::ErrorKind::NotFound);
        let _listener = UnixListener::bind(&socket).unwrap();
        check(&socket).unwrap();
        let link = dir.path().join("l");
        std::os::unix::fs::symlink(&socket, &link).unwrap();
        assert!(check(&link).unwrap_err().to_string().contains("no socket"));
        let file = dir.path().join("f");
        std::fs::File::create(&file).unwrap();
        assert!(check(&file).unwrap_err().to_string().contains("no socket"));
        let open = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(dir.path(), open).unwrap();
        assert!(check(&socket).is_err());
    }
}
