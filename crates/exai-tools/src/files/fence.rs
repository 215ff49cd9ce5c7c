//! The marks between which a file stands. They carry a code drawn for this call, so that no
//! file can hold the end of itself.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};

/// The code of one call.
pub(crate) struct Fence {
    code: String,
}

impl Fence {
    /// Draws one.
    pub(crate) fn new() -> Self {
        // The standard library seeds this from the system's randomness; one call's marks are
        // as hard to guess as its hash keys.
        let draw = || RandomState::new().build_hasher().finish();
        Self {
            code: format!("{:016x}", draw() ^ draw().rotate_left(32)),
        }
    }

    /// The one of an earlier call, whose files are sent again as they were.
    pub(crate) fn of(code: &str) -> Self {
        Self {
            code: code.to_owned(),
        }
    }

    /// Its code, to be kept with what it stands around.
    pub(crate) fn code(&self) -> &str {
        &self.code
    }

    /// A mark on a line of its own.
    pub(crate) fn mark(&self, words: &str) -> String {
        format!("<<{} {words}>>", self.code)
    }

    /// Whether a text holds the code, which nobody could know.
    pub(crate) fn is_in(&self, text: &str) -> bool {
        text.contains(&self.code)
    }
}
