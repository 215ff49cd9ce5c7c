//! A wish that is work in a folder: for an agent that reads, and perhaps changes, files there by
//! itself, instead of answering from the words it is sent.

use std::path::PathBuf;

/// See the module.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Errand {
    /// Where it works.
    pub directory: PathBuf,
    /// Whether it may change files there; else it only reads.
    pub write: bool,
    /// The session of its own that it goes on with.
    pub session: Option<String>,
}
