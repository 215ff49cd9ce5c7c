//! A conversation as the next model gets it: each earlier turn once, oldest first, as turns and
//! never as text inside a prompt. Where there is no room for all, the newest stay, and the model
//! as well as the caller is told how many do not.

#[cfg(test)]
mod tests;

use crate::files::{self, Fence, Known, tokens_of};
use exai_engine::{
    Folders,
    ports::{
        models::{AssistantTurn, Message, Part},
        threads::Turn,
    },
};
use std::fmt::Write as _;

/// Tokens a turn takes beside its words.
const AROUND: u64 = 16;
/// Less room than this shows nothing of a turn that would have to be cut.
const LEAST: u64 = 100;

/// Who is to read it.
pub(crate) struct Receiver {
    /// The tool that goes on; turns of others say whose they are.
    pub(crate) tool: &'static str,
    /// Folders that may be read for it.
    pub(crate) roots: Folders,
    /// Tokens there are for what was said before.
    pub(crate) room: u64,
}

/// What was said before.
#[derive(Debug, Default)]
pub(crate) struct History {
    /// User's and model's turns, in turn.
    pub(crate) messages: Vec<Message>,
    /// Files that stand in them.
    pub(crate) known: Vec<Known>,
    /// Tokens they take, about.
    pub(crate) tokens: u64,
    /// What the caller should know: what is left out, cut, or not what it was.
    pub(crate) notes: Vec<String>,
}

/// One turn in words.
struct Shown {
    asked: String,
    answered: Option<AssistantTurn>,
    tokens: u64,
}

/// Renders these turns. Files of earlier turns are read again: not for an event loop.
pub(crate) fn render(turns: &[Turn], receiver: &Receiver) -> History {
    let mut history = History::default();
    let mut shown: Vec<Shown> = Vec::new();
    for (at, turn) in turns.iter().enumerate().rev() {
        let room = receiver.room.saturating_sub(history.tokens);
        let fits = one(turn, receiver, room, &mut history);
        let fits = fits.or_else(|| {
            let cut = shown.is_empty().then(|| cut(turn, receiver, room))??;
            let note = "the last turn did not fit into this model's context and was cut";
            history.notes.push(note.to_owned());
            Some(cut)
        });
        let Some(one) = fits else {
            left_out(at + 1, &mut shown, &mut history);
            break;
        };
        history.tokens += one.tokens;
        shown.push(one);
    }
    shown.reverse();
    history.messages = in_turn(shown);
    history
}

/// Said where it cannot be missed: before everything else.
fn left_out(count: usize, shown: &mut [Shown], history: &mut History) {
    let turns = if count == 1 { "turn" } else { "turns" };
    history.notes.push(format!(
        "the first {count} {turns} did not fit into this model's context and were not sent"
    ));
    if let Some(oldest) = shown.last_mut() {
        let note = format!(
            "[The first {count} {turns} of this conversation are left out for lack of room.]\n\n"
        );
        oldest.asked.insert_str(0, &note);
    }
}

/// A turn whole: with its files, or without them where only those do not fit.
fn one(turn: &Turn, receiver: &Receiver, room: u64, history: &mut History) -> Option<Shown> {
    let answered = answered(turn);
    let words = size(turn, receiver, answered.as_ref());
    let left = room.checked_sub(words)?;
    let mut shown = Shown {
        asked: question(turn, receiver),
        answered,
        tokens: words,
    };
    if let (Some(mark), false) = (&turn.said.mark, turn.said.files.is_empty()) {
        let sent = (turn.number, turn.said.files.as_slice(), mark.as_str());
        // Marks and words around files take room too.
        let around = 80 + 40 * turn.said.files.len() as u64;
        let again = files::again(
            &receiver.roots,
            sent,
            left.saturating_sub(around),
            &history.known,
        );
        let text = files::before(&shown.asked, &again.text, &Fence::of(mark));
        let more = tokens_of(text.len().saturating_sub(shown.asked.len()));
        if more <= left {
            shown.asked = text;
            shown.tokens += more;
            history.known.extend(again.known);
            let notes = again.missing.into_iter();
            let notes = notes.map(|note| format!("not repeated from turn {}: {note}", turn.number));
            history.notes.extend(notes);
        } else {
            history.notes.push(format!(
                "the files of turn {} are not repeated: no room",
                turn.number
            ));
        }
    } else if !turn.said.files.is_empty() {
        let names: Vec<&str> = turn.said.files.iter().map(|file| &*file.name).collect();
        let _ = write!(
            shown.asked,
            "\n\n[Sent along then, not repeated: {}.]",
            names.join(", ")
        );
    }
    Some(shown)
}

fn size(turn: &Turn, receiver: &Receiver, answered: Option<&AssistantTurn>) -> u64 {
    let carried = answered.and_then(|turn| turn.carry.as_ref());
    let carried = carried.map_or(0, |carry| carry.items.to_string().len());
    let said = answered.map_or(0, |turn| turn.text.len());
    // What is carried holds the text too, where it holds any.
    AROUND + tokens_of(question(turn, receiver).len() + said.max(carried))
}

/// The newest turn, when even it does not fit: its question's and its answer's beginning.
fn cut(turn: &Turn, receiver: &Receiver, room: u64) -> Option<Shown> {
    if room < LEAST {
        return None;
    }
    let bytes = usize::try_from((room - AROUND).saturating_mul(3)).unwrap_or(usize::MAX) / 2;
    let asked = shortened(question(turn, receiver), bytes);
    let answered = answered(turn).map(|turn| AssistantTurn {
        text: shortened(turn.text, bytes),
        ..AssistantTurn::default()
    });
    Some(Shown {
        asked,
        answered,
        tokens: room,
    })
}

fn shortened(mut text: String, bytes: usize) -> String {
    const NOTE: &str = "\n[CUT here for lack of room.]";
    if text.len() <= bytes {
        return text;
    }
    let keep = text.floor_char_boundary(bytes.saturating_sub(NOTE.len()));
    text.truncate(keep);
    text.push_str(NOTE);
    text
}

/// What was asked and found out; of another tool, under its name.
fn question(turn: &Turn, receiver: &Receiver) -> String {
    let said = &turn.said;
    let mut text = String::new();
    if said.tool != receiver.tool {
        let _ = write!(text, "[{}] ", said.tool);
    }
    text.push_str(&said.question);
    if let Some(findings) = &said.findings {
        let _ = write!(text, "\n\nFound out so far:\n{findings}");
    }
    text
}

fn answered(turn: &Turn) -> Option<AssistantTurn> {
    let said = &turn.said;
    let mut text = said.answer.clone().unwrap_or_default();
    let mut carry = said.carry.clone();
    if let Some(expert) = &said.expert {
        if !text.is_empty() {
            text.push_str("\n\n");
        }
        let _ = write!(text, "Expert's verdict:\n{expert}");
        // It holds the answer as it was given, and would stand in the place of both.
        carry = None;
    }
    (!text.is_empty()).then(|| AssistantTurn {
        text,
        carry,
        ..AssistantTurn::default()
    })
}

/// Providers want user and model in turn: questions nobody answered go with the next one.
fn in_turn(shown: Vec<Shown>) -> Vec<Message> {
    let mut messages = Vec::new();
    let mut waiting: Vec<Part> = Vec::new();
    for one in shown {
        waiting.push(Part::Text(one.asked));
        if let Some(answered) = one.answered {
            messages.push(Message::User(std::mem::take(&mut waiting)));
            messages.push(Message::Assistant(answered));
        }
    }
    if !waiting.is_empty() {
        messages.push(Message::User(waiting));
    }
    messages
}

/// Puts a question behind what was said before.
pub(crate) fn ask(messages: &mut Vec<Message>, mut parts: Vec<Part>) {
    match messages.last_mut() {
        Some(Message::User(before)) => before.append(&mut parts),
        _ => messages.push(Message::User(parts)),
    }
}
