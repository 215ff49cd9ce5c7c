//! Conversations as files: Markdown for people, JSON lines for programs, and the way back from
//! those and from the predecessor's. Pure functions: nobody here reads or writes anything.

mod read;

#[cfg(test)]
mod tests;

pub use read::{Read, read};

use crate::moment;
use exai_engine::ports::threads::Thread;
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;

/// The first line of a conversation among JSON lines.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    /// The form of the lines that follow.
    exai_thread: u32,
    id: String,
    #[serde(default)]
    title: String,
    #[serde(default)]
    workspace: String,
}

/// For people to read.
#[must_use]
pub fn markdown(thread: &Thread) -> String {
    let mut text = format!("# {}\n\n", thread.title);
    let _ = writeln!(text, "continuation_id `{}`\n", thread.id);
    for turn in &thread.turns {
        let said = &turn.said;
        let at = moment::show(turn.at.as_secs_f64());
        let _ = write!(text, "## {}. {}, {at} UTC", turn.number, said.tool);
        let before = turn.number.checked_sub(1).filter(|before| *before > 0);
        if let Some(from) = turn.parent.filter(|_| turn.parent != before) {
            let _ = write!(text, ", goes on from {from}");
        }
        let _ = write!(text, "\n\n**Question**\n\n{}\n\n", said.question.trim());
        for file in &said.files {
            let _ = writeln!(text, "- file `{}`", file.name);
        }
        if !said.files.is_empty() {
            text.push('\n');
        }
        if let Some(findings) = &said.findings {
            let _ = write!(text, "**Findings**\n\n{}\n\n", findings.trim());
        }
        if let Some(answer) = &said.answer {
            let who = said.pin.as_ref();
            let who = who.map_or_else(String::new, |pin| {
                format!(" ({} at {})", pin.model, pin.endpoint)
            });
            let _ = write!(text, "**Answer**{who}\n\n{}\n\n", answer.trim());
        }
        if let Some(expert) = &said.expert {
            let _ = write!(text, "**Expert's verdict**\n\n{}\n\n", expert.trim());
        }
    }
    text
}

/// For programs: a line that says what it is, then a line a turn, with everything.
#[must_use]
pub fn json_lines(thread: &Thread) -> String {
    let head = Head {
        exai_thread: 1,
        id: thread.id.clone(),
        title: thread.title.clone(),
        workspace: thread.workspace.clone(),
    };
    let mut text = line(&head);
    for turn in &thread.turns {
        text.push_str(&line(turn));
    }
    text
}

fn line(value: &impl Serialize) -> String {
    // Plain data of ours; it can be written.
    serde_json::to_string(value).unwrap_or_default() + "\n"
}
