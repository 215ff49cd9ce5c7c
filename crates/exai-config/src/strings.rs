//! Where named strings come from. Everything that reads a variable is given one of these, so
//! that parsing is pure, tests need no process environment, and the real one is read in one place.

use std::{collections::BTreeMap, path::PathBuf};

/// Named strings, such as environment variables.
pub trait Strings {
    /// The value of a name; an empty value is a value.
    fn get(&self, name: &str) -> Option<String>;

    /// All names.
    fn names(&self) -> Vec<String>;

    /// A path, which need not be Unicode; empty counts as absent.
    fn path(&self, name: &str) -> Option<PathBuf> {
        self.get(name)
            .filter(|text| !text.is_empty())
            .map(PathBuf::from)
    }
}

/// The environment of this process. Never written to.
#[derive(Debug, Clone, Copy, Default)]
pub struct ProcessEnv;

impl Strings for ProcessEnv {
    fn get(&self, name: &str) -> Option<String> {
        std::env::var_os(name).map(|text| text.to_string_lossy().into_owned())
    }

    fn names(&self) -> Vec<String> {
        std::env::vars_os()
            .filter_map(|(name, _)| name.into_string().ok())
            .collect()
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        std::env::var_os(name)
            .filter(|text| !text.is_empty())
            .map(PathBuf::from)
    }
}

impl Strings for BTreeMap<String, String> {
    fn get(&self, name: &str) -> Option<String> {
        BTreeMap::get(self, name).cloned()
    }

    fn names(&self) -> Vec<String> {
        self.keys().cloned().collect()
    }
}

/// A fixed set of strings, for tests and for reading a `.env` file as a layer.
#[must_use]
pub fn fixed<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_path_is_no_path() {
        let env = fixed([("A", ""), ("B", "/b")]);
        assert_eq!(env.path("A"), None);
        assert_eq!(env.path("B"), Some(PathBuf::from("/b")));
        assert_eq!(Strings::get(&env, "A").as_deref(), Some(""));
        assert_eq!(env.names(), ["A", "B"]);
    }

    #[test]
    fn the_process_environment_can_be_read() {
        assert!(
            ProcessEnv
                .names()
                .iter()
                .any(|name| name.eq_ignore_ascii_case("PATH"))
        );
        assert_eq!(ProcessEnv.get("EXAI_SURELY_NOT_SET"), None);
    }
}
