//! The folders a call may read in. Two lists, because only whoever opens files can say where a link
//! leads: what the client has open, and what the owner left of that for the client's key.

use std::{ops::Deref, sync::Arc};

/// What the client named; read as a list, it is that.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Folders {
    /// The folders the client's user has open, and those that are open for everybody.
    pub named: Arc<[String]>,
    /// Of these only what is below one of those. `None`: all of them; an empty list: nothing.
    pub within: Option<Arc<[String]>>,
}

impl Deref for Folders {
    type Target = [String];

    fn deref(&self) -> &[String] {
        &self.named
    }
}

impl From<Vec<String>> for Folders {
    fn from(named: Vec<String>) -> Self {
        Self {
            named: named.into(),
            within: None,
        }
    }
}
