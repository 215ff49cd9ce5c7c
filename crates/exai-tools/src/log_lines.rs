//! What of a log goes into an answer: lines cut to a readable length, and never more than a
//! client can show. Clients cut long answers without saying so; we say so.

use std::fmt::Write as _;

/// Longest line shown, in characters.
const LINE: usize = 400;
/// Most bytes of log in one answer; below the smallest cap among clients (63 KiB).
const ANSWER: usize = 48 * 1024;

/// Cuts one line, at a character's edge, and marks the cut.
pub(crate) fn cut(line: &str) -> String {
    match line.char_indices().nth(LINE) {
        None => line.to_owned(),
        Some((at, _)) => format!("{}…", &line[..at]),
    }
}

/// Keeps the newest lines that fit, and counts the ones left out.
pub(crate) fn newest(mut lines: Vec<String>) -> (Vec<String>, usize) {
    let mut room = ANSWER;
    let fit = lines
        .iter()
        .rev()
        .take_while(|line| {
            let fits = line.len() < room;
            room = room.saturating_sub(line.len() + 1);
            fits
        })
        .count();
    let left_out = lines.len() - fit;
    (lines.split_off(left_out), left_out)
}

/// Lines under a heading, oldest first.
pub(crate) fn block(heading: &str, lines: Vec<String>) -> String {
    let (lines, left_out) = newest(lines);
    let mut text = heading.to_owned();
    if left_out > 0 {
        let _ = write!(
            text,
            " ({left_out} older lines left out: ask for fewer, or filter)"
        );
    }
    if lines.is_empty() {
        text.push_str("\n(none)");
    }
    for line in lines {
        text.push('\n');
        text.push_str(&line);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_is_cut_between_characters() {
        assert_eq!(cut("short"), "short");
        let long = cut(&"é".repeat(1000));
        assert_eq!(long.chars().count(), LINE + 1);
        assert!(long.ends_with('…'));
    }

    #[test]
    fn the_newest_lines_are_kept_and_the_rest_counted() {
        let lines: Vec<String> = (0..100).map(|n| format!("{n:01000}")).collect();
        let (kept, left_out) = newest(lines);
        assert_eq!(kept.len() + left_out, 100);
        assert!(kept.len() > 40 && kept.iter().map(|line| line.len() + 1).sum::<usize>() <= ANSWER);
        assert!(kept.last().unwrap().ends_with("99"));
    }

    #[test]
    fn an_empty_block_says_so() {
        assert_eq!(block("log", Vec::new()), "log\n(none)");
    }
}
