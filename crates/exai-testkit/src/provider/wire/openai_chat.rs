//! Chat completions, and what Kimi, GLM and DeepSeek add to them.
//!
//! Written on 2026-11-21 from
//! <https://platform.openai.com/docs/api-reference/chat/create> and `…/chat-streaming`
//! (chunks, `stream_options`, annotations),
//! <https://platform.moonshot.cn/docs/guide/use-web-search> and
//! <https://platform.kimi.ai/docs/api/chat> (`builtin_function`, usage inside the choice,
//! `cached_tokens`), <https://docs.bigmodel.cn/api-reference> (GLM: `reasoning_content`,
//! `web_search` beside the choices), <https://api-docs.deepseek.com> (`reasoning_content`).

use super::{CREATED, model};
use crate::provider::{
    Finish, Request, ToolCall, Usage, UsagePlace,
    answer::{Answer, Search, pieces},
    event::{Event, Role},
};
use serde_json::{Value, json};

pub(super) fn events(answer: &Answer, request: &Request) -> Vec<Event> {
    let writer = Writer { answer, request };
    let mut events = vec![writer.delta(Role::Frame, json!({"role": "assistant", "content": ""}))];
    let thoughts = answer.reasoning.iter();
    events.extend(thoughts.map(|thought| writer.piece(json!({answer.reasoning_field: thought}))));
    let texts = answer.text.iter();
    events.extend(texts.map(|text| writer.piece(json!({"content": text}))));
    for (index, call) in answer.calls.iter().enumerate() {
        let mut first = called(call, "");
        first["index"] = json!(index);
        events.push(writer.delta(Role::Frame, json!({"tool_calls": [first]})));
        for part in pieces(&call.arguments, 2) {
            let part = json!({"index": index, "function": {"arguments": part}});
            events.push(writer.piece(json!({"tool_calls": [part]})));
        }
    }
    events.push(writer.finish());
    events.extend(writer.usage());
    if answer.closing_mark {
        events.push(Event::new(Role::Tail, "[DONE]"));
    }
    events
}

struct Writer<'a> {
    answer: &'a Answer,
    request: &'a Request,
}

impl Writer<'_> {
    fn chunk(&self, delta: Value, finish: Value) -> Value {
        let mut chunk = json!({
            "id": format!("chatcmpl-{}", self.request.index),
            "object": "chat.completion.chunk",
            "created": CREATED,
            "model": model(self.answer, self.request),
            "choices": [{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish}],
        });
        if self.is_usage_asked() {
            chunk["usage"] = Value::Null;
        }
        chunk
    }

    fn delta(&self, role: Role, delta: Value) -> Event {
        Event::new(role, self.chunk(delta, Value::Null))
    }

    fn piece(&self, delta: Value) -> Event {
        self.delta(Role::Piece, delta)
    }

    fn is_usage_asked(&self) -> bool {
        self.request.json("/stream_options/include_usage") == Some(&json!(true))
    }

    /// The chunk with the finish reason, and whatever else belongs into it here.
    fn finish(&self) -> Event {
        let mut chunk = self.chunk(json!({}), finish(self.answer));
        match &self.answer.search {
            Some(search) if is_glm(self.request) => chunk["web_search"] = found(search),
            Some(search) => chunk["choices"][0]["delta"]["annotations"] = annotations(search),
            None => {}
        }
        match (self.answer.usage, self.answer.usage_place) {
            (Some(usage), UsagePlace::InChoice) => chunk["choices"][0]["usage"] = used(usage),
            (Some(usage), UsagePlace::WithFinish) => chunk["usage"] = used(usage),
            (Some(_), UsagePlace::WhenAsked) | (None, _) => {}
        }
        Event::new(Role::Tail, chunk)
    }

    /// The chunk without choices.
    fn usage(&self) -> Option<Event> {
        let place = self.answer.usage_place;
        let usage = self.answer.usage?;
        if place != UsagePlace::WhenAsked || !self.is_usage_asked() {
            return None;
        }
        let mut chunk = self.chunk(json!({}), Value::Null);
        chunk["choices"] = json!([]);
        chunk["usage"] = used(usage);
        Some(Event::new(Role::Tail, chunk))
    }
}

pub(super) fn whole(answer: &Answer, request: &Request) -> Value {
    let mut message = json!({"role": "assistant", "content": answer.whole_text()});
    if !answer.reasoning.is_empty() {
        message[answer.reasoning_field] = json!(answer.whole_reasoning());
    }
    if !answer.calls.is_empty() {
        let calls: Vec<Value> = answer
            .calls
            .iter()
            .map(|call| called(call, &call.arguments))
            .collect();
        message["tool_calls"] = json!(calls);
    }
    let mut body = json!({
        "id": format!("chatcmpl-{}", request.index),
        "object": "chat.completion",
        "created": CREATED,
        "model": model(answer, request),
        "choices": [{
            "index": 0,
            "message": message,
            "logprobs": null,
            "finish_reason": finish(answer),
        }],
    });
    match &answer.search {
        Some(search) if is_glm(request) => body["web_search"] = found(search),
        Some(search) => body["choices"][0]["message"]["annotations"] = annotations(search),
        None => {}
    }
    if let Some(usage) = answer.usage {
        body["usage"] = used(usage);
    }
    body
}

fn is_glm(request: &Request) -> bool {
    request.path.contains("/paas/")
}

fn called(call: &ToolCall, arguments: &str) -> Value {
    let kind = match call.builtin {
        true => "builtin_function",
        false => "function",
    };
    json!({
        "id": call.id,
        "type": kind,
        "function": {"name": call.name, "arguments": arguments},
    })
}

fn annotations(search: &Search) -> Value {
    let cited = search.found.iter().map(|(title, url)| {
        json!({
            "type": "url_citation",
            "url_citation": {"start_index": 0, "end_index": 0, "title": title, "url": url},
        })
    });
    cited.collect()
}

fn found(search: &Search) -> Value {
    let found = search.found.iter().enumerate();
    found
        .map(|(index, (title, url))| {
            json!({
                "refer": format!("ref_{}", index + 1),
                "title": title,
                "link": url,
                "media": "",
                "content": format!("About: {}", search.query),
                "icon": "",
                "publish_date": "2026-11-20",
            })
        })
        .collect()
}

fn used(usage: Usage) -> Value {
    json!({
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.input + usage.output,
        "prompt_tokens_details": {"cached_tokens": usage.cached},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
    })
}

fn finish(answer: &Answer) -> Value {
    match answer.finish() {
        Finish::Stop => json!("stop"),
        Finish::Length => json!("length"),
        Finish::ToolCalls => json!("tool_calls"),
        Finish::Filtered => json!("content_filter"),
        Finish::Word(word) => json!(word),
        Finish::Missing => Value::Null,
    }
}
