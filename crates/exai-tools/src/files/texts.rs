//! Text files, with line numbers, between marks. What does not fit is cut at a line's end, and
//! the cut is said to the model as well as to the caller.

use super::{
    Entry, Fate, Fence, MOST_FILES, Wanted, documents, pictures, place::Places, plain, secrets,
    tokens_of,
};
use exai_engine::ports::{
    models::Document,
    threads::{Sent, SentKind},
};
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;

/// Larger files are no reading matter.
const MOST_BYTES: u64 = 1024 * 1024;

/// What is told of the files besides their text.
pub(super) struct Said<'a> {
    /// One for each.
    pub(super) entries: &'a mut Vec<Entry>,
    /// Those that are no text.
    pub(super) documents: &'a mut Vec<Document>,
    /// Those that were sent.
    pub(super) sent: &'a mut Vec<Sent>,
}

/// A file that may be sent.
pub(super) enum Read {
    Text(String),
    Document(Document),
}

/// A file with where it is, what it holds and the fingerprint of that.
pub(super) struct OneRead {
    pub(super) name: String,
    pub(super) path: String,
    pub(super) sha256: String,
    pub(super) read: Read,
}

/// All files, framed; an entry for each.
pub(super) fn gather(
    places: &Places,
    wanted: &Wanted,
    fence: &Fence,
    said: &mut Said<'_>,
) -> String {
    let mut text = String::new();
    let mut room = wanted.tokens;
    for (at, asked) in wanted.files.iter().enumerate() {
        let number = at + 1;
        let read = if at < MOST_FILES {
            one(places, asked, fence)
        } else {
            Err((
                plain(asked),
                format!("at most {MOST_FILES} files go into one call"),
            ))
        };
        let entry = match read {
            Err((name, why)) => refused(name, why),
            Ok(read) => match wanted.known.iter().find(|known| known.is(&read)) {
                Some(known) => above(read.name, known.turn, fence, number, &mut text),
                None => sent(read, &mut room, fence, number, &mut text, said),
            },
        };
        if let Fate::Refused(why) = &entry.fate {
            let words = format!("file {number}: {}: NOT INCLUDED: {why}", entry.name);
            let _ = writeln!(text, "{}\n", fence.mark(&words));
        }
        said.entries.push(entry);
    }
    text
}

fn above(name: String, turn: u32, fence: &Fence, number: usize, text: &mut String) -> Entry {
    let words = format!("file {number}: {name}: unchanged, it stands above");
    let _ = writeln!(text, "{}\n", fence.mark(&words));
    let fate = Fate::Above(turn);
    Entry { name, fate }
}

/// As much of it as there is room for, and the note of that.
fn sent(
    one: OneRead,
    room: &mut u64,
    fence: &Fence,
    number: usize,
    text: &mut String,
    said: &mut Said<'_>,
) -> Entry {
    let (entry, lines, kind) = match one.read {
        Read::Text(file) => {
            let entry = packed(one.name, &file, (room, usize::MAX), fence, number, text);
            let lines = match entry.fate {
                Fate::Whole { lines, .. } | Fate::Cut { lines, .. } => lines,
                _ => return entry,
            };
            (entry, lines, SentKind::Text)
        }
        Read::Document(document) => {
            let fate = Fate::Document(document.bytes.len());
            said.documents.push(document);
            let name = one.name;
            (Entry { name, fate }, 0, SentKind::Document)
        }
    };
    said.sent.push(Sent {
        path: one.path,
        name: entry.name.clone(),
        sha256: one.sha256,
        lines: lines as u64,
        kind,
    });
    entry
}

fn refused(name: String, why: String) -> Entry {
    let fate = Fate::Refused(why);
    Entry { name, fate }
}

/// A file and what it holds; else its name and what is wrong.
pub(super) fn one(
    places: &Places,
    asked: &str,
    fence: &Fence,
) -> Result<OneRead, (String, String)> {
    let found = places.find(asked).map_err(|why| (plain(asked), why))?;
    let path = found.path();
    let made = |name: String, bytes: &[u8], read: Read| OneRead {
        name,
        path,
        sha256: fingerprint(bytes),
        read,
    };
    if let Some(document) = documents::read(&found) {
        return match document {
            Ok(document) => {
                let bytes = document.bytes.clone();
                Ok(made(found.name, &bytes, Read::Document(document)))
            }
            Err(why) => Err((found.name, why)),
        };
    }
    let read = || {
        let bytes = found.read(MOST_BYTES)?;
        let text = decoded(bytes.clone())?;
        match secrets::written(&text) {
            Some(why) => Err(why),
            None if fence.is_in(&text) => Err("it holds the mark of this call".to_owned()),
            None => Ok((bytes, text)),
        }
    };
    match read() {
        Ok((bytes, text)) => Ok(made(found.name, &bytes, Read::Text(text))),
        Err(why) => Err((found.name, why)),
    }
}

fn fingerprint(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

fn decoded(bytes: Vec<u8>) -> Result<String, String> {
    if let Some(kind) = pictures::kind_of(&bytes) {
        return Err(format!("it is a picture ({kind}); name it in 'images'"));
    }
    let bytes = match bytes.strip_prefix(b"\xef\xbb\xbf") {
        Some(text) => text.to_vec(),
        None if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") => {
            return Err("it is UTF-16; save it as UTF-8".to_owned());
        }
        None => bytes,
    };
    if bytes.contains(&0) {
        return Err("it is binary".to_owned());
    }
    String::from_utf8(bytes).map_err(|_| "it is not UTF-8 text".to_owned())
}

/// As much of a file as there is room for, and no more than so many lines.
pub(super) fn packed(
    name: String,
    file: &str,
    (room, most): (&mut u64, usize),
    fence: &Fence,
    number: usize,
    text: &mut String,
) -> Entry {
    let all = file.lines().count();
    let width = all.to_string().len();
    let (mut body, mut lines) = (String::new(), 0);
    for line in file.lines().take(most) {
        let before = body.len();
        let _ = writeln!(body, "{:>width$}| {line}", lines + 1);
        if tokens_of(body.len()) > *room {
            body.truncate(before);
            break;
        }
        lines += 1;
    }
    if lines == 0 && all > 0 {
        return refused(name, "the files before it left no room for it".to_owned());
    }
    let tokens = tokens_of(body.len());
    *room -= tokens;
    let fate = if lines == all {
        Fate::Whole { lines, tokens }
    } else {
        Fate::Cut {
            lines,
            of: all,
            tokens,
        }
    };
    let what = match fate {
        Fate::Cut { .. } => format!("CUT: lines 1-{lines} of {all} follow"),
        _ => format!("{lines} lines"),
    };
    let begin = fence.mark(&format!("file {number}: {name}: {what}"));
    let end = fence.mark(&format!("end of file {number}"));
    let _ = writeln!(text, "{begin}\n{body}{end}\n");
    Entry { name, fate }
}
