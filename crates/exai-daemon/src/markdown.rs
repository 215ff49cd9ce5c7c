//! Markdown as a terminal shows it, while it comes. Text arrives in pieces of any size, so this
//! is a machine over characters: it holds back only what it cannot tell yet (three characters of
//! a line's beginning, a star at a piece's end). What it does not know stays as it was written;
//! words are never lost and never moved. Only a table is held back until it is whole: how wide its
//! columns are, its last row says too.

mod table;

const BOLD: &str = "\x1b[1m";
const ITALIC: &str = "\x1b[3m";
const DIM: &str = "\x1b[2m";
const CODE: &str = "\x1b[36m";
const RESET: &str = "\x1b[0m";

/// What of a line may be its mark: a list's number, a fence with its language.
const LONGEST_MARK: usize = 12;

/// A text on its way to the terminal.
#[derive(Debug)]
pub(crate) struct Markdown {
    /// The terminal's columns.
    width: usize,
    /// Not shown yet: the beginning of a line, or a mark whose second half may follow.
    held: String,
    /// Past the mark at the line's beginning.
    inside: bool,
    /// Between fences; the fence that ends it.
    fence: Option<String>,
    /// The rest of a fence's own line.
    fencing: bool,
    style: Style,
    /// Lines of a table, or of what may be one.
    rows: Vec<String>,
    /// The line of it that is coming.
    row: Option<String>,
    /// The last character shown, which says whether a star can open or close.
    last: Option<char>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Style {
    heading: bool,
    bold: bool,
    italic: bool,
    code: bool,
}

impl Markdown {
    /// For a terminal of so many columns.
    pub(crate) fn new(width: usize) -> Self {
        Self {
            width,
            held: String::new(),
            inside: false,
            fence: None,
            fencing: false,
            style: Style::default(),
            rows: Vec::new(),
            row: None,
            last: None,
        }
    }

    /// More of the text; returns what can be shown.
    pub(crate) fn push(&mut self, text: &str) -> String {
        let mut out = String::with_capacity(text.len() + 16);
        for c in text.chars() {
            self.one(c, &mut out);
        }
        out
    }

    /// There is no more; returns what was held back.
    pub(crate) fn end(&mut self) -> String {
        let mut out = String::new();
        let is_open = self.row.is_some();
        self.rows.extend(self.row.take());
        self.tabled(&mut out);
        if is_open && out.ends_with('\n') {
            // Its last line had no end yet.
            out.pop();
        }
        if !self.inside {
            self.begin(&mut out, true);
        }
        self.flush(&mut out, None);
        self.plain(&mut out);
        *self = Self::new(self.width);
        out
    }

    fn one(&mut self, c: char, out: &mut String) {
        if self.is_of_a_table(c, out) {
            return;
        }
        if c == '\n' {
            if !self.inside {
                self.begin(out, true);
            }
            self.flush(out, None);
            self.plain(out);
            if std::mem::take(&mut self.fencing) || self.fence.is_some() {
                out.push_str(RESET);
            }
            out.push('\n');
            (self.inside, self.last) = (false, None);
            return;
        }
        if self.inside {
            self.inline(c, out);
            return;
        }
        self.held.push(c);
        if self.held.chars().count() > LONGEST_MARK || is_told(&self.held) {
            self.begin(out, false);
        }
    }

    /// Takes what may belong to a table; at the first line that does not, the table is shown.
    fn is_of_a_table(&mut self, c: char, out: &mut String) -> bool {
        if let Some(row) = &mut self.row {
            if c != '\n' {
                row.push(c);
                return true;
            }
            self.rows.extend(self.row.take());
            let is_none = self.rows.get(1).is_some_and(|rule| !table::is_rule(rule));
            if is_none {
                self.tabled(out);
            }
            return true;
        }
        let begins = !self.inside && self.fence.is_none() && self.held.trim().is_empty();
        if begins && c == '|' {
            let mut row = std::mem::take(&mut self.held);
            row.push(c);
            self.row = Some(row);
            return true;
        }
        if !self.rows.is_empty() && (c == '\n' || !c.is_whitespace()) {
            self.tabled(out);
        }
        false
    }

    /// Shows the lines that were held back: as a table, or as they are.
    fn tabled(&mut self, out: &mut String) {
        let rows = std::mem::take(&mut self.rows);
        let lines = table::rendered(&rows, self.width, cell);
        for line in lines.iter().flatten() {
            out.push_str(line);
            out.push('\n');
        }
        if lines.is_some() {
            return;
        }
        for row in &rows {
            row.chars().for_each(|c| self.inline(c, out));
            self.flush(out, None);
            self.plain(out);
            out.push('\n');
            self.last = None;
        }
    }

    /// The line's beginning is known, or there is no more of it.
    fn begin(&mut self, out: &mut String, whole: bool) {
        let held = std::mem::take(&mut self.held);
        self.inside = true;
        let trimmed = held.trim_start();
        let indent = &held[..held.len() - trimmed.len()];
        if let Some(fence) = &self.fence {
            out.push_str(CODE);
            if whole && trimmed.trim_end() == fence {
                self.fence = None;
                (self.fencing, _) = (true, out.push_str(DIM));
            }
            out.push_str(&held);
            return;
        }
        if trimmed.starts_with("```") || trimmed.starts_with("~~~") {
            let mark = trimmed.chars().next().unwrap_or('`');
            self.fence = Some(trimmed.chars().take_while(|c| *c == mark).collect());
            self.fencing = true;
            out.push_str(DIM);
            out.push_str(&held);
            return;
        }
        out.push_str(indent);
        let rest = self.mark(trimmed, whole, out);
        rest.chars().for_each(|c| self.inline(c, out));
    }

    /// Shows a line's mark; returns what follows it.
    fn mark<'t>(&mut self, text: &'t str, whole: bool, out: &mut String) -> &'t str {
        let hashes = text.bytes().take_while(|b| *b == b'#').count();
        if (1..=6).contains(&hashes) && text[hashes..].starts_with(' ') {
            self.style.heading = true;
            out.push_str(BOLD);
            return text[hashes..].trim_start();
        }
        let line = text.trim_end();
        if whole
            && line.len() >= 3
            && ["-", "*", "_"]
                .iter()
                .any(|m| line.replace(m, "").is_empty())
        {
            out.push_str(&format!("{DIM}────────{RESET}"));
            return "";
        }
        for bullet in ["- ", "* ", "+ "] {
            if let Some(rest) = text.strip_prefix(bullet) {
                out.push_str("• ");
                return rest;
            }
        }
        if let Some(rest) = text.strip_prefix("> ") {
            out.push_str(&format!("{DIM}│{RESET} "));
            return rest;
        }
        text
    }

    fn inline(&mut self, c: char, out: &mut String) {
        if self.fence.is_some() || self.fencing {
            out.push(c);
        } else if self.style.code && self.held.is_empty() && c != '`' {
            self.show(c, out);
        } else if matches!(c, '*' | '`') && (self.held.is_empty() || self.held.starts_with(c)) {
            self.held.push(c);
        } else {
            self.flush(out, Some(c));
            match c {
                '*' | '`' => self.held.push(c),
                _ => self.show(c, out),
            }
        }
    }

    /// Decides what held stars or ticks mean, now that it is known what follows them.
    fn flush(&mut self, out: &mut String, next: Option<char>) {
        let held = std::mem::take(&mut self.held);
        let opens = next.is_some_and(|c| !c.is_whitespace());
        let closes = self.last.is_some_and(|c| !c.is_whitespace());
        let before = self.style;
        match held.as_str() {
            "" => return,
            "`" if self.style.code || opens => self.style.code = !self.style.code,
            "**" if self.style.bold && closes || !self.style.bold && opens => {
                self.style.bold = !self.style.bold;
            }
            "*" if self.style.italic && closes || !self.style.italic && opens && !closes => {
                self.style.italic = !self.style.italic;
            }
            "***"
                if self.style.bold && self.style.italic && closes
                    || !self.style.bold && !self.style.italic && opens =>
            {
                self.style.bold = !self.style.bold;
                self.style.italic = !self.style.italic;
            }
            other => other.chars().for_each(|c| self.show(c, out)),
        }
        if self.style != before {
            self.paint(out);
        }
    }

    fn paint(&self, out: &mut String) {
        out.push_str(RESET);
        let Style {
            heading,
            bold,
            italic,
            code,
        } = self.style;
        for (on, style) in [(heading || bold, BOLD), (italic, ITALIC), (code, CODE)] {
            if on {
                out.push_str(style);
            }
        }
    }

    fn show(&mut self, c: char, out: &mut String) {
        out.push(c);
        self.last = Some(c);
    }

    /// No style goes on into the next line.
    fn plain(&mut self, out: &mut String) {
        if std::mem::take(&mut self.style) != Style::default() {
            out.push_str(RESET);
        }
    }
}

/// A cell's own marks as styles; a header is bold.
fn cell(text: &str, is_head: bool) -> String {
    let mut markdown = Markdown::new(0);
    markdown.inside = true;
    markdown.style.heading = is_head;
    let mut out = String::from(if is_head { BOLD } else { "" });
    text.chars().for_each(|c| markdown.inline(c, &mut out));
    markdown.flush(&mut out, None);
    out
}

/// Whether a line's beginning can be no mark, or is one for sure.
fn is_told(held: &str) -> bool {
    let text = held.trim_start();
    let Some(first) = text.chars().next() else {
        return false;
    };
    match first {
        '#' => !text.chars().all(|c| c == '#'),
        // A fence's language, a rule or a bold beginning: wait for what follows.
        '`' | '~' => !"```".starts_with(text) && !"~~~".starts_with(text) && !is_fence(text),
        '-' | '_' => text.chars().any(|c| c != first),
        '*' | '+' | '>' => text.chars().nth(1).is_some_and(|c| c != first),
        _ => true,
    }
}

fn is_fence(text: &str) -> bool {
    text.starts_with("```") || text.starts_with("~~~")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(text: &str, size: usize) -> String {
        let mut markdown = Markdown::new(40);
        let mut out = String::new();
        let chars: Vec<char> = text.chars().collect();
        for piece in chars.chunks(size) {
            out += &markdown.push(&piece.iter().collect::<String>());
        }
        out + &markdown.end()
    }

    /// With styles as letters, to be read.
    fn shown(text: &str) -> String {
        let whole = rendered(text, usize::MAX);
        for size in 1..5 {
            assert_eq!(rendered(text, size), whole, "pieces of {size}: {text:?}");
        }
        [
            (BOLD, "{b}"),
            (ITALIC, "{i}"),
            (DIM, "{d}"),
            (CODE, "{c}"),
            (RESET, "{}"),
        ]
        .iter()
        .fold(whole, |text, (code, word)| text.replace(code, word))
    }

    #[test]
    fn what_markdown_means_is_shown_however_it_is_cut() {
        for (text, expected) in [
            ("# Title\nx", "{b}Title{}\nx"),
            ("a **b** c", "a {}{b}b{} c"),
            ("*i* and ***both***", "{}{i}i{} and {}{b}{i}both{}"),
            ("use `a*b` now", "use {}{c}a*b{} now"),
            ("- one\n* two\n  + deep", "• one\n• two\n  • deep"),
            ("> said\n---\n", "{d}│{} said\n{d}────────{}\n"),
            ("**b** first\n", "{}{b}b{} first\n"),
        ] {
            let shown = shown(text).replace("{}{}", "{}");
            assert_eq!(shown, expected, "{text:?}");
        }
    }

    #[test]
    fn code_stays_as_it_is() {
        let text = "```rust\nlet a = *b; // # **no**\n- x\n```\nafter **b**\n";
        let shown = shown(text);
        assert!(shown.contains("let a = *b; // # **no**"), "{shown}");
        assert!(shown.contains("{c}- x{}\n"), "{shown}");
        assert!(shown.ends_with("after {}{b}b{}\n"), "{shown}");
    }

    #[test]
    fn what_is_no_markdown_is_not_touched() {
        for text in [
            "2 * 3 * 4 = 24",
            "a_b_c and x*y",
            "#hashtag",
            "-5 degrees",
            "1. first",
            "ends with *",
            "| grep x",
            "| a | b |\nno table\n",
            "| a\n| b\n| c",
            "\n\n",
            "[x](https://e.org/a_b*c)",
        ] {
            let words = shown(text).replace("{}", "");
            assert_eq!(words, text);
        }
    }

    #[test]
    fn a_table_lines_up_within_the_terminals_width() {
        let plain = |text: &str| {
            let shown = shown(text);
            let codes = ["{b}", "{i}", "{c}", "{d}", "{}"].into_iter();
            codes.fold(shown, |text, code| text.replace(code, ""))
        };
        let text =
            "Seen:\n\n| name | n |\n|:--|--:|\n| **größe** | 1 |\n| `a\\|b` | 200 |\n\nDone.";
        let expected = "Seen:\n\nname  │   n\n──────┼────\ngröße │   1\na|b   │ 200\n\nDone.";
        assert_eq!(plain(text), expected);
        assert!(shown(text).contains("{b}größe{}"), "{}", shown(text));
        assert!(
            shown(text).starts_with("Seen:\n\n{b}name{}"),
            "{}",
            shown(text)
        );
        // What is too long for its column goes on below, whole.
        let words = "it waits for a lock that nobody gives back";
        let text = format!("| where | what |\n|---|---|\n| a.rs:7 | {words} |");
        let table = plain(&text);
        assert!(
            table.lines().all(|line| line.chars().count() <= 40),
            "{table}"
        );
        let right = |line: &str| line.split_once('│').map(|(_, cell)| cell.trim().to_owned());
        let cells: Vec<String> = table.lines().skip(2).filter_map(right).collect();
        assert_eq!(cells.join(" "), words);
        assert!(cells.len() == 2 && !table.ends_with('\n'), "{table}");
        // What cannot fit stays as it was written.
        let many = format!("{}\n{}\n", "| x ".repeat(30), "|---".repeat(30));
        assert_eq!(plain(&many), many);
        // Whose cells are missing, or too many, loses none.
        let odd = plain("| a | b |\n|---|---|\n| 1 |\n| 1 | 2 | 3 |\n");
        assert!(
            odd.contains("1 │ 2 │ 3") && odd.contains("\n1 │   │\n"),
            "{odd}"
        );
        // In a fence it is code.
        let fenced = "```\n| a | b |\n|---|---|\n```\n";
        assert!(
            plain(fenced).contains("| a | b |\n|---|---|"),
            "{}",
            plain(fenced)
        );
    }

    #[test]
    fn nothing_stays_coloured() {
        for text in ["**open", "`open", "# open", "```\nopen", "*a `b"] {
            let out = rendered(&format!("{text}\nnext\n"), 3);
            let next = out.split("next").next().unwrap_or_default();
            let fenced = text.starts_with("```");
            assert!(fenced || next.ends_with(&format!("{RESET}\n")), "{out:?}");
        }
    }
}
