//! The rows about files that go to models.

use super::{Key, Kind, Reader::Daemon, key};

/// In the order of the generated files.
pub(super) const KEYS: &[Key] = &[key(
    "files.roots",
    &["EXAI_FILE_ROOTS", "EX_ALLOWED_EXTERNAL_PREFIXES"],
    "",
    Daemon,
    Kind::Names {
        set: |s, v| s.files.roots = v,
    },
    "Folders whose files may be sent for every client, besides those it has open.",
)];
