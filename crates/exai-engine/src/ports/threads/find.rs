//! Looking for conversations.

use exai_protocol::UnixMillis;
use serde::{Deserialize, Serialize};

/// A folder as conversations know it, however a client writes it: `file:///a%20b/` is `/a b`.
#[must_use]
pub fn workspace(root: &str) -> String {
    let path = match root.strip_prefix("file://") {
        Some(address) => percent_decoded(address.strip_prefix("localhost").unwrap_or(address)),
        None => root.to_owned(),
    };
    let short = path.trim_end_matches(['/', '\\']);
    if short.is_empty() {
        path
    } else {
        short.to_owned()
    }
}

/// What is no escape stays as it is.
fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let digit = |at: usize| char::from(*after.get(at)?).to_digit(16);
        let escaped = digit(0).zip(digit(1)).filter(|_| *first == b'%');
        let byte = escaped.and_then(|(high, low)| u8::try_from(high * 16 + low).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = &after[if byte.is_some() { 2 } else { 0 }..];
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

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

impl SearchQuery {
    /// Whether there is nothing in it to look for.
    #[must_use]
    pub fn is_wordless(&self) -> bool {
        !self.words.chars().any(char::is_alphanumeric)
    }
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

#[cfg(test)]
mod tests {
    use super::workspace;

    #[test]
    fn a_folder_is_the_same_however_it_is_written() {
        for (root, known) in [
            ("/work/a", "/work/a"),
            ("/work/a/", "/work/a"),
            ("file:///work/a", "/work/a"),
            ("file://localhost/work/a%20b/", "/work/a b"),
            ("file:///100%/x%zz", "/100%/x%zz"),
            ("/", "/"),
            ("", ""),
        ] {
            assert_eq!(workspace(root), known, "{root}");
        }
    }
}
