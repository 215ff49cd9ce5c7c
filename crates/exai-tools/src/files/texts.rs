//! Text files, with line numbers, between marks. What does not fit is cut at a line's end, and
//! the cut is said to the model as well as to the caller.

use super::{Entry, Fate, Fence, MOST_FILES, pictures, place::Places, plain, secrets, tokens_of};
use std::fmt::Write as _;

/// Larger files are no reading matter.
const MOST_BYTES: u64 = 1024 * 1024;

/// All files, framed; an entry for each.
pub(super) fn gather(
    places: &Places,
    asked: &[String],
    tokens: u64,
    fence: &Fence,
    entries: &mut Vec<Entry>,
) -> String {
    let mut text = String::new();
    let mut room = tokens;
    for (at, asked) in asked.iter().enumerate() {
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
            Ok((name, lines)) => packed(name, &lines, &mut room, fence, number, &mut text),
        };
        if let Fate::Refused(why) = &entry.fate {
            let words = format!("file {number}: {}: NOT INCLUDED: {why}", entry.name);
            let _ = writeln!(text, "{}\n", fence.mark(&words));
        }
        entries.push(entry);
    }
    text
}

fn refused(name: String, why: String) -> Entry {
    let fate = Fate::Refused(why);
    Entry { name, fate }
}

/// A file's name and its text; else its name and what is wrong.
fn one(places: &Places, asked: &str, fence: &Fence) -> Result<(String, String), (String, String)> {
    let found = places.find(asked).map_err(|why| (plain(asked), why))?;
    let read = || {
        let bytes = found.read(MOST_BYTES)?;
        let text = decoded(bytes)?;
        match secrets::written(&text) {
            Some(why) => Err(why),
            None if fence.is_in(&text) => Err("it holds the mark of this call".to_owned()),
            None => Ok(text),
        }
    };
    match read() {
        Ok(text) => Ok((found.name, text)),
        Err(why) => Err((found.name, why)),
    }
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

/// As much of a file as there is room for.
fn packed(
    name: String,
    file: &str,
    room: &mut u64,
    fence: &Fence,
    number: usize,
    text: &mut String,
) -> Entry {
    let all = file.lines().count();
    let width = all.to_string().len();
    let (mut body, mut lines) = (String::new(), 0);
    for line in file.lines() {
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
