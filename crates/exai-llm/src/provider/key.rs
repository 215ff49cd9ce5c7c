//! What holds a key. Whoever sends requests reads it at the last moment; here are only names.

use serde::Deserialize;

/// What holds a key; exactly one of the three.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KeyRef {
    /// Variables, best first.
    pub env: Vec<String>,
    /// A file only its owner may read (0600); relative to the home.
    pub file: Option<String>,
    /// A command that prints it, with its arguments; run without a shell.
    pub command: Vec<String>,
}

impl KeyRef {
    /// Ways that are named: one is right.
    pub(super) fn ways(&self) -> usize {
        usize::from(!self.env.is_empty())
            + usize::from(self.file.is_some())
            + usize::from(!self.command.is_empty())
    }

    /// What to call it in a message.
    #[must_use]
    pub fn told(&self) -> String {
        match (&self.file, self.command.first()) {
            (Some(file), _) => format!("the file {file}"),
            (None, Some(program)) => format!("the output of '{program}'"),
            (None, None) => self.env.join(" or "),
        }
    }
}

/// Whether there is a key, as far as names tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyState {
    /// None is needed.
    NotNeeded,
    /// This variable holds one.
    Env(String),
    /// This file should hold one; nobody has looked.
    File(String),
    /// This command should print one; nobody has run it.
    Command(Vec<String>),
    /// One is needed, and none of these variables is set.
    Missing(Vec<String>),
}
