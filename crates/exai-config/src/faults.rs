//! What is wrong with the settings: all of it at once, each fault with where it stands, what
//! stands there and what is allowed, so that one look and one edit are enough.

use crate::Loaded;
use std::fmt;

/// One wrong thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// File and key, variable, or flag.
    pub place: String,
    /// What stands there, fit to be shown; empty where the place itself cannot be read.
    pub value: String,
    /// What is wrong, or what would be allowed.
    pub expected: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.value.is_empty() {
            return write!(f, "{}: {}", self.place, self.expected);
        }
        write!(
            f,
            "{}: `{}` is not allowed; expected {}",
            self.place, self.value, self.expected
        )
    }
}

/// Everything that is wrong. The daemon refuses to start; the shim, which must outlive any
/// mistake in a file, goes on with [`Faults::rest`] and says so.
pub struct Faults {
    /// Never empty.
    pub faults: Vec<Fault>,
    /// The settings as if the wrong values were not there.
    pub rest: Box<Loaded>,
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, plural) = (
            self.faults.len(),
            if self.faults.len() == 1 { "" } else { "s" },
        );
        write!(f, "{count} setting{plural} cannot be used:")?;
        for fault in &self.faults {
            write!(f, "\n  {fault}")?;
        }
        Ok(())
    }
}

/// As for people: the settings beside the faults hold the token.
impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Faults {}

/// Cuts a value for a message.
pub(crate) fn short(value: &str) -> String {
    let cut: String = value
        .chars()
        .take(80)
        .flat_map(char::escape_debug)
        .collect();
    if value.chars().count() > 80 {
        format!("{cut}…")
    } else {
        cut
    }
}
