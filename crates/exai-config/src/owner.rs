//! Whose a file is. The one place that asks the operating system about users and modes.

use std::{
    fs::{File, Metadata, OpenOptions},
    io,
    path::Path,
};

/// The other user's number, where a file is not ours.
#[cfg(unix)]
pub(crate) fn foreign(meta: &Metadata) -> Option<u32> {
    use std::os::unix::fs::MetadataExt;
    (meta.uid() != rustix::process::geteuid().as_raw()).then(|| meta.uid())
}

/// Windows: the profile directory's access list already keeps others out; not checked further.
#[cfg(not(unix))]
pub(crate) fn foreign(_: &Metadata) -> Option<u32> {
    None
}

/// Whether anybody but the owner may do anything with it.
#[cfg(unix)]
pub(crate) fn open_to_others(meta: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    meta.mode() & 0o077 != 0
}

/// See [`foreign`].
#[cfg(not(unix))]
pub(crate) fn open_to_others(_: &Metadata) -> bool {
    false
}

/// Sets permission bits; nothing to do where there are none.
#[cfg(unix)]
pub(crate) fn set_mode(file: &File, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(std::fs::Permissions::from_mode(mode))
}

/// See [`foreign`].
#[cfg(not(unix))]
pub(crate) fn set_mode(_: &File, _: u32) -> io::Result<()> {
    Ok(())
}

/// Opens for reading without following a symlink in the last place of the path.
pub(crate) fn open_no_follow(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        // Non-blocking, so that a FIFO put in the file's place cannot hold us.
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        options.custom_flags(flags.bits().cast_signed());
    }
    #[cfg(not(unix))]
    if std::fs::symlink_metadata(path)?.file_type().is_symlink() {
        return Err(io::Error::other("it is a symbolic link"));
    }
    options.open(path)
}

/// Creates one directory that is ours alone.
pub(crate) fn create_private_dir(path: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(path)
}

/// Takes a directory's permissions away from everybody else.
#[cfg(unix)]
pub(crate) fn close_dir(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700))
}

/// See [`foreign`].
#[cfg(not(unix))]
pub(crate) fn close_dir(_: &Path) -> io::Result<()> {
    Ok(())
}
