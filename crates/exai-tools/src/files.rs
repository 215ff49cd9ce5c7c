//! Files and pictures that leave the machine in a request to a model. Each one that was asked
//! for has an [`Entry`] that says what became of it: nothing is left out silently, because a
//! model that was not told invents what it did not see.

mod base64;
mod fence;
mod pictures;
mod place;
mod secrets;
mod texts;

#[cfg(test)]
mod tests;

pub(crate) use fence::Fence;

use exai_engine::ports::models::Image;
use place::Places;
use std::fmt;

/// Most files of one call.
const MOST_FILES: usize = 200;
/// Most pictures of one call; providers take few more.
const MOST_PICTURES: usize = 16;

/// What was asked for.
pub(crate) struct Wanted {
    /// The folders that may be read, as the client named them: paths or `file:` addresses.
    pub(crate) roots: Vec<String>,
    /// Text files.
    pub(crate) files: Vec<String>,
    /// Pictures: paths, `data:` or `https:` addresses.
    pub(crate) images: Vec<String>,
    /// Tokens the files may take together.
    pub(crate) tokens: u64,
}

/// What came of it.
pub(crate) struct Gathered {
    /// The files between their marks, ready to stand before the question; empty without files.
    pub(crate) text: String,
    /// The pictures that could be had.
    pub(crate) images: Vec<Image>,
    /// One for each file and picture, in the order in which they were asked for.
    pub(crate) entries: Vec<Entry>,
}

/// What became of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// As shown: below its root, without what could forge a line.
    pub(crate) name: String,
    /// What became of it.
    pub(crate) fate: Fate,
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
    /// Its beginning was sent.
    Cut {
        /// Lines sent.
        lines: usize,
        /// Lines there are.
        of: usize,
        /// About.
        tokens: u64,
    },
    /// A picture was sent.
    Picture(String),
    /// Nothing of it was sent, for this reason.
    Refused(String),
}

impl Entry {
    /// Whether anything of it was sent.
    pub(crate) fn sent(&self) -> bool {
        !matches!(self.fate, Fate::Refused(_))
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        match &self.fate {
            Fate::Whole { lines, tokens } => {
                write!(f, "{name}: whole, {lines} lines, about {tokens} tokens")
            }
            Fate::Cut { lines, of, tokens } => write!(
                f,
                "{name}: CUT, lines 1-{lines} of {of}, about {tokens} tokens"
            ),
            Fate::Picture(what) => write!(f, "{name}: {what}"),
            Fate::Refused(why) => write!(f, "{name}: NOT SENT, {why}"),
        }
    }
}

/// Reads everything. It waits for the disk: not for an event loop.
pub(crate) fn gather(wanted: &Wanted) -> Gathered {
    let places = Places::of(&wanted.roots);
    let fence = Fence::new();
    let mut entries = Vec::with_capacity(wanted.files.len() + wanted.images.len());
    let text = texts::gather(&places, &wanted.files, wanted.tokens, &fence, &mut entries);
    let images = pictures::gather(&places, &wanted.images, &mut entries);
    Gathered {
        text,
        images,
        entries,
    }
}

/// Tokens that text takes, about; on the high side for prose, right for code.
pub(crate) fn tokens_of(bytes: usize) -> u64 {
    (bytes as u64).div_ceil(3)
}

/// A name that stays on its line and inside its quotes.
fn plain(name: &str) -> String {
    const LONGEST: usize = 300;
    let mut plain: String = name
        .chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .take(LONGEST)
        .collect();
    if name.chars().nth(LONGEST).is_some() {
        plain.push('…');
    }
    plain
}
