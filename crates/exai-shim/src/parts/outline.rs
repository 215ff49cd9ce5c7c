//! What a reader of the first part should know of the others: what stands on which page, by the
//! answer's own headings, and how it ends. Nobody is asked for it, so it costs nothing.

use std::fmt::Write as _;

/// Bytes of one heading that are shown.
const HEADING: usize = 60;
/// The finest headings there are.
const FINEST: usize = 6;

/// One line for each page after the first, in at most so many bytes: its headings, the finest left
/// out where there are too many, or how it begins.
pub(super) fn of(pages: &[&str], most: usize) -> String {
    let found = found(pages);
    for level in (0..=FINEST).rev() {
        let lines = lines(pages, &found, level);
        if lines.len() <= most {
            return lines;
        }
    }
    // So many pages that not even their beginnings fit.
    String::new()
}

/// Each heading's page, level and words. What stands in a block of code is none.
fn found(pages: &[&str]) -> Vec<(usize, usize, String)> {
    let (mut found, mut in_code) = (Vec::new(), false);
    for (page, text) in pages.iter().enumerate() {
        for line in text.lines() {
            let line = line.trim_end();
            if line.trim_start().starts_with("```") {
                in_code = !in_code;
            }
            let words = line.trim_start_matches('#');
            let level = line.len() - words.len();
            if !in_code && (1..=FINEST).contains(&level) && words.starts_with(' ') {
                found.push((page, level, short(words)));
            }
        }
    }
    found
}

fn lines(pages: &[&str], found: &[(usize, usize, String)], finest: usize) -> String {
    let mut lines = String::new();
    for (page, text) in pages.iter().enumerate().skip(1) {
        let here = found
            .iter()
            .filter(|(at, level, _)| *at == page && *level <= finest);
        let here: Vec<&str> = here.map(|(_, _, words)| words.as_str()).collect();
        let _ = match (here.is_empty(), beginning(text)) {
            (false, _) => write!(lines, "\n- page {}: {}", page + 1, here.join("; ")),
            (true, Some(words)) => write!(lines, "\n- page {} begins: {words}", page + 1),
            (true, None) => Ok(()),
        };
    }
    lines
}

fn beginning(text: &str) -> Option<String> {
    let mut lines = text.lines().map(short);
    lines.find(|line| !line.is_empty())
}

fn short(words: &str) -> String {
    let words = words.trim();
    let kept = &words[..words.floor_char_boundary(HEADING)];
    let more = if kept.len() < words.len() { "…" } else { "" };
    format!("{}{more}", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_told_by_their_headings_or_how_they_begin() {
        let pages = [
            "# Review\n\nIt holds.\n",
            "## Findings\n### Critical\n```sh\n# no heading\n",
            "# none either\n```\n\nplain words\n",
            "#hashtag\n\n## Close\n",
            "",
        ];
        assert_eq!(
            of(&pages, 1000),
            "\n- page 2: Findings; Critical\n- page 3 begins: # none either\n- page 4: Close"
        );
    }

    #[test]
    fn where_room_is_tight_the_finest_headings_go_first() {
        let long = "word ".repeat(100);
        let page = format!("## Part\n### {long}\n### {long}\n");
        let pages = ["", page.as_str()];
        let all = of(&pages, 1000);
        assert!(all.contains("Part; word") && all.contains('…'), "{all}");
        assert_eq!(of(&pages, 40), "\n- page 2: Part");
        assert_eq!(of(&pages, 3), "");
        let many = vec!["plain ünd long enough"; 400];
        assert!(of(&many, 500).is_empty());
    }
}
