//! OpenAI Responses: items that are added, grow and are done, and a last event that repeats
//! everything.
//!
//! Written on 2026-11-21 from <https://platform.openai.com/docs/api-reference/responses>,
//! `…/responses-streaming` and
//! <https://developers.openai.com/api/docs/guides/tools-web-search>.

mod items;

use super::{CREATED, model};
use crate::provider::{
    Finish, Request, Usage,
    answer::Answer,
    event::{Event, Role},
};
use items::Items;
use serde_json::{Value, json};

pub(super) fn events(answer: &Answer, request: &Request) -> Vec<Event> {
    let mut writer = Writer::default();
    let begun = response(answer, request, "in_progress", json!([]));
    writer.event(Role::Frame, "response.created", json!({"response": begun}));
    writer.event(
        Role::Frame,
        "response.in_progress",
        json!({"response": begun}),
    );
    let items = Items::write(answer, request, &mut writer);
    if answer.closing_mark {
        let status = status(answer);
        let done = response(answer, request, status, items);
        let name = format!("response.{status}");
        writer.event(Role::Tail, &name, json!({"response": done}));
    }
    writer.events
}

pub(super) fn whole(answer: &Answer, request: &Request) -> Value {
    let items = Items::write(answer, request, &mut Writer::default());
    response(answer, request, status(answer), items)
}

/// Numbers the events.
#[derive(Default)]
struct Writer {
    events: Vec<Event>,
}

impl Writer {
    fn event(&mut self, role: Role, name: &str, fields: Value) {
        let mut event = json!({"type": name, "sequence_number": self.events.len()});
        if let (Some(event), Value::Object(fields)) = (event.as_object_mut(), fields) {
            event.extend(fields);
        }
        self.events.push(Event::new(role, event).named(name));
    }
}

fn status(answer: &Answer) -> &'static str {
    match answer.finish() {
        Finish::Stop | Finish::ToolCalls | Finish::Missing => "completed",
        Finish::Length | Finish::Filtered | Finish::Word(_) => "incomplete",
    }
}

fn response(answer: &Answer, request: &Request, status: &str, output: Value) -> Value {
    let over = status != "in_progress";
    let why = match answer.finish() {
        Finish::Length => json!({"reason": "max_output_tokens"}),
        Finish::Filtered => json!({"reason": "content_filter"}),
        Finish::Word(word) => json!({"reason": word}),
        Finish::Stop | Finish::ToolCalls | Finish::Missing => Value::Null,
    };
    json!({
        "id": format!("resp_{}", request.index),
        "object": "response",
        "created_at": CREATED,
        "status": status,
        "error": null,
        "incomplete_details": match over { true => why, false => Value::Null },
        "model": model(answer, request),
        "output": output,
        "parallel_tool_calls": true,
        "usage": answer.usage.filter(|_| over).map(used),
    })
}

fn used(usage: Usage) -> Value {
    json!({
        "input_tokens": usage.input,
        "input_tokens_details": {"cached_tokens": usage.cached},
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.input + usage.output,
    })
}
