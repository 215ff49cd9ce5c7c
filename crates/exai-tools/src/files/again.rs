//! Files of an earlier turn, sent again where they stood: those that still hold what they held
//! then. They are looked for and refused like any other file, because what a client may have
//! read changes too.

use super::{
    Fate, Fence,
    asked::Lines,
    roots::Places,
    texts::{self, OneRead, Piece, Read},
};
use exai_engine::{
    Folders,
    ports::threads::{Sent, SentKind},
};
use std::fmt::Write as _;

/// No loss: it is there.
const LATER: &str = "it stands in a later turn";

/// A file that stands whole in an earlier turn of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) path: String,
    pub(crate) sha256: String,
    pub(crate) turn: u32,
}

impl Known {
    pub(super) fn is(&self, read: &OneRead) -> bool {
        self.path == read.path && self.sha256 == read.sha256
    }
}

/// An earlier turn's files.
#[derive(Default)]
pub(crate) struct Again {
    /// Between their marks, as they were sent.
    pub(crate) text: String,
    /// Those that stand there whole.
    pub(crate) known: Vec<Known>,
    /// Those that do not stand there any more, each with the reason.
    pub(crate) missing: Vec<String>,
}

/// Reads them as far as `room` tokens go. What newer turns show already is not shown twice.
pub(crate) fn again(
    roots: &Folders,
    (turn, sent, mark): (u32, &[Sent], &str),
    mut room: u64,
    newer: &[Known],
) -> Again {
    let (places, fence) = (Places::of(roots), Fence::of(mark));
    let mut again = Again::default();
    for (at, file) in sent.iter().enumerate() {
        let number = at + 1;
        let why = match stands(&places, file, &fence, newer) {
            Err(why) => why,
            Ok(text) => {
                let piece = Piece {
                    name: file.name.clone(),
                    text: &text,
                    lines: lines_of(file),
                };
                let entry = texts::packed(piece, &mut room, &fence, number, &mut again.text);
                match entry.fate {
                    Fate::Refused(_) => "there is no room for it".to_owned(),
                    fate => {
                        if matches!(fate, Fate::Whole { .. }) {
                            again.known.push(Known {
                                path: file.path.clone(),
                                sha256: file.sha256.clone(),
                                turn,
                            });
                        }
                        continue;
                    }
                }
            }
        };
        let words = format!("file {number}: {}: NOT REPEATED: {why}", file.name);
        let _ = writeln!(again.text, "{}\n", fence.mark(&words));
        if why != LATER {
            again.missing.push(format!("{}: {why}", file.name));
        }
    }
    again
}

/// What it holds, if that is what it held; else why it is not repeated.
fn stands(places: &Places, file: &Sent, fence: &Fence, newer: &[Known]) -> Result<String, String> {
    match file.kind {
        SentKind::Picture => return Err("pictures are sent once".to_owned()),
        SentKind::Document => return Err("documents are sent once".to_owned()),
        SentKind::Text => {}
    }
    let same = |known: &&Known| known.path == file.path && known.sha256 == file.sha256;
    if newer.iter().find(same).is_some() {
        return Err(LATER.to_owned());
    }
    // Also of a large file whose lines were sent, so that it is read as far.
    let read = places
        .find(&file.path)
        .and_then(|found| texts::read(&found, lines_of(file), fence));
    match read {
        Ok(OneRead {
            sha256,
            read: Read::Text(text),
            ..
        }) if sha256 == file.sha256 => Ok(text),
        Ok(_) => Err("it has changed since".to_owned()),
        Err(why) => Err(why),
    }
}

/// The lines that were sent then.
fn lines_of(file: &Sent) -> Lines {
    let number = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    // What was kept before lines were counted from somewhere began at the first.
    let from = number(file.from).max(1);
    let to = from.saturating_add(number(file.lines)).saturating_sub(1);
    Lines { from, to }
}
