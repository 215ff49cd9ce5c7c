//! The items of a response, in the order in which models produce them: thought, search, text,
//! calls.

use super::Writer;
use crate::provider::{
    Request, ToolCall,
    answer::{Answer, Search, pieces},
    event::Role,
};
use serde_json::{Value, json};

pub(super) struct Items<'a> {
    writer: &'a mut Writer,
    number: usize,
    done: Vec<Value>,
}

impl Items<'_> {
    /// Writes their events and gives them as they are in the end.
    pub(super) fn write(answer: &Answer, request: &Request, writer: &mut Writer) -> Value {
        let mut items = Items {
            writer,
            number: request.index,
            done: Vec::new(),
        };
        if !answer.reasoning.is_empty() {
            items.thought(answer);
        }
        if let Some(search) = &answer.search {
            items.search(search);
        }
        if !answer.text.is_empty() || answer.calls.is_empty() {
            items.message(answer);
        }
        for call in &answer.calls {
            items.call(call);
        }
        Value::Array(items.done)
    }

    fn id(&self, kind: &str) -> String {
        format!("{kind}_{}_{}", self.number, self.done.len())
    }

    fn added(&mut self, item: Value) {
        let fields = json!({"output_index": self.done.len(), "item": item});
        self.writer
            .event(Role::Frame, "response.output_item.added", fields);
    }

    fn finished(&mut self, item: Value) {
        let fields = json!({"output_index": self.done.len(), "item": item});
        self.writer
            .event(Role::Frame, "response.output_item.done", fields);
        self.done.push(item);
    }

    /// An event about a part of the current item.
    fn part(&mut self, role: Role, name: &str, id: &str, mut fields: Value) {
        fields["item_id"] = json!(id);
        fields["output_index"] = json!(self.done.len());
        self.writer.event(role, name, fields);
    }

    fn thought(&mut self, answer: &Answer) {
        let id = self.id("rs");
        let at = |mut fields: Value| {
            fields["summary_index"] = json!(0);
            fields
        };
        let part = |text: &str| json!({"type": "summary_text", "text": text});
        let whole = answer.whole_reasoning();
        self.added(json!({"id": id, "type": "reasoning", "summary": []}));
        let name = "response.reasoning_summary_part.added";
        self.part(Role::Frame, name, &id, at(json!({"part": part("")})));
        for thought in &answer.reasoning {
            let name = "response.reasoning_summary_text.delta";
            self.part(Role::Piece, name, &id, at(json!({"delta": thought})));
        }
        let name = "response.reasoning_summary_text.done";
        self.part(Role::Frame, name, &id, at(json!({"text": whole})));
        let name = "response.reasoning_summary_part.done";
        self.part(Role::Frame, name, &id, at(json!({"part": part(&whole)})));
        self.finished(json!({"id": id, "type": "reasoning", "summary": [part(&whole)]}));
    }

    fn search(&mut self, search: &Search) {
        let id = self.id("ws");
        self.added(json!({"id": id, "type": "web_search_call", "status": "in_progress"}));
        for state in ["in_progress", "searching", "completed"] {
            let name = format!("response.web_search_call.{state}");
            self.part(Role::Frame, &name, &id, json!({}));
        }
        let sources = search.found.iter();
        let sources: Vec<Value> = sources
            .map(|(_, url)| json!({"type": "url", "url": url}))
            .collect();
        self.finished(json!({
            "id": id,
            "type": "web_search_call",
            "status": "completed",
            "action": {"type": "search", "query": search.query, "sources": sources},
        }));
    }

    fn message(&mut self, answer: &Answer) {
        let id = self.id("msg");
        let whole = answer.whole_text();
        let cited = citations(answer, &whole);
        let part = |text: &str, cited: &[Value]| json!({"type": "output_text", "text": text, "annotations": cited});
        let item = |status: &str, content: Value| json!({"id": id, "type": "message", "status": status, "role": "assistant", "content": content});
        self.added(item("in_progress", json!([])));
        let (name, at) = ("response.content_part.added", "content_index");
        self.part(
            Role::Frame,
            name,
            &id,
            json!({at: 0, "part": part("", &[])}),
        );
        for text in &answer.text {
            let fields = json!({at: 0, "delta": text, "logprobs": []});
            self.part(Role::Piece, "response.output_text.delta", &id, fields);
        }
        let name = "response.output_text.annotation.added";
        for (index, cited) in cited.iter().enumerate() {
            let fields = json!({at: 0, "annotation_index": index, "annotation": cited});
            self.part(Role::Frame, name, &id, fields);
        }
        let fields = json!({at: 0, "text": whole, "logprobs": []});
        self.part(Role::Frame, "response.output_text.done", &id, fields);
        let part = part(&whole, &cited);
        let fields = json!({at: 0, "part": part});
        self.part(Role::Frame, "response.content_part.done", &id, fields);
        self.finished(item("completed", json!([part])));
    }

    fn call(&mut self, call: &ToolCall) {
        let id = self.id("fc");
        let item = |status: &str, arguments: &str| {
            json!({
                "id": id,
                "type": "function_call",
                "status": status,
                "call_id": call.id,
                "name": call.name,
                "arguments": arguments,
            })
        };
        self.added(item("in_progress", ""));
        for piece in pieces(&call.arguments, 2) {
            let name = "response.function_call_arguments.delta";
            self.part(Role::Piece, name, &id, json!({"delta": piece}));
        }
        let name = "response.function_call_arguments.done";
        self.part(Role::Frame, name, &id, json!({"arguments": call.arguments}));
        self.finished(item("completed", &call.arguments));
    }
}

fn citations(answer: &Answer, text: &str) -> Vec<Value> {
    let found = answer.search.as_ref().map(|search| search.found.as_slice());
    let found = found.unwrap_or_default().iter();
    let end = text.chars().count();
    found
        .map(|(title, url)| {
            json!({
                "type": "url_citation",
                "start_index": 0,
                "end_index": end,
                "title": title,
                "url": url,
            })
        })
        .collect()
}
