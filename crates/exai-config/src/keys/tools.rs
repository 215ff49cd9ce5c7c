//! The rows about what of the tools a client sees.

use super::{Key, Kind, Reader::Both, key};

/// In the order of the generated files.
pub(super) const KEYS: &[Key] = &[key(
    "tools.profile",
    &["EXAI_TOOL_PROFILE", "TOOL_PROFILE"],
    "",
    Both,
    Kind::MaybeText {
        set: |s, v| s.tools.profile = v.unwrap_or_default(),
    },
    "The profile of tools of config/profiles.toml: lean, standard, full or one of your own. In a \
     window's environment it is that window's; unset: what config/profiles.toml says.",
)];
