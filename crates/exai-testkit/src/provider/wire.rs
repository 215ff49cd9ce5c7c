//! One answer in each dialect. The files of this folder only write; they were made from the
//! documentation they name, independently of the product's readers, so that one can be wrong
//! without the other. On 2026-11-21 the vendors' own clients for Python (openai 3.52.0,
//! anthropic 2.11.0, google-genai 3.4.0, ollama 0.6.3) read every shape, streamed and whole.

mod anthropic;
pub(super) mod gemini;
mod ollama;
mod openai_chat;
mod refusal;
mod responses;

pub(super) use refusal::{error_event, refusal};

use super::{
    Dialect, Request,
    answer::Answer,
    event::{Event, Framing},
};
use serde_json::Value;

/// 2026-11-21, so that answers are the same in every run.
const CREATED: u64 = 1_795_219_200;
const CREATED_AT: &str = "2026-11-21T00:00:00.000000Z";

pub(super) fn framing(dialect: Dialect) -> Framing {
    match dialect {
        Dialect::Ollama => Framing::Lines,
        _ => Framing::Sse,
    }
}

pub(super) fn content_type(framing: Framing) -> &'static str {
    match framing {
        Framing::Sse => "text/event-stream; charset=utf-8",
        Framing::Lines => "application/x-ndjson",
    }
}

/// The answer as a stream.
pub(super) fn events(answer: &Answer, request: &Request) -> Vec<Event> {
    let mut events = match request.dialect {
        Dialect::OpenAiChat => openai_chat::events(answer, request),
        Dialect::Responses => responses::events(answer, request),
        Dialect::Anthropic => anthropic::events(answer, request),
        Dialect::Gemini => gemini::events(answer, request),
        Dialect::Ollama => ollama::events(answer, request),
    };
    if answer.padding > 0 {
        // The last event that is an object: `[DONE]` cannot grow.
        let last = events
            .iter_mut()
            .rev()
            .find(|event| event.data.ends_with('}'));
        if let Some(last) = last {
            last.data.pop();
            let padding = "x".repeat(answer.padding);
            last.data.push_str(&format!(r#","padding":"{padding}"}}"#));
        }
    }
    events
}

/// The answer in one piece.
pub(super) fn whole(answer: &Answer, request: &Request) -> Value {
    match request.dialect {
        Dialect::OpenAiChat => openai_chat::whole(answer, request),
        Dialect::Responses => responses::whole(answer, request),
        Dialect::Anthropic => anthropic::whole(answer, request),
        Dialect::Gemini => gemini::whole(answer, request),
        Dialect::Ollama => ollama::whole(answer, request),
    }
}

fn model(answer: &Answer, request: &Request) -> String {
    let asked = || request.model().unwrap_or("unnamed").to_owned();
    answer.model.clone().unwrap_or_else(asked)
}

/// Arguments as an object, where a dialect has no text for them; text that is no JSON stays.
fn object(arguments: &str) -> Value {
    serde_json::from_str(arguments).unwrap_or_else(|_| Value::String(arguments.to_owned()))
}

pub(super) fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        408 => "Request Timeout",
        413 => "Content Too Large",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        529 => "Overloaded",
        _ => "Scripted",
    }
}
