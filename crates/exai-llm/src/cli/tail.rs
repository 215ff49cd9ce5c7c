//! The last words of a command line, bounded, without colours and keys.

use crate::fault::scrub;

const MOST_BYTES: usize = 16 * 1024;
const MOST_LINES: usize = 8;
/// What fits into a message beside what we say ourselves.
const MOST_CHARS: usize = 360;

/// What came last.
#[derive(Default)]
pub(super) struct Tail(Vec<u8>);

impl Tail {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
        // Cut seldom, so that a flood costs no more than its length.
        if self.0.len() > 2 * MOST_BYTES {
            self.0.drain(..self.0.len() - MOST_BYTES);
        }
    }

    /// Its last lines, on one line.
    pub(super) fn words(&self, secrets: &[String]) -> String {
        let text = plain(&String::from_utf8_lossy(&self.0));
        let lines: Vec<&str> = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .collect();
        let last = &lines[lines.len().saturating_sub(MOST_LINES)..];
        let joined = last.join(" | ");
        let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
        // Keys go first: a cut key would not be recognised.
        let mut clean = joined;
        for secret in secrets.iter().filter(|secret| secret.len() >= 4) {
            clean = clean.replace(secret, "[key]");
        }
        let skip = clean.chars().count().saturating_sub(MOST_CHARS);
        let end: String = clean.chars().skip(skip).collect();
        let cut = if skip > 0 { "…" } else { "" };
        scrub(&format!("{cut}{end}"), &secrets)
    }
}

/// Without escape sequences and other control characters.
fn plain(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\u{1b}' => match letters.next() {
                Some('[') => {
                    letters.by_ref().find(|end| ('@'..='~').contains(end));
                }
                Some(']') => {
                    letters
                        .by_ref()
                        .find(|end| matches!(end, '\u{7}' | '\u{1b}'));
                }
                _ => {}
            },
            '\n' | '\t' => clean.push(letter),
            '\r' => clean.push('\n'),
            letter if letter.is_control() => {}
            letter => clean.push(letter),
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_kept_without_colours_and_keys() {
        let mut tail = Tail::default();
        for line in 0..20_000 {
            tail.push(format!("\u{1b}[31mline {line}\u{1b}[0m\r\n").as_bytes());
            assert!(tail.0.len() <= 2 * MOST_BYTES);
        }
        tail.push(b"\n\nbad canary-key and sk-abcdefghijkl\n");
        let words = tail.words(&["canary-key".to_owned()]);
        assert!(
            words.contains("line 19999 | bad [key] and [key]"),
            "{words}"
        );
        assert!(!words.contains('\u{1b}') && words.chars().count() <= 400);
    }
}
