//! What ends a shim: a signal, or a parent that is gone. (stdin and stdout are watched by those
//! who use them.) The daemon is not on this list.

#[cfg(unix)]
#[path = "lifecycle/unix.rs"]
mod os;
#[cfg(windows)]
#[path = "lifecycle/windows.rs"]
mod os;

pub(crate) use os::{parent_gone, signal};

/// Why a shim ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The client closed our stdin.
    StdinEnded,
    /// The client closed our stdout.
    StdoutClosed,
    /// The process that started us is gone.
    ParentGone,
    /// Somebody asked us to go.
    Signal(&'static str),
}
