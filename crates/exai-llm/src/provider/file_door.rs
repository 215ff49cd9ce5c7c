//! Where an endpoint takes files and gives their text, as data.

use serde::Deserialize;

/// The door for files.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FileDoor {
    /// Where files go, after the base URL; one file is `PATH/ID`, its text `PATH/ID/content`.
    pub path: String,
    /// The purpose that has their text extracted.
    pub purpose: String,
    /// The largest file it takes.
    pub max_bytes: u64,
    /// Whether the uploaded copy is deleted at the provider once its text is here.
    pub delete_after: bool,
}

impl Default for FileDoor {
    fn default() -> Self {
        Self {
            path: "/files".to_owned(),
            purpose: "file-extract".to_owned(),
            max_bytes: 100 * 1024 * 1024,
            delete_after: true,
        }
    }
}
