//! From JSON lines to conversations: our own, and the predecessor's, which kept a message a line
//! (`{"ts", "role", "content"}`) in a file named after the conversation.

use super::Head;
use crate::moment;
use exai_engine::ports::threads::{Imported, Said, Turn};
use exai_protocol::UnixMillis;
use serde::Deserialize;
use serde_json::Value;

/// Letters of an id.
const ID: usize = 200;

/// What a file held.
#[derive(Debug, Default)]
pub struct Read {
    /// Conversations.
    pub threads: Vec<Imported>,
    /// What could not be read, a sentence each.
    pub notes: Vec<String>,
}

/// A line of the predecessor's.
#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    ts: Value,
    role: String,
    content: Value,
}

/// Reads a file; `name` is its own name.
///
/// # Errors
/// When it holds no conversation.
pub fn read(name: &str, text: &str) -> Result<Read, String> {
    let mut read = Read::default();
    let mut old: Vec<(UnixMillis, Message)> = Vec::new();
    let (mut bad, mut others) = (0, 0);
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if let Ok(head) = serde_json::from_str::<Head>(line) {
            if head.exai_thread != 1 {
                let form = head.exai_thread;
                return Err(format!(
                    "{name}: lines of form {form}; this build reads form 1"
                ));
            }
            read.threads.push(Imported {
                id: id_of(&head.id)?,
                title: head.title,
                workspace: head.workspace,
                turns: Vec::new(),
            });
        } else if let Ok(message) = serde_json::from_str::<Message>(line) {
            match message.role.as_str() {
                "user" | "assistant" => old.push((moment_of(&message.ts), message)),
                _ => others += 1,
            }
        } else if let (Some(thread), Ok(turn)) =
            (read.threads.last_mut(), serde_json::from_str::<Turn>(line))
        {
            thread.turns.push(renumbered(turn, thread.turns.len()));
        } else {
            bad += 1;
        }
    }
    if !old.is_empty() {
        read.threads.push(Imported {
            id: id_of(stem(name))?,
            turns: paired(old),
            ..Imported::default()
        });
    }
    read.threads.retain(|thread| !thread.turns.is_empty());
    if read.threads.is_empty() {
        return Err(format!(
            "{name}: no conversation in it; expected JSON lines with role and content, or an \
             export of this program"
        ));
    }
    if bad > 0 {
        read.notes
            .push(format!("{name}: {bad} lines could not be read"));
    }
    if others > 0 {
        let note = format!("{name}: {others} messages are neither user's nor assistant's");
        read.notes.push(note);
    }
    Ok(read)
}

/// Numbers count from one without gaps; a parent stays an older turn.
fn renumbered(mut turn: Turn, before: usize) -> Turn {
    let number = u32::try_from(before).unwrap_or(u32::MAX).saturating_add(1);
    let shift = turn.number.abs_diff(number);
    let parent = turn.parent.map(|parent| parent.saturating_sub(shift));
    turn.parent = parent.filter(|parent| (1..number).contains(parent));
    turn.number = number;
    turn
}

/// A question is what stands before an answer, however many messages it took.
fn paired(messages: Vec<(UnixMillis, Message)>) -> Vec<Turn> {
    let mut turns: Vec<Turn> = Vec::new();
    let mut asked: Vec<String> = Vec::new();
    let mut last = UnixMillis::default();
    let mut keep = |at, asked: &mut Vec<String>, answer: Option<String>| {
        let number = u32::try_from(turns.len() + 1).unwrap_or(u32::MAX);
        turns.push(Turn {
            number,
            parent: number.checked_sub(1).filter(|parent| *parent > 0),
            at,
            said: Said {
                tool: "chat".to_owned(),
                question: std::mem::take(asked).join("\n\n"),
                answer,
                ..Said::default()
            },
        });
    };
    for (at, message) in messages {
        last = last.max(at);
        let words = words_of(message.content);
        if message.role == "user" {
            asked.push(words);
        } else {
            keep(last, &mut asked, Some(words));
        }
    }
    if !asked.is_empty() {
        keep(last, &mut asked, None);
    }
    turns
}

/// Content that is no text is kept as it was written.
fn words_of(content: Value) -> String {
    match content {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

/// Seconds as a number or in a text, or a date and time.
fn moment_of(ts: &Value) -> UnixMillis {
    /// Larger numbers are milliseconds.
    const SECONDS: f64 = 1e11;
    let seconds = match ts {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => moment::parse(text, 0.0),
        _ => None,
    };
    let seconds = seconds.unwrap_or_default().max(0.0);
    let seconds = if seconds > SECONDS {
        seconds / 1000.0
    } else {
        seconds
    };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "not below zero, and the cast stops at the end"
    )]
    let millis = (seconds * 1000.0).round() as u64;
    UnixMillis(millis)
}

fn stem(name: &str) -> &str {
    let name = name.rsplit(['/', '\\']).next().unwrap_or(name);
    name.strip_suffix(".jsonl").unwrap_or(name)
}

fn id_of(id: &str) -> Result<String, String> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
    if id.is_empty() || id.len() > ID || !id.bytes().all(fits) {
        let shown: String = id.chars().take(80).collect();
        return Err(format!(
            "'{shown}' is no id of a conversation; name the file after it, with letters, digits, \
             '-', '_', '.' and ':' only"
        ));
    }
    Ok(id.to_owned())
}
