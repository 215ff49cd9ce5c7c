//! The one module that prints. Data goes to standard output, everything said to a person to
//! standard error; colour repeats what words already say, and is dropped for pipes and NO_COLOR.

use std::{
    fmt::Display,
    io::{self, IsTerminal as _, Write as _},
};

const GREEN: &str = "\x1b[32m";
const YELLOW: &str = "\x1b[33m";
const RED: &str = "\x1b[31m";
const DIM: &str = "\x1b[2m";
const RESET: &str = "\x1b[0m";

/// How good a piece of news is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Good,
    Warning,
    Bad,
    Quiet,
}

/// The same words with a colour.
pub(crate) fn paint(tone: Tone, words: impl Display) -> String {
    let colour = match tone {
        Tone::Good => GREEN,
        Tone::Warning => YELLOW,
        Tone::Bad => RED,
        Tone::Quiet => DIM,
    };
    format!("{colour}{words}{RESET}")
}

/// A line of data.
///
/// # Errors
/// When nobody reads it any more.
pub(crate) fn line(data: impl Display) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    writeln!(out, "{data}")?;
    out.flush()
}

/// Data as it is, without a line's end; never recoloured.
///
/// # Errors
/// When nobody reads it any more.
pub(crate) fn raw(data: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(data)?;
    out.flush()
}

/// A value as indented JSON.
///
/// # Errors
/// When nobody reads it any more.
pub(crate) fn json(value: &impl serde::Serialize) -> io::Result<()> {
    let text = serde_json::to_string_pretty(value)?;
    raw(format!("{text}\n").as_bytes())
}

/// Something for the person, beside the data.
pub(crate) fn hint(words: impl Display) {
    // A closed terminal cannot be told that it is closed.
    let _ = writeln!(anstream::stderr().lock(), "{words}");
}

/// Where the person may write; on a pipe nothing.
pub(crate) fn prompt(words: &str) {
    if watched() {
        let mut err = anstream::stderr().lock();
        // Nobody to tell, see `hint`.
        let _ = write!(err, "{words}").and_then(|()| err.flush());
    }
}

/// What went wrong.
pub(crate) fn error(words: &str) {
    hint(format!("{}: {words}", paint(Tone::Bad, "error")));
}

/// What somebody should look at.
pub(crate) fn warning(words: impl Display) {
    hint(format!("{}: {words}", paint(Tone::Warning, "warning")));
}

/// Whether a person watches standard error, where progress is shown.
pub(crate) fn watched() -> bool {
    io::stderr().is_terminal()
}

/// Whether a person watches standard output.
pub(crate) fn data_is_watched() -> bool {
    io::stdout().is_terminal()
}

/// Whether it shows styles: not where NO_COLOR is set, nor on a terminal that knows none.
pub(crate) fn data_is_styled() -> bool {
    let out = io::stdout();
    out.is_terminal() && anstream::AutoStream::choice(&out) != anstream::ColorChoice::Never
}

/// One line on a terminal that is written over and over; in a pipe nothing.
pub(crate) struct Ticker {
    /// Columns that are written on.
    shown: usize,
    live: bool,
    /// Whether the terminal is told to erase a line. Otherwise blanks do it: where styles are not
    /// wanted, every command to the terminal is taken out of what is written.
    commands: bool,
}

impl Ticker {
    pub(crate) fn new() -> Self {
        Self {
            shown: 0,
            live: watched(),
            commands: anstream::AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never,
        }
    }

    pub(crate) fn show(&mut self, words: &str) {
        if !self.live {
            return;
        }
        let cut: String = words
            .chars()
            .filter(|c| !c.is_control())
            .take(WIDTH)
            .collect();
        let mut err = anstream::stderr().lock();
        // Nobody to tell, see `hint`.
        let erased = erased(self.shown, self.commands);
        let _ = write!(err, "{erased}{cut}").and_then(|()| err.flush());
        self.shown = cut.chars().map(at_most).sum();
    }

    /// Takes the line away, so that other words can be written.
    pub(crate) fn clear(&mut self) {
        let shown = std::mem::take(&mut self.shown);
        if shown > 0 {
            let mut err = anstream::stderr().lock();
            let erased = erased(shown, self.commands);
            let _ = write!(err, "{erased}").and_then(|()| err.flush());
        }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.clear();
    }
}

/// What takes a line away that is written on so far.
fn erased(columns: usize, commands: bool) -> String {
    match commands {
        true => "\r\x1b[2K".to_owned(),
        false => format!("\r{}\r", " ".repeat(columns.min(WIDTH))),
    }
}

/// At most; letters of some scripts take two.
fn at_most(letter: char) -> usize {
    if letter.is_ascii() { 1 } else { 2 }
}

/// A ticker's line never wraps, or it could not be taken away; the narrowest usual terminal.
const WIDTH: usize = 79;

/// Columns of the terminal that shows the data.
pub(crate) fn width() -> usize {
    crate::os::terminal_width().unwrap_or(WIDTH)
}

/// Begins a fresh screen for a watcher; on a pipe nothing.
///
/// # Errors
/// When nobody reads it any more.
pub(crate) fn fresh_screen() -> io::Result<()> {
    if data_is_watched() {
        raw(b"\x1b[H\x1b[2J")
    } else {
        Ok(())
    }
}

/// Text of others, made harmless for a terminal: tools may return what moves cursors.
pub(crate) fn tame(text: &str) -> String {
    let tamed = |c: char| {
        if c.is_control() && c != '\n' && c != '\t' {
            '\u{fffd}'
        } else {
            c
        }
    };
    text.chars().map(tamed).collect()
}

/// Rows as columns, padded by characters.
pub(crate) fn columns(rows: &[Vec<String>]) -> Vec<String> {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |i: usize| {
        rows.iter()
            .filter_map(|row| row.get(i))
            .map(|c| c.chars().count())
            .max()
    };
    let widths: Vec<usize> = (0..count).map(|i| width(i).unwrap_or(0)).collect();
    rows.iter()
        .map(|row| {
            let cells: Vec<String> = row
                .iter()
                .zip(&widths)
                .map(|(cell, width)| format!("{cell}{}", " ".repeat(width - cell.chars().count())))
                .collect();
            cells.join("  ").trim_end().to_owned()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_by_characters() {
        let row = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
        let lines = columns(&[row(["größe", "1"]), row(["x", "22"])]);
        assert_eq!(lines, ["größe  1", "x      22"]);
        assert!(columns(&[]).is_empty());
    }

    #[test]
    fn foreign_text_cannot_move_the_cursor() {
        assert_eq!(erased(3, false), "\r   \r");
        assert_eq!(tame("a\x1b[2Jb\r\n\tc"), "a\u{fffd}[2Jb\u{fffd}\n\tc");
    }

    #[test]
    fn colour_is_added_to_words_and_never_instead() {
        assert_eq!(paint(Tone::Good, "ok"), "\x1b[32mok\x1b[0m");
    }
}
