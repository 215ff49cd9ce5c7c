//! Text files, with line numbers, between marks. What does not fit is cut at a line's end, and
//! the cut is said to the model as well as to the caller.

use super::{
    Entry, Fate, Fence, MOST_FILES, Wanted,
    asked::{Item, Lines, resolve},
    documents, notebook, pictures, plain,
    roots::{Found, Places},
    secrets, tokens_of,
    walk::Budget,
};
use exai_engine::ports::{
    models::Document,
    threads::{Sent, SentKind},
};
use sha2::{Digest as _, Sha256};
use std::{collections::HashMap, fmt::Write as _};

/// Larger files are no reading matter.
const MOST_BYTES: u64 = 1024 * 1024;
/// Unless some lines of them are asked for.
pub(super) const MOST_LINES_BYTES: u64 = 32 * 1024 * 1024;
/// Of all files of one call.
const MOST_TOGETHER: u64 = 64 * 1024 * 1024;
/// Less room than this is none.
const LEAST_ROOM: u64 = 4;

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
    /// What its form leaves out.
    pub(super) aside: String,
    bytes: u64,
}

/// Everything that was asked for, on its way into one text.
pub(super) struct Gathering<'w> {
    wanted: &'w Wanted,
    fence: &'w Fence,
    room: u64,
    bytes: u64,
    /// Where files stand that were sent whole.
    whole: HashMap<String, usize>,
    pub(super) text: String,
    /// One for each file.
    pub(super) entries: Vec<Entry>,
    /// Those that are no text.
    pub(super) documents: Vec<Document>,
    /// Those that were sent.
    pub(super) sent: Vec<Sent>,
}

impl<'w> Gathering<'w> {
    pub(super) fn new(wanted: &'w Wanted, fence: &'w Fence) -> Self {
        Self {
            wanted,
            fence,
            room: wanted.tokens,
            bytes: MOST_TOGETHER,
            whole: HashMap::new(),
            text: String::new(),
            entries: Vec::new(),
            documents: Vec::new(),
            sent: Vec::new(),
        }
    }

    /// All files, framed; an entry for each.
    pub(super) fn gather(&mut self, places: &Places) {
        let mut budget = Budget::default();
        for (at, asked) in self.wanted.files.iter().enumerate() {
            if at >= MOST_FILES {
                let why = format!("at most {MOST_FILES} files go into one call");
                self.keep(refused(plain(asked), why));
                continue;
            }
            for item in resolve(places, asked, &mut budget) {
                let entry = self.item(item, &budget);
                self.keep(entry);
            }
        }
    }

    fn keep(&mut self, entry: Entry) {
        let number = self.entries.len() + 1;
        let name = &entry.name;
        let words = match &entry.fate {
            Fate::Refused(why) => format!("file {number}: {name}: NOT INCLUDED: {why}"),
            Fate::Folder(words) => format!("{name}: {words}"),
            _ => String::new(),
        };
        if !words.is_empty() {
            let _ = writeln!(self.text, "{}\n", self.fence.mark(&words));
        }
        self.entries.push(entry);
    }

    fn item(&mut self, item: Item<'_>, budget: &Budget) -> Entry {
        match item {
            Item::Refused { name, why } => refused(name, why),
            Item::Passed { name, words } => Entry::new(name, Fate::Folder(words)),
            Item::File {
                found,
                lines,
                named,
            } => {
                let why = if self.bytes == 0 {
                    format!("at most {MOST_TOGETHER} bytes are read for one call")
                } else if budget.is_late() {
                    "the time for reading files is up".to_owned()
                } else if self.room < LEAST_ROOM {
                    "the files before it left no room for it".to_owned()
                } else {
                    return self.file(&found, lines, named);
                };
                refused(found.name, why)
            }
        }
    }

    fn file(&mut self, found: &Found<'_>, lines: Lines, named: bool) -> Entry {
        let number = self.entries.len() + 1;
        let name = found.name.clone();
        if lines.are_all()
            && let Some(first) = self.whole.get(&found.path())
        {
            return Entry::new(name, Fate::Twice(*first));
        }
        if !named && documents::is(&name) {
            return refused(
                name,
                "documents are sent only where they are named".to_owned(),
            );
        }
        let read = match read(found, lines, self.fence) {
            Ok(read) => read,
            Err(why) => return refused(name, why),
        };
        self.bytes = self.bytes.saturating_sub(read.bytes);
        let sha256 = read.sha256.clone();
        let known = self.wanted.known.iter().find(|known| known.is(&read));
        let entry = match known.filter(|_| lines.are_all()) {
            Some(known) => {
                let words = format!("file {number}: {name}: unchanged, it stands above");
                let _ = writeln!(self.text, "{}\n", self.fence.mark(&words));
                Entry::new(name, Fate::Above(known.turn))
            }
            None => self.send(read, lines, number),
        };
        Entry { sha256, ..entry }
    }

    /// As much of it as there is room for, and the note of that.
    fn send(&mut self, one: OneRead, lines: Lines, number: usize) -> Entry {
        let (entry, from, count, kind) = match one.read {
            Read::Text(text) => {
                let piece = Piece {
                    name: one.name,
                    text: &text,
                    lines,
                };
                let entry = packed(piece, &mut self.room, self.fence, number, &mut self.text);
                let (from, count) = match entry.fate {
                    Fate::Whole { lines, .. } => (1, lines),
                    Fate::Lines { from, to, .. } | Fate::Cut { from, to, .. } => {
                        (from, to + 1 - from)
                    }
                    _ => return entry,
                };
                if matches!(entry.fate, Fate::Whole { .. }) {
                    self.whole.insert(one.path.clone(), number);
                }
                (entry, from, count, SentKind::Text)
            }
            Read::Document(document) => {
                let fate = Fate::Document(document.bytes.len());
                self.documents.push(document);
                (Entry::new(one.name, fate), 1, 0, SentKind::Document)
            }
        };
        self.sent.push(Sent {
            path: one.path,
            name: entry.name.clone(),
            sha256: one.sha256,
            from: from as u64,
            lines: count as u64,
            kind,
        });
        Entry {
            aside: one.aside,
            ..entry
        }
    }
}

fn refused(name: String, why: String) -> Entry {
    Entry::new(name, Fate::Refused(why))
}

/// What a file holds, if it may be sent; else what is wrong.
pub(super) fn read(found: &Found<'_>, lines: Lines, fence: &Fence) -> Result<OneRead, String> {
    let made = |bytes: &[u8], read: Read, aside: String| OneRead {
        name: found.name.clone(),
        path: found.path(),
        sha256: fingerprint(bytes),
        read,
        aside,
        bytes: bytes.len() as u64,
    };
    if let Some(document) = documents::read(found) {
        let document = document?;
        let bytes = document.bytes.clone();
        return Ok(made(&bytes, Read::Document(document), String::new()));
    }
    let bytes = match lines.are_all() {
        true => found
            .read(MOST_BYTES)
            .map_err(|why| match why.contains("bytes") {
                true => format!("{why}; name some of its lines (path:1-400)"),
                false => why,
            })?,
        false => found.read(MOST_LINES_BYTES)?,
    };
    let mut text = decoded(bytes.clone())?;
    let mut aside = String::new();
    if notebook::is(&found.name) {
        (text, aside) = notebook::cells(&text)?;
    }
    match secret(&text, lines) {
        Some(why) => Err(why),
        None if fence.is_in(&text) => Err("it holds the mark of this call".to_owned()),
        None => Ok(made(&bytes, Read::Text(text), aside)),
    }
}

fn fingerprint(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

pub(super) fn decoded(bytes: Vec<u8>) -> Result<String, String> {
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

/// Looked for in what would be sent, and numbered as the file is.
fn secret(text: &str, lines: Lines) -> Option<String> {
    if lines.are_all() {
        return secrets::written(text);
    }
    // Lines before are empty, so that those that stay keep their numbers.
    let kept = text.lines().take(lines.to).enumerate();
    let kept = kept.map(|(at, line)| if at + 1 < lines.from { "" } else { line });
    let kept: Vec<&str> = kept.collect();
    secrets::written(&kept.join("\n"))
}

/// Lines of a text to be sent.
pub(super) struct Piece<'t> {
    pub(super) name: String,
    pub(super) text: &'t str,
    pub(super) lines: Lines,
}

/// As much of a piece as there is room for.
pub(super) fn packed(
    piece: Piece<'_>,
    room: &mut u64,
    fence: &Fence,
    number: usize,
    text: &mut String,
) -> Entry {
    let Piece {
        name,
        text: file,
        lines: asked,
    } = piece;
    let all = file.lines().count();
    if asked.from > all.max(1) {
        return refused(
            name,
            format!("it has {all} lines, and no line {}", asked.from),
        );
    }
    let (from, last) = (asked.from, asked.to.min(all));
    let width = all.to_string().len();
    let (mut body, mut to) = (String::new(), from - 1);
    for line in file.lines().take(last).skip(from - 1) {
        let before = body.len();
        let _ = writeln!(body, "{:>width$}| {line}", to + 1);
        if tokens_of(body.len()) > *room {
            body.truncate(before);
            break;
        }
        to += 1;
    }
    if to < from && all > 0 {
        return refused(name, "the files before it left no room for it".to_owned());
    }
    let tokens = tokens_of(body.len());
    *room -= tokens;
    let (fate, what) = if to < last {
        let what = format!("CUT: lines {from}-{to} of {all} follow");
        let of = all;
        (
            Fate::Cut {
                from,
                to,
                of,
                tokens,
            },
            what,
        )
    } else if from == 1 && to == all {
        (Fate::Whole { lines: all, tokens }, format!("{all} lines"))
    } else {
        let of = all;
        let what = format!("lines {from}-{to} of {all}, as asked");
        (
            Fate::Lines {
                from,
                to,
                of,
                tokens,
            },
            what,
        )
    };
    let begin = fence.mark(&format!("file {number}: {name}: {what}"));
    let end = fence.mark(&format!("end of file {number}"));
    let _ = writeln!(text, "{begin}\n{body}{end}\n");
    Entry::new(name, fate)
}
