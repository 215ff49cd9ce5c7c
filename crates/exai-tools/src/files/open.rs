//! How a file below a root is opened so that nobody can put a link in its way while that
//! happens. A path is resolved and judged first; what is opened then is the resolved path, from
//! the root's own descriptor, with every link refused: one that appears in between is an error.

#[cfg(unix)]
mod by_descriptor;
#[cfg(not(unix))]
mod by_path;

#[cfg(unix)]
pub(super) use by_descriptor::Door;
#[cfg(not(unix))]
pub(super) use by_path::Door;

use std::{ffi::OsString, io};

/// What stands at a name; links are never followed to find out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A link, wherever it leads.
    Link,
    /// A pipe, a socket, a device.
    Other,
}

/// One name in a folder.
#[derive(Debug)]
pub(super) struct Named {
    pub(super) name: OsString,
    pub(super) kind: Kind,
}

/// What an open says that met a link where none had been.
const CHANGED: io::ErrorKind = io::ErrorKind::CrossesDevices;

/// For people. A link where none was a moment ago is no error of the disk.
pub(super) fn words_of(error: &io::Error) -> String {
    use io::ErrorKind as Kind;
    match error.kind() {
        Kind::NotFound => "there is no such file".to_owned(),
        Kind::PermissionDenied => "reading it is not permitted".to_owned(),
        CHANGED => "it changed while it was opened; try again".to_owned(),
        Kind::AlreadyExists => "it exists already, and nothing is overwritten".to_owned(),
        _ => format!("it cannot be read ({error})"),
    }
}
