//! A table as a terminal shows it: columns that line up, within the terminal's width. What does
//! not fit into a cell goes on below itself; nothing is cut.

use super::{DIM, RESET};

/// Between two columns.
const GAP: usize = 3;
/// No column is made narrower to fit; where that does not help, the table stays as it was written.
const LEAST: usize = 4;

/// On which side of its column a cell stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Left,
    Middle,
    Right,
}

/// A letter and the terminal's codes that are in force at it.
type Letter = (char, String);

/// The lines of a table, header first; `None` where they are none, or cannot fit. `shown` is how
/// a cell's own marks are shown, and whether it is of the header.
pub(super) fn rendered(
    lines: &[String],
    width: usize,
    shown: impl Fn(&str, bool) -> String,
) -> Option<Vec<String>> {
    let [head, rule, body @ ..] = lines else {
        return None;
    };
    let sides = sides(rule)?;
    let row = |line: &String, is_head: bool| -> Vec<Vec<Letter>> {
        let cells = cells(line).into_iter();
        cells.map(|cell| letters(&shown(&cell, is_head))).collect()
    };
    let head = row(head, true);
    let body: Vec<_> = body.iter().map(|line| row(line, false)).collect();
    let widths = widths(std::iter::once(&head).chain(&body), width)?;
    let mut out = laid(&head, &widths, &sides);
    let rule: Vec<String> = widths.iter().map(|width| "─".repeat(*width)).collect();
    out.push(format!("{DIM}{}{RESET}", rule.join("─┼─")));
    out.extend(body.iter().flat_map(|row| laid(row, &widths, &sides)));
    Some(out)
}

/// Whether a line stands between a header and the rows.
pub(super) fn is_rule(line: &str) -> bool {
    sides(line).is_some()
}

fn sides(rule: &str) -> Option<Vec<Side>> {
    let side = |cell: String| {
        let dashes = cell.trim_matches(':');
        let is_one = !dashes.is_empty() && dashes.chars().all(|c| c == '-');
        is_one.then(|| match (cell.starts_with(':'), cell.ends_with(':')) {
            (true, true) => Side::Middle,
            (false, true) => Side::Right,
            _ => Side::Left,
        })
    };
    cells(rule).into_iter().map(side).collect()
}

fn cells(line: &str) -> Vec<String> {
    let line = line.trim();
    let line = line.strip_prefix('|').unwrap_or(line);
    let (mut cells, mut cell) = (Vec::new(), String::new());
    let mut letters = line.chars().peekable();
    while let Some(c) = letters.next() {
        match c {
            '\\' if letters.next_if_eq(&'|').is_some() => cell.push('|'),
            '|' => cells.push(std::mem::take(&mut cell)),
            _ => cell.push(c),
        }
    }
    if !cell.trim().is_empty() || cells.is_empty() {
        cells.push(cell);
    }
    cells.iter().map(|cell| cell.trim().to_owned()).collect()
}

fn letters(shown: &str) -> Vec<Letter> {
    let (mut out, mut style) = (Vec::new(), String::new());
    let mut rest = shown.chars();
    while let Some(c) = rest.next() {
        if c != '\x1b' {
            out.push((c, style.clone()));
            continue;
        }
        let mut code = String::from(c);
        code.extend(rest.by_ref().take_while(|c| *c != 'm'));
        code.push('m');
        match code.as_str() {
            RESET => style.clear(),
            _ => style.push_str(&code),
        }
    }
    out
}

/// What each column gets: what its longest cell needs, the widest ones less where all do not fit.
fn widths<'t>(rows: impl Iterator<Item = &'t Vec<Vec<Letter>>>, most: usize) -> Option<Vec<usize>> {
    let mut widths: Vec<usize> = Vec::new();
    for row in rows {
        widths.resize(widths.len().max(row.len()), 1);
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(length(cell));
        }
    }
    let room = most.checked_sub(GAP * widths.len().saturating_sub(1))?;
    while widths.iter().sum::<usize>() > room {
        let widest = widths.iter_mut().max_by_key(|width| **width)?;
        if *widest <= LEAST {
            return None;
        }
        *widest -= 1;
    }
    Some(widths)
}

fn length(letters: &[Letter]) -> usize {
    letters.iter().map(|(c, _)| columns_of(*c)).sum()
}

/// Columns a letter takes, for the scripts and signs that tables are made of.
fn columns_of(c: char) -> usize {
    match u32::from(c) {
        0x0300..=0x036F | 0x200B..=0x200F | 0xFE00..=0xFE0F => 0,
        0x1100..=0x115F
        | 0x231A..=0x231B
        | 0x23E9..=0x23EC
        | 0x26A1
        | 0x26D4
        | 0x2705
        | 0x2728
        | 0x274C
        | 0x274E
        | 0x2753..=0x2755
        | 0x2757
        | 0x2795..=0x2797
        | 0x2B50
        | 0x2B55
        | 0x2E80..=0x303E
        | 0x3041..=0xA4CF
        | 0xAC00..=0xD7A3
        | 0xF900..=0xFAFF
        | 0xFE30..=0xFE6F
        | 0xFF00..=0xFF60
        | 0xFFE0..=0xFFE6
        | 0x1F300..=0x1F64F
        | 0x1F680..=0x1F6FF
        | 0x1F7E0..=0x1F7EB
        | 0x1F900..=0x1F9FF
        | 0x20000..=0x3FFFD => 2,
        _ => 1,
    }
}

/// A row's lines: as many as its longest cell takes.
fn laid(row: &[Vec<Letter>], widths: &[usize], sides: &[Side]) -> Vec<String> {
    let wrapped = |at: usize, width: usize| match row.get(at) {
        Some(cell) => wrapped(cell, width),
        None => Vec::new(),
    };
    let columns = widths.iter().enumerate();
    let columns: Vec<_> = columns.map(|(at, width)| wrapped(at, *width)).collect();
    let height = columns.iter().map(Vec::len).max().unwrap_or(0).max(1);
    let line = |number: usize| {
        let cells = columns.iter().enumerate().map(|(at, lines)| {
            let letters = lines.get(number).map_or(&[][..], Vec::as_slice);
            let side = sides.get(at).copied().unwrap_or(Side::Left);
            let free = widths[at].saturating_sub(length(letters));
            let before = match side {
                Side::Left => 0,
                Side::Middle => free / 2,
                Side::Right => free,
            };
            let (left, right) = (" ".repeat(before), " ".repeat(free - before));
            format!("{left}{}{right}", painted(letters))
        });
        let cells: Vec<String> = cells.collect();
        let line = cells.join(&format!(" {DIM}│{RESET} "));
        line.trim_end_matches(' ').to_owned()
    };
    (0..height).map(line).collect()
}

/// Broken between words, or within one that is longer than a line.
fn wrapped(cell: &[Letter], width: usize) -> Vec<Vec<Letter>> {
    let mut lines: Vec<Vec<Letter>> = vec![Vec::new()];
    for word in cell.split(|(c, _)| *c == ' ') {
        let Some(line) = lines.last_mut() else {
            break;
        };
        let joined = usize::from(!line.is_empty());
        if length(line) + joined + length(word) <= width {
            if let (Some((_, before)), Some((_, after))) = (line.last(), word.first()) {
                let style = if before == after {
                    before.clone()
                } else {
                    String::new()
                };
                line.push((' ', style));
            }
            line.extend(word.iter().cloned());
            continue;
        }
        if !line.is_empty() {
            lines.push(Vec::new());
        }
        for letter in word {
            let full = |line: &Vec<Letter>| length(line) + columns_of(letter.0) > width;
            if lines
                .last()
                .is_some_and(|line| !line.is_empty() && full(line))
            {
                lines.push(Vec::new());
            }
            if let Some(line) = lines.last_mut() {
                line.push(letter.clone());
            }
        }
    }
    lines
}

fn painted(letters: &[Letter]) -> String {
    let (mut out, mut now) = (String::new(), "");
    for (c, style) in letters {
        if style != now {
            if !now.is_empty() {
                out.push_str(RESET);
            }
            out.push_str(style);
            now = style;
        }
        out.push(*c);
    }
    if !now.is_empty() {
        out.push_str(RESET);
    }
    out
}
