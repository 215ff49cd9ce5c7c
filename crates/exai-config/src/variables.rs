//! Variables that are no settings of ours: the keys and addresses of providers, by the names
//! their owners use everywhere. Read from `.env` in the home and from the environment, which
//! wins; handed to nobody but whoever asks by name, and never shown.

use crate::strings::{ProcessEnv, Strings};
use std::collections::BTreeMap;

/// Names and values; has no way to be printed.
#[derive(Clone, Default)]
pub struct Variables {
    file: BTreeMap<String, String>,
}

impl Variables {
    /// Values of a file that the environment overrides.
    pub(crate) fn beneath(&mut self, strings: BTreeMap<String, String>) {
        self.file.extend(strings);
    }

    /// The value of a name, where it is set to anything.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<String> {
        let said = |value: &String| !value.trim().is_empty();
        let environment = Strings::get(&ProcessEnv, name).filter(said);
        environment.or_else(|| Strings::get(&self.file, name).filter(said))
    }
}

impl std::fmt::Debug for Variables {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Variables({} in files)", self.file.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_beneath_the_environment_and_neither_is_shown() {
        let mut variables = Variables::default();
        let pairs = [
            ("EXAI_TEST_KEY", "secret-1"),
            ("PATH", "nowhere"),
            ("E", " "),
        ];
        variables.beneath(crate::strings::fixed(pairs));
        assert_eq!(variables.get("EXAI_TEST_KEY").as_deref(), Some("secret-1"));
        assert_ne!(variables.get("PATH").as_deref(), Some("nowhere"));
        assert_eq!(variables.get("E"), None);
        assert_eq!(variables.get("EXAI_SURELY_NOT_SET"), None);
        assert!(!format!("{variables:?}").contains("secret"));
    }
}
