//! Turns that somebody else remembers: the command line's own conversation. They are sent as
//! what they are, turns of a conversation, and not as text inside a prompt.

use crate::args::Args;
use exai_engine::{
    ports::models::{AssistantTurn, Message, Pin, Wish},
    tool::ToolError,
};
use serde::Deserialize;

/// One question and its answer.
#[derive(Deserialize)]
struct Turn {
    asked: String,
    answered: String,
}

/// Puts the earlier turns before the one to come, and keeps to their model.
pub(super) fn before(args: &Args, wish: &mut Wish) -> Result<(), ToolError> {
    let turns: Vec<Turn> = args
        .shaped("turns", "a list of {asked, answered}")?
        .unwrap_or_default();
    wish.pin = args.shaped::<Pin>("pin", "{endpoint, model}")?;
    for turn in turns {
        wish.chat.messages.push(Message::user(turn.asked));
        wish.chat.messages.push(Message::Assistant(AssistantTurn {
            text: turn.answered,
            ..AssistantTurn::default()
        }));
    }
    wish.chat.cache.stable_messages = wish.chat.messages.len();
    Ok(())
}
