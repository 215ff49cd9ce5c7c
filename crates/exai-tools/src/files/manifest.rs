//! What became of everything that was asked for: an entry for each, and their sums. Whoever
//! reads an answer can tell from it what the model saw, and a program can check that nothing is
//! missing.

use serde_json::{Value, json};
use std::fmt;

/// What became of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// As shown: below its root, without what could forge a line.
    pub(crate) name: String,
    /// SHA-256 of the whole file, in hex; empty where it was not read.
    pub(crate) sha256: String,
    /// What became of it.
    pub(crate) fate: Fate,
    /// What a form of its own leaves out, such as a notebook's outputs.
    pub(crate) aside: String,
}

/// What became of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Sent whole.
    Whole {
        /// Its lines.
        lines: usize,
        /// About.
        tokens: u64,
    },
    /// The lines that were asked for were sent.
    Lines {
        /// The first.
        from: usize,
        /// The last.
        to: usize,
        /// Lines there are.
        of: usize,
        /// About.
        tokens: u64,
    },
    /// The beginning of what was asked for was sent.
    Cut {
        /// The first line sent.
        from: usize,
        /// The last.
        to: usize,
        /// Lines there are.
        of: usize,
        /// About.
        tokens: u64,
    },
    /// Handed whole, with its size in bytes, to a provider that reads it.
    Document(usize),
    /// A picture was sent.
    Picture(String),
    /// It stands, unchanged, in this earlier turn.
    Above(u32),
    /// It stands in this request already, as the file of this number.
    Twice(usize),
    /// No file: how a folder or a pattern was gone through.
    Folder(String),
    /// Nothing of it was sent, for this reason.
    Refused(String),
}

impl Entry {
    /// Without a fingerprint.
    pub(crate) fn new(name: String, fate: Fate) -> Self {
        Self {
            name,
            sha256: String::new(),
            fate,
            aside: String::new(),
        }
    }

    /// Whether anything of it was sent.
    pub(crate) fn sent(&self) -> bool {
        !matches!(self.fate, Fate::Refused(_) | Fate::Folder(_))
    }

    /// Whether it was sent as it was asked for, and there is nothing to say about it.
    pub(crate) fn is_whole(&self) -> bool {
        self.sent() && !matches!(self.fate, Fate::Cut { .. })
    }

    /// The same for a program.
    pub(crate) fn facts(&self) -> Value {
        let (fate, why) = match &self.fate {
            Fate::Cut { .. } => ("cut", Some("it did not fit".to_owned())),
            Fate::Refused(why) => ("omitted", Some(why.clone())),
            Fate::Folder(words) => ("folder", Some(words.clone())),
            Fate::Above(turn) => ("included", Some(format!("in turn {turn}, unchanged"))),
            Fate::Twice(number) => ("included", Some(format!("as file {number}"))),
            _ => ("included", None),
        };
        let lines = match self.fate {
            Fate::Whole { lines, .. } => Some([1.min(lines), lines]),
            Fate::Lines { from, to, .. } | Fate::Cut { from, to, .. } => Some([from, to]),
            _ => None,
        };
        let sha256 = Some(&self.sha256).filter(|hash| !hash.is_empty());
        let aside = Some(&self.aside).filter(|aside| !aside.is_empty());
        json!({
            "path": self.name, "sha256": sha256, "tokens": self.tokens(), "fate": fate,
            "lines": lines, "why": why, "aside": aside, "told": self.to_string(),
        })
    }

    fn tokens(&self) -> u64 {
        match self.fate {
            Fate::Whole { tokens, .. } | Fate::Lines { tokens, .. } | Fate::Cut { tokens, .. } => {
                tokens
            }
            _ => 0,
        }
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        match &self.fate {
            Fate::Whole { lines, tokens } => {
                let unit = if *lines == 1 { "line" } else { "lines" };
                write!(f, "{name}: whole, {lines} {unit}, about {tokens} tokens")
            }
            Fate::Lines {
                from,
                to,
                of,
                tokens,
            } => write!(
                f,
                "{name}: lines {from}-{to} of {of}, as asked, about {tokens} tokens"
            ),
            Fate::Cut {
                from,
                to,
                of,
                tokens,
            } => write!(
                f,
                "{name}: CUT, lines {from}-{to} of {of}, about {tokens} tokens"
            ),
            Fate::Document(bytes) => {
                write!(f, "{name}: whole, {bytes} bytes, read by the provider")
            }
            Fate::Picture(what) => write!(f, "{name}: {what}"),
            Fate::Above(turn) => write!(f, "{name}: unchanged since turn {turn}, sent once"),
            Fate::Twice(number) => write!(f, "{name}: asked for twice, sent as file {number}"),
            Fate::Folder(words) => write!(f, "{name}: {words}"),
            Fate::Refused(why) => write!(f, "{name}: NOT SENT, {why}"),
        }?;
        if self.aside.is_empty() {
            return Ok(());
        }
        write!(f, ", {}", self.aside)
    }
}

/// The sums: `included + cut + omitted` is what was asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Packing {
    /// Files and pictures there were to send; folders and patterns count as their files.
    pub(crate) asked: usize,
    /// Sent as asked.
    pub(crate) included: usize,
    /// Sent in part.
    pub(crate) cut: usize,
    /// Not sent.
    pub(crate) omitted: usize,
    /// Tokens of the text that was sent, about.
    pub(crate) tokens: u64,
}

impl Packing {
    pub(crate) fn of(entries: &[Entry]) -> Self {
        let mut sums = Self::default();
        for entry in entries {
            match entry.fate {
                Fate::Folder(_) => continue,
                Fate::Refused(_) => sums.omitted += 1,
                Fate::Cut { .. } => sums.cut += 1,
                _ => sums.included += 1,
            }
            sums.asked += 1;
            sums.tokens += entry.tokens();
        }
        sums
    }

    /// The same for a program.
    pub(crate) fn facts(&self) -> Value {
        json!({
            "asked": self.asked, "included": self.included, "cut": self.cut,
            "omitted": self.omitted, "tokens": self.tokens,
        })
    }
}

impl fmt::Display for Packing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} asked for = {} included + {} cut + {} omitted, about {} tokens",
            self.asked, self.included, self.cut, self.omitted, self.tokens
        )
    }
}
