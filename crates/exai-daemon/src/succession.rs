//! One daemon gives its home to the next while both run: the lock and the listening sockets
//! change hands and are never free, calls at work go on where they are, and whoever comes to
//! the new daemon for one of them hears of it there. Until the new one has said that it serves,
//! the old one can take everything back.
//!
//! The order: the heir asks, gets the descriptors, and makes itself ready; the elder takes no
//! more calls, waits until the journal knows all it took, and says "yours"; the heir publishes,
//! accepts and says "serving"; the elder sends its clients over and finishes its calls, whose
//! steps the heir writes.

pub(crate) mod giving;
pub(crate) mod link;
mod pass;
pub(crate) mod taking;
mod words;

use exai_config::Home;
use std::path::PathBuf;

/// Where heirs knock.
pub(crate) fn door_of(home: &Home) -> PathBuf {
    home.heir_socket()
}

/// Whether a daemon of this home would give it to an heir.
pub(crate) fn is_offered(home: &Home) -> bool {
    std::os::unix::net::UnixStream::connect(door_of(home)).is_ok()
}

/// Nobody is to knock any more.
pub(crate) fn close_door(home: &Home) {
    // What stays behind leads nowhere, and is replaced by the next daemon.
    let _ = std::fs::remove_file(door_of(home));
}
