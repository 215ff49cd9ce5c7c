//! Conversations in few words, for models that pay for each.

use crate::moment;
use exai_engine::{
    ports::threads::{Found, Listed, Thread, ThreadRow, Turn},
    tool::ToolError,
};
use exai_protocol::UnixMillis;
use std::fmt::Write as _;

/// Letters of a conversation that are shown whole; of the rest, the beginnings.
const WHOLE: usize = 8000;
/// Letters of a beginning.
const BEGINNING: usize = 120;

pub(super) fn list(listed: &Listed, anywhere: bool) -> String {
    let mut text = String::new();
    for row in &listed.rows {
        let _ = writeln!(text, "{}", line(row, anywhere));
    }
    let more = listed.of.saturating_sub(listed.rows.len());
    if more > 0 {
        let _ = writeln!(text, "({more} older ones: raise 'limit', or search)");
    }
    text.trim_end().to_owned()
}

pub(super) fn found(found: &[Found], anywhere: bool) -> String {
    let mut text = String::new();
    for one in found {
        let snippet = flat(&one.snippet);
        let thread = line(&one.thread, anywhere);
        let _ = writeln!(text, "{thread}\n  turn {}: {snippet}", one.turn);
    }
    text.trim_end().to_owned()
}

fn line(row: &ThreadRow, anywhere: bool) -> String {
    let turns = if row.turns == 1 { "turn" } else { "turns" };
    let mut line = format!(
        "{}  {}  {} {turns}  {}",
        row.id,
        at(row.touched_at),
        row.turns,
        flat(&row.title)
    );
    if anywhere && !row.workspace.is_empty() {
        let _ = write!(line, "  ({})", flat(&row.workspace));
    }
    line
}

/// All of it as far as that is little, the newest turns first of all; or one turn, whole.
pub(super) fn show(thread: &Thread, turn: u64) -> Result<String, ToolError> {
    let mut text = head(thread);
    if turn > 0 {
        let found = thread.turns.iter();
        let mut found = found.filter(|one| u64::from(one.number) == turn);
        let one = found.next().ok_or_else(|| {
            let count = thread.turns.len();
            ToolError::invalid(format!("'turn': there is no turn {turn}; it has {count}"))
        })?;
        text.push_str(&whole(one));
        return Ok(text);
    }
    let mut room = WHOLE;
    let mut parts: Vec<String> = Vec::new();
    for one in thread.turns.iter().rev() {
        let all = whole(one);
        match room.checked_sub(all.len()) {
            Some(left) => {
                room = left;
                parts.push(all);
            }
            None => {
                room = 0;
                parts.push(beginning(one));
            }
        }
    }
    parts.reverse();
    text.push_str(&parts.concat());
    for failure in &thread.failures {
        let why = flat(&failure.why);
        let _ = writeln!(
            text,
            "Failed {} ({}): {}",
            at(failure.at),
            failure.code,
            short(&why)
        );
    }
    Ok(text.trim_end().to_owned())
}

fn head(thread: &Thread) -> String {
    let mut text = format!("{}\ncontinuation_id: {}", flat(&thread.title), thread.id);
    if !thread.workspace.is_empty() {
        let _ = write!(text, "\nproject: {}", flat(&thread.workspace));
    }
    text.push_str("\n\n");
    text
}

fn heading(turn: &Turn) -> String {
    let said = &turn.said;
    let mut text = format!("#{} {} {}", turn.number, at(turn.at), said.tool);
    if let Some(pin) = &said.pin {
        let _ = write!(text, ", {} at {}", pin.model, pin.endpoint);
    }
    let before = turn.number.checked_sub(1).filter(|before| *before > 0);
    if turn.parent != before {
        let from = turn
            .parent
            .map_or("the beginning".to_owned(), |from| format!("#{from}"));
        let _ = write!(text, ", goes on from {from}");
    }
    text
}

fn whole(turn: &Turn) -> String {
    let said = &turn.said;
    let mut text = format!("{}\nQ: {}\n", heading(turn), said.question.trim_end());
    if !said.files.is_empty() {
        let names: Vec<String> = said.files.iter().map(|file| flat(&file.name)).collect();
        let _ = writeln!(text, "Files: {}", names.join(", "));
    }
    for (what, words) in [
        ("Findings", &said.findings),
        ("A", &said.answer),
        ("Expert", &said.expert),
    ] {
        if let Some(words) = words {
            let _ = writeln!(text, "{what}: {}", words.trim_end());
        }
    }
    text.push('\n');
    text
}

fn beginning(turn: &Turn) -> String {
    let answer = turn.said.answer.as_deref().unwrap_or_default();
    format!(
        "{}\nQ: {}\nA: {} ('turn': {} shows it whole)\n\n",
        heading(turn),
        short(&flat(&turn.said.question)),
        short(&flat(answer)),
        turn.number
    )
}

fn at(moment: UnixMillis) -> String {
    let mut text = moment::show(moment.as_secs_f64());
    text.truncate("2026-03-01 10:00".len());
    text
}

/// On one line, without what could forge another.
fn flat(text: &str) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().map(plain).collect()
}

fn short(text: &str) -> String {
    let mut short: String = text.chars().take(BEGINNING).collect();
    if text.chars().nth(BEGINNING).is_some() {
        short.push('…');
    }
    short
}
