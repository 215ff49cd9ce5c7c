//! A `.env` file as named strings. Only the reader's iterator is used: the process environment
//! is never changed. A line's text is never shown, because it may hold a key.

use crate::{faults::Fault, file};
use std::{collections::BTreeMap, path::Path};

/// Larger files are no settings.
const MAX_BYTES: u64 = 1 << 20;

/// The strings, and the text they stand in.
pub(crate) struct Read {
    pub(crate) strings: BTreeMap<String, String>,
    pub(crate) text: String,
}

/// Reads the file; a later line wins. `None` when there is no file.
pub(crate) fn read(path: &Path, faults: &mut Vec<Fault>) -> Option<Read> {
    let mut fault = |line: Option<usize>, expected: String| {
        let place = match line {
            Some(line) => format!("{}:{line}", path.display()),
            None => path.display().to_string(),
        };
        faults.push(Fault {
            place,
            value: String::new(),
            expected,
        });
    };
    let text = match file::read_settings(path, MAX_BYTES) {
        Ok(text) => text?,
        Err(error) => {
            fault(None, format!("cannot be read: {error}"));
            return None;
        }
    };
    let mut strings = BTreeMap::new();
    // Without its newline, a last line that ends in a blank would count as cut off.
    for entry in dotenvy::from_read_iter(format!("{text}\n").as_bytes()) {
        match entry {
            Ok((name, value)) => drop(strings.insert(name, value)),
            Err(dotenvy::Error::LineParse(content, _)) => {
                let line = line_of(&text, &content);
                let whole = line.and_then(|line| text.lines().nth(line - 1));
                fault(line, remedy(whole.unwrap_or(&content)));
            }
            Err(error) => {
                fault(None, format!("cannot be read: {error}"));
                break;
            }
        }
    }
    Some(Read { strings, text })
}

/// What to do about a line that cannot be read; its value is never shown.
fn remedy(content: &str) -> String {
    let named = content
        .trim_start()
        .trim_start_matches("export ")
        .split_once('=')
        .map(|(name, value)| (name.trim(), value.trim()));
    let is_name = |name: &str| {
        !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    match named {
        Some((name, value)) if is_name(name) && value.contains(' ') => format!(
            "the value of {name} holds a blank and is not quoted; write {name}=\"…\", with \
             double quotes around the whole value"
        ),
        _ => "this line cannot be read; expected NAME=value, in quotes if it holds blanks, \
              quotes, `$` or `#`"
            .to_owned(),
    }
}

/// The line on which a name is last given a value, which is the one that counts.
pub(crate) fn line_of_name(text: &str, name: &str) -> Option<usize> {
    let gives = |line: &str| {
        let line = line.trim_start_matches('\u{feff}').trim_start();
        let line = line.strip_prefix("export ").unwrap_or(line);
        line.split_once('=')
            .is_some_and(|(found, _)| found.trim() == name)
    };
    let last = text
        .lines()
        .enumerate()
        .filter(|(_, line)| gives(line))
        .last()?;
    Some(last.0 + 1)
}

/// The line that could not be read: the reader tells all of it, or only its value.
fn line_of(text: &str, content: &str) -> Option<usize> {
    let first = content.lines().next()?.trim();
    let is_it = |line: &str| {
        let value = line.split_once('=').map(|(_, value)| value.trim());
        line.trim() == first || value == Some(first)
    };
    text.lines().position(is_it).map(|index| index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &[u8]) -> (Option<BTreeMap<String, String>>, Vec<Fault>) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".env");
        crate::atomic::write(&path, text, 0o600).unwrap();
        let mut faults = Vec::new();
        (read(&path, &mut faults).map(|read| read.strings), faults)
    }

    #[test]
    fn names_quotes_comments_and_marks() {
        let (strings, faults) = read_text(
            "\u{feff}A=1\r\n# note\nexport B=\"two words\" # why\nC='$A'\nA=3\nD= \nE=x "
                .as_bytes(),
        );
        let strings = strings.unwrap();
        assert!(faults.is_empty(), "{faults:?}");
        assert_eq!(strings["A"], "3");
        assert_eq!(strings["B"], "two words");
        assert_eq!(strings["C"], "$A");
        assert_eq!(strings["E"], "x");
    }

    #[test]
    fn a_broken_line_is_numbered_and_its_text_is_kept_back() {
        let (strings, faults) = read_text(b"A=1\nTOKEN sk-very-secret\nB=2\n");
        assert_eq!(strings.unwrap()["B"], "2");
        assert_eq!(faults.len(), 1);
        let shown = faults[0].to_string();
        assert!(
            shown.contains(".env:2: ") && !shown.contains("sk-very"),
            "{shown}"
        );
    }

    #[test]
    fn an_unquoted_blank_is_told_with_its_line_and_its_cure() {
        let (strings, faults) = read_text(b"A=1\nHOSTS=x-private, y\nB=2\n");
        assert_eq!(strings.unwrap()["B"], "2");
        let shown = faults[0].to_string();
        assert!(
            shown.contains(".env:2: ") && shown.contains("write HOSTS=\"…\""),
            "{shown}"
        );
        assert!(
            !shown.contains("x-private") && faults.len() == 1,
            "{faults:?}"
        );
    }

    #[test]
    fn the_line_that_counts_is_the_last() {
        let text = "\u{feff}A=1\nexport B=2\n# A=3\nA = 4\n";
        assert_eq!(line_of_name(text, "A"), Some(4));
        assert_eq!(line_of_name(text, "B"), Some(2));
        assert_eq!(line_of_name(text, "C"), None);
    }

    #[test]
    fn garbage_is_a_fault_and_not_a_panic() {
        let (strings, faults) = read_text(&[0xff, 0xfe, 0, 1, 2]);
        assert!(strings.is_none());
        assert!(faults[0].to_string().contains("not UTF-8"), "{faults:?}");
        let (_, faults) = read_text("=\n\"\n'\n\\".as_bytes());
        assert!(!faults.is_empty());
    }

    #[test]
    fn no_file_is_no_fault() {
        let mut faults = Vec::new();
        assert!(read(Path::new("/surely/not/here/.env"), &mut faults).is_none());
        assert!(faults.is_empty());
    }
}
