//! Looking for conversations.

use exai_protocol::UnixMillis;
use serde::{Deserialize, Serialize};

/// Which conversations to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListQuery {
    /// Only those of one of these folders; empty: all.
    pub workspaces: Vec<String>,
    /// At most so many.
    pub most: usize,
}

/// What to look for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SearchQuery {
    /// Words as people write them; punctuation means nothing.
    pub words: String,
    /// Only in conversations of one of these folders; empty: in all.
    pub workspaces: Vec<String>,
    /// At most so many.
    pub most: usize,
}

/// A list of conversations.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listed {
    /// The last used ones.
    pub rows: Vec<ThreadRow>,
    /// How many there are.
    pub of: usize,
}

/// One conversation of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ThreadRow {
    /// Its id.
    pub id: String,
    /// What people call it.
    pub title: String,
    /// The folder it is about; empty where none was named.
    pub workspace: String,
    /// The tool that began it.
    pub tool: String,
    /// When it began.
    pub created_at: UnixMillis,
    /// When something was last said.
    pub touched_at: UnixMillis,
    /// Its turns.
    pub turns: u32,
    /// Its size.
    pub bytes: u64,
}

/// A turn that holds what was looked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Found {
    /// Its conversation.
    pub thread: ThreadRow,
    /// Its number there.
    pub turn: u32,
    /// The words with some of what is around them.
    pub snippet: String,
}
