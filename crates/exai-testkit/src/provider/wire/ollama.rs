//! Ollama's `/api/chat`: one JSON object a line, the last one with the numbers.
//!
//! Written on 2026-11-21 from <https://docs.ollama.com/api/chat>,
//! <https://docs.ollama.com/api/usage> (durations in nanoseconds),
//! <https://docs.ollama.com/capabilities/thinking> and `…/capabilities/tool-calling`.

use super::{CREATED_AT, model, object};
use crate::provider::{
    Finish, Request,
    answer::Answer,
    event::{Event, Role},
};
use serde_json::{Value, json};

const MILLISECOND: u64 = 1_000_000;
const LOAD: u64 = 100 * MILLISECOND;
const PROMPT_TOKEN: u64 = MILLISECOND;
const TOKEN: u64 = 20 * MILLISECOND;

pub(super) fn events(answer: &Answer, request: &Request) -> Vec<Event> {
    let line = |message: Value| {
        Event::new(
            Role::Piece,
            json!({
                "model": model(answer, request),
                "created_at": CREATED_AT,
                "message": message,
                "done": false,
            }),
        )
    };
    let mut events: Vec<Event> = Vec::new();
    for thought in &answer.reasoning {
        events.push(line(
            json!({"role": "assistant", "content": "", "thinking": thought}),
        ));
    }
    for text in &answer.text {
        events.push(line(json!({"role": "assistant", "content": text})));
    }
    if !answer.calls.is_empty() {
        let calls = calls(answer);
        events.push(line(
            json!({"role": "assistant", "content": "", "tool_calls": calls}),
        ));
    }
    let empty = json!({"role": "assistant", "content": ""});
    events.push(Event::new(Role::Tail, done(answer, request, empty)));
    events
}

pub(super) fn whole(answer: &Answer, request: &Request) -> Value {
    let mut message = json!({"role": "assistant", "content": answer.whole_text()});
    if !answer.reasoning.is_empty() {
        message["thinking"] = json!(answer.whole_reasoning());
    }
    if !answer.calls.is_empty() {
        message["tool_calls"] = calls(answer);
    }
    done(answer, request, message)
}

fn calls(answer: &Answer) -> Value {
    let calls = answer.calls.iter();
    calls
        .map(|call| json!({"function": {"name": call.name, "arguments": object(&call.arguments)}}))
        .collect()
}

fn done(answer: &Answer, request: &Request, message: Value) -> Value {
    let mut done = json!({
        "model": model(answer, request),
        "created_at": CREATED_AT,
        "message": message,
        "done": true,
    });
    match answer.finish() {
        // It has no word of its own for calls and refusals.
        Finish::Stop | Finish::ToolCalls | Finish::Filtered => done["done_reason"] = json!("stop"),
        Finish::Length => done["done_reason"] = json!("length"),
        Finish::Word(word) => done["done_reason"] = json!(word),
        Finish::Missing => {}
    }
    if let Some(usage) = answer.usage {
        let (read, wrote) = (usage.input * PROMPT_TOKEN, usage.output * TOKEN);
        done["total_duration"] = json!(LOAD + read + wrote);
        done["load_duration"] = json!(LOAD);
        done["prompt_eval_count"] = json!(usage.input);
        done["prompt_eval_duration"] = json!(read);
        done["eval_count"] = json!(usage.output);
        done["eval_duration"] = json!(wrote);
    }
    done
}
