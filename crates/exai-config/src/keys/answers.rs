//! The rows about how models answer.

use super::{Key, Kind, Reader::Daemon, key};

/// In the order of the generated files.
pub(super) const KEYS: &[Key] = &[key(
    "answers.locale",
    &["EXAI_LOCALE", "LOCALE"],
    "",
    Daemon,
    Kind::MaybeText {
        set: |s, v| s.answers.locale = v,
    },
    "The language answers are given in, such as de-DE; config/roles/language-LOCALE.md may say how.",
)];
