//! Anthropic Messages: blocks that start, grow and stop, in named events.
//!
//! Written on 2026-11-21 from
//! <https://platform.claude.com/docs/en/build-with-claude/streaming>,
//! `…/api/messages` (usage, stop reasons) and
//! `…/agents-and-tools/tool-use/web-search-tool`.

mod blocks;

use super::model;
use crate::provider::{
    Finish, Request, Usage,
    answer::Answer,
    event::{Event, Role},
};
use blocks::Blocks;
use serde_json::{Value, json};

pub(super) fn events(answer: &Answer, request: &Request) -> Vec<Event> {
    let mut writer = Writer::default();
    let mut begun = message(answer, request, json!([]));
    begun["stop_reason"] = Value::Null;
    begun["usage"]["output_tokens"] = json!(1);
    writer.event(Role::Frame, "message_start", json!({"message": begun}));
    writer.event(Role::Frame, "ping", json!({}));
    Blocks::write(answer, &mut writer);
    let mut delta = json!({"delta": {"stop_reason": finish(answer), "stop_sequence": null}});
    if let Some(usage) = answer.usage {
        delta["usage"] = used(usage, answer);
    }
    writer.event(Role::Tail, "message_delta", delta);
    if answer.closing_mark {
        writer.event(Role::Tail, "message_stop", json!({}));
    }
    writer.events
}

pub(super) fn whole(answer: &Answer, request: &Request) -> Value {
    let blocks = Blocks::write(answer, &mut Writer::default());
    message(answer, request, blocks)
}

#[derive(Default)]
struct Writer {
    events: Vec<Event>,
}

impl Writer {
    fn event(&mut self, role: Role, name: &str, fields: Value) {
        let mut event = json!({"type": name});
        if let (Some(event), Value::Object(fields)) = (event.as_object_mut(), fields) {
            event.extend(fields);
        }
        self.events.push(Event::new(role, event).named(name));
    }
}

fn message(answer: &Answer, request: &Request, content: Value) -> Value {
    json!({
        "id": format!("msg_{}", request.index),
        "type": "message",
        "role": "assistant",
        "content": content,
        "model": model(answer, request),
        "stop_reason": finish(answer),
        "stop_sequence": null,
        "usage": used(answer.usage.unwrap_or_default(), answer),
    })
}

/// What was cached is beside the input here, not inside it.
fn used(usage: Usage, answer: &Answer) -> Value {
    let mut used = json!({
        "input_tokens": usage.input.saturating_sub(usage.cached + usage.cache_written),
        "cache_creation_input_tokens": usage.cache_written,
        "cache_read_input_tokens": usage.cached,
        "output_tokens": usage.output,
    });
    if answer.search.is_some() {
        used["server_tool_use"] = json!({"web_search_requests": answer.searches()});
    }
    used
}

fn finish(answer: &Answer) -> Value {
    match answer.finish() {
        Finish::Stop => json!("end_turn"),
        Finish::Length => json!("max_tokens"),
        Finish::ToolCalls => json!("tool_use"),
        Finish::Filtered => json!("refusal"),
        Finish::Word(word) => json!(word),
        Finish::Missing => Value::Null,
    }
}
