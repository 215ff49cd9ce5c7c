//! Places in files as people and models write them in prose: `src/a.rs:12`, `a.rs:12-20`,
//! `src/a.rs#L12`. What is no file (an address with a port, a time) is no citation.

use std::fmt;

/// A file, and perhaps lines of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Citation {
    pub(super) path: String,
    /// First and last.
    pub(super) lines: Option<(u64, u64)>,
}

impl fmt::Display for Citation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.lines {
            None => write!(f, "{}", self.path),
            Some((from, to)) if from == to => write!(f, "{}:{from}", self.path),
            Some((from, to)) => write!(f, "{}:{from}-{to}", self.path),
        }
    }
}

/// Endings of hosts rather than of files.
const HOSTS: &[&str] = &["com", "org", "net", "io", "dev", "local", "localhost"];

/// Those of a text that name a line.
pub(super) fn citations(text: &str) -> Vec<Citation> {
    text.split(|c: char| c.is_whitespace() || "()[]{}<>\"'`,;|*".contains(c))
        .filter_map(one)
        .collect()
}

fn one(word: &str) -> Option<Citation> {
    if word.contains("://") {
        return None;
    }
    let word = word.trim_end_matches(['.', ':', '!', '?']);
    let (path, lines) = match word.split_once("#L") {
        Some((path, lines)) => (path, range(lines)?),
        None => at_colon(word)?,
    };
    let name = path.rsplit(['/', '\\']).next()?;
    let ending = name.rsplit_once('.').map(|(_, ending)| ending);
    let named = match ending {
        Some(ending) => {
            ending.starts_with(|c: char| c.is_ascii_alphabetic()) && !HOSTS.contains(&ending)
        }
        // A Makefile somewhere.
        None => path.contains('/') && !name.is_empty(),
    };
    let plain = path
        .chars()
        .all(|c| !c.is_control() && c != ':' || c == ':' && drive(path));
    (named && plain).then(|| Citation {
        path: path.to_owned(),
        lines: Some(lines),
    })
}

/// `C:\a.rs`.
fn drive(path: &str) -> bool {
    path.as_bytes().get(1) == Some(&b':') && path.matches(':').count() == 1
}

/// `path:12`, `path:12-20`, `path:12:5` (line and column).
fn at_colon(word: &str) -> Option<(&str, (u64, u64))> {
    let (before, last) = word.rsplit_once(':')?;
    let lines = range(last)?;
    if let Some((path, line)) = before.rsplit_once(':')
        && let Some(line) = range(line)
    {
        return Some((path, line));
    }
    Some((before, lines))
}

/// `12`, `12-20`, `12-L20`.
fn range(text: &str) -> Option<(u64, u64)> {
    let (from, to) = text.split_once(['-', '–']).unwrap_or((text, text));
    let number = |text: &str| text.trim_start_matches('L').parse::<u64>().ok();
    Some((number(from)?, number(to)?))
}

#[cfg(test)]
mod tests {
    use super::citations;

    fn found(text: &str) -> Vec<String> {
        citations(text).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn places_are_found_in_prose() {
        let text =
            "See src/a.rs:12, (lib/b.py:3-9). `c.ts#L7-L8` and D.java:10:4; tools/Makefile:2: yes";
        let places = [
            "src/a.rs:12",
            "lib/b.py:3-9",
            "c.ts:7-8",
            "D.java:10",
            "tools/Makefile:2",
        ];
        assert_eq!(found(text), places);
    }

    #[test]
    fn other_colons_are_no_places() {
        let text = "http://host:80/a.rs:1 127.0.0.1:8765 localhost:80 at 12:30, std::fs a: 3 x:y example.com:443 std::a::b:4";
        assert_eq!(found(text), Vec::<String>::new());
    }
}
