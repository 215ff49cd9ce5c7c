//! Kimi's `$web_search`: the model "calls" it, the caller answers with the call's own
//! arguments unchanged, and the provider searches. The tool must be in every request of the
//! loop, so the next request is the same wish with more messages, and nothing is dropped.

use crate::chat::{AssistantTurn, CallKind, DoneReason, Message, ToolCall, ToolResult};
use serde_json::{Value, json};

/// The built-in's name.
pub const KIMI_SEARCH: &str = "$web_search";
/// Rounds of echo for one answer; each is a request that costs money.
pub const MOST_ECHO_ROUNDS: u32 = 6;

pub(crate) fn kimi_tool() -> Value {
    json!({"type": "builtin_function", "function": {"name": KIMI_SEARCH}})
}

/// Tokens of what the searches in these messages found: Kimi says how many when it asks for the
/// echo, and reads them with the next request.
pub(crate) fn found_tokens(messages: &[Message]) -> u64 {
    let found = |message: &Message| match message {
        Message::Tool(result) if result.name == KIMI_SEARCH => {
            let said: Value = serde_json::from_str(&result.content).ok()?;
            said.pointer("/usage/total_tokens")?.as_u64()
        }
        _ => None,
    };
    let sum = |sum: u64, more: u64| sum.saturating_add(more);
    messages.iter().filter_map(found).fold(0, sum)
}

/// What to do after a turn that asked for the built-in.
#[derive(Debug, Clone, PartialEq)]
pub enum Echo {
    /// No built-in was asked for.
    Nothing,
    /// Append these and send the same wish again.
    Again(Vec<Message>),
    /// Append these once the caller's own tools have answered these calls too.
    AfterTools {
        /// The turn and the echoes.
        messages: Vec<Message>,
        /// What the caller has to run.
        waiting: Vec<ToolCall>,
    },
}

/// The echo to a turn that ended for this reason.
#[must_use]
pub fn echo(turn: &AssistantTurn, reason: &DoneReason) -> Echo {
    let (builtin, waiting): (Vec<ToolCall>, Vec<ToolCall>) = turn
        .tool_calls
        .iter()
        .cloned()
        .partition(|call| call.kind == CallKind::Builtin);
    if builtin.is_empty() || *reason != DoneReason::ToolCalls {
        return Echo::Nothing;
    }
    let mut messages = vec![Message::Assistant(turn.clone())];
    messages.extend(builtin.into_iter().map(|call| {
        Message::Tool(ToolResult {
            call_id: call.id,
            name: call.name,
            content: call.arguments,
            is_error: false,
        })
    }));
    if waiting.is_empty() {
        Echo::Again(messages)
    } else {
        Echo::AfterTools { messages, waiting }
    }
}
