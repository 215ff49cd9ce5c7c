//! The blocks of a message: thought, search and its results, text, calls.

use super::Writer;
use crate::provider::{
    ToolCall,
    answer::{Answer, Search, pieces},
    event::Role,
    wire::object,
};
use serde_json::{Value, json};

pub(super) struct Blocks<'a> {
    writer: &'a mut Writer,
    done: Vec<Value>,
}

impl Blocks<'_> {
    /// Writes their events and gives them as they are in the end.
    pub(super) fn write(answer: &Answer, writer: &mut Writer) -> Value {
        let done = Vec::new();
        let mut blocks = Blocks { writer, done };
        if !answer.reasoning.is_empty() {
            blocks.thought(answer);
        }
        if let Some(search) = &answer.search {
            blocks.search(search);
        }
        if !answer.text.is_empty() {
            blocks.text(answer);
        }
        for call in &answer.calls {
            blocks.call(call);
        }
        Value::Array(blocks.done)
    }

    fn start(&mut self, block: Value) {
        let fields = json!({"index": self.done.len(), "content_block": block});
        self.writer
            .event(Role::Frame, "content_block_start", fields);
    }

    fn delta(&mut self, role: Role, delta: Value) {
        let fields = json!({"index": self.done.len(), "delta": delta});
        self.writer.event(role, "content_block_delta", fields);
    }

    fn stop(&mut self, block: Value) {
        let fields = json!({"index": self.done.len()});
        self.writer.event(Role::Frame, "content_block_stop", fields);
        self.done.push(block);
    }

    fn thought(&mut self, answer: &Answer) {
        let signature = "c2lnbmVk";
        self.start(json!({"type": "thinking", "thinking": "", "signature": ""}));
        for thought in &answer.reasoning {
            let delta = json!({"type": "thinking_delta", "thinking": thought});
            self.delta(Role::Piece, delta);
        }
        let delta = json!({"type": "signature_delta", "signature": signature});
        self.delta(Role::Frame, delta);
        let thinking = answer.whole_reasoning();
        self.stop(json!({"type": "thinking", "thinking": thinking, "signature": signature}));
    }

    fn search(&mut self, search: &Search) {
        let id = "srvtoolu_1";
        let used = |input: Value| json!({"type": "server_tool_use", "id": id, "name": "web_search", "input": input});
        let input = json!({"query": search.query});
        self.start(used(json!({})));
        for piece in pieces(&input.to_string(), 2) {
            let delta = json!({"type": "input_json_delta", "partial_json": piece});
            self.delta(Role::Frame, delta);
        }
        self.stop(used(input));
        let found = search.found.iter();
        let found: Vec<Value> = found
            .map(|(title, url)| {
                json!({
                    "type": "web_search_result",
                    "title": title,
                    "url": url,
                    "encrypted_content": "ZW5jcnlwdGVk",
                    "page_age": "November 20, 2026",
                })
            })
            .collect();
        let block = json!({
            "type": "web_search_tool_result",
            "tool_use_id": id,
            "content": found,
        });
        self.start(block.clone());
        self.stop(block);
    }

    fn text(&mut self, answer: &Answer) {
        self.start(json!({"type": "text", "text": ""}));
        for text in &answer.text {
            self.delta(Role::Piece, json!({"type": "text_delta", "text": text}));
        }
        let mut block = json!({"type": "text", "text": answer.whole_text()});
        if let Some(search) = &answer.search {
            let found = search.found.iter();
            let cited: Vec<Value> = found
                .map(|(title, url)| {
                    json!({
                        "type": "web_search_result_location",
                        "cited_text": "",
                        "title": title,
                        "url": url,
                        "encrypted_index": "aW5kZXg",
                    })
                })
                .collect();
            for citation in &cited {
                let delta = json!({"type": "citations_delta", "citation": citation});
                self.delta(Role::Frame, delta);
            }
            block["citations"] = json!(cited);
        }
        self.stop(block);
    }

    fn call(&mut self, call: &ToolCall) {
        let used = |input: Value| json!({"type": "tool_use", "id": call.id, "name": call.name, "input": input});
        self.start(used(json!({})));
        for piece in pieces(&call.arguments, 2) {
            let delta = json!({"type": "input_json_delta", "partial_json": piece});
            self.delta(Role::Piece, delta);
        }
        self.stop(used(object(&call.arguments)));
    }
}
