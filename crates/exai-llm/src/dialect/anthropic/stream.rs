//! Reads Messages. Blocks are put together as they come, because signed thoughts and search
//! results go back unchanged with the turn.

use crate::{
    chat::{CallKind, ChatRequest, DoneReason, StreamItem, ToolCall, Usage},
    dialect::{
        Target,
        ending::{Ending, Origin},
        json::{arguments, count, list, object, text, words},
        reader::{Events, truncated},
    },
    fault::Fault,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

#[derive(Debug)]
struct Block {
    value: Value,
    /// JSON text of a tool's input, in pieces.
    input: String,
}

pub(in crate::dialect) struct Reader {
    origin: Origin,
    ending: Ending,
    open: BTreeMap<u64, Block>,
    blocks: Vec<Value>,
    usage: Usage,
    reason: Option<String>,
    calls: Vec<ToolCall>,
    /// Searches under way; one that failed has not run.
    asked: Vec<String>,
}

impl Reader {
    pub(in crate::dialect) fn new(target: &Target<'_>, request: &ChatRequest) -> Self {
        Self {
            origin: Origin::of(target, &request.model),
            ending: Ending::default(),
            open: BTreeMap::new(),
            blocks: Vec::new(),
            usage: Usage::default(),
            reason: None,
            calls: Vec::new(),
            asked: Vec::new(),
        }
    }

    fn start(&mut self, index: u64, value: &Value, out: &mut Vec<StreamItem>) {
        // The beginning of a block may already say something.
        out.extend(words(value, "text").map(|text| StreamItem::Text(text.to_owned())));
        out.extend(words(value, "thinking").map(|text| StreamItem::Reasoning(text.to_owned())));
        let block = Block {
            value: value.clone(),
            input: String::new(),
        };
        self.open.insert(index, block);
    }

    fn delta(&mut self, index: u64, delta: &Value, out: &mut Vec<StreamItem>) {
        let Some(block) = self.open.get_mut(&index) else {
            return;
        };
        match text(delta, "type").unwrap_or_default() {
            "text_delta" => {
                let more = text(delta, "text").unwrap_or_default();
                append(&mut block.value, "text", more);
                if !more.is_empty() {
                    out.push(StreamItem::Text(more.to_owned()));
                }
            }
            "thinking_delta" => {
                let more = text(delta, "thinking").unwrap_or_default();
                append(&mut block.value, "thinking", more);
                if !more.is_empty() {
                    out.push(StreamItem::Reasoning(more.to_owned()));
                }
            }
            "signature_delta" => {
                append(
                    &mut block.value,
                    "signature",
                    text(delta, "signature").unwrap_or_default(),
                );
            }
            "input_json_delta" => {
                block.input += text(delta, "partial_json").unwrap_or_default();
            }
            "citations_delta" => {
                if let Some(citation) = delta.get("citation") {
                    self.ending
                        .source(text(citation, "url"), text(citation, "title"));
                    if let Some(Value::Array(all)) = block.value.get_mut("citations") {
                        all.push(citation.clone());
                    } else {
                        block.value["citations"] = json!([citation]);
                    }
                }
            }
            _ => {}
        }
    }

    fn stop(&mut self, index: u64) {
        if let Some(mut block) = self.open.remove(&index) {
            if !block.input.is_empty() {
                block.value["input"] = object(&block.input);
            }
            let input = block.input;
            self.block(block.value, Some(input));
        }
    }

    /// A finished block.
    fn block(&mut self, block: Value, raw: Option<String>) {
        match text(&block, "type").unwrap_or_default() {
            "tool_use" => {
                let raw = raw.filter(|raw| !raw.trim().is_empty());
                let half = raw.as_ref().is_some_and(|raw| !is_json(raw));
                self.calls.push(ToolCall {
                    id: text(&block, "id").unwrap_or_default().to_owned(),
                    name: text(&block, "name").unwrap_or_default().to_owned(),
                    arguments: raw.unwrap_or_else(|| arguments(block.get("input"))),
                    kind: CallKind::Function,
                });
                // What is no JSON cannot go back as a block.
                if half {
                    return;
                }
            }
            "server_tool_use" => {
                let query = block.pointer("/input/query").and_then(Value::as_str);
                self.asked.extend(query.map(str::to_owned));
            }
            "web_search_tool_result" if block["content"].is_array() => {
                self.ending.searched();
                for query in self.asked.drain(..) {
                    self.ending.query(Some(&query));
                }
                for found in list(&block, "content") {
                    self.ending.source(text(found, "url"), text(found, "title"));
                }
            }
            // An empty text is refused when it comes back.
            "text" if words(&block, "text").is_none() => return,
            _ => {}
        }
        self.blocks.push(block);
    }

    fn usage(&mut self, usage: Option<&Value>) {
        let Some(usage) = usage.filter(|usage| usage.is_object()) else {
            return;
        };
        let read = count(usage, "cache_read_input_tokens");
        let written = count(usage, "cache_creation_input_tokens");
        if let Some(input) = count(usage, "input_tokens") {
            self.usage.input = Some(input + read.unwrap_or(0) + written.unwrap_or(0));
            self.usage.cached = read.or(self.usage.cached);
            self.usage.cache_written = written.or(self.usage.cache_written);
        }
        self.usage.output = count(usage, "output_tokens").or(self.usage.output);
        let searches = usage
            .get("server_tool_use")
            .and_then(|tools| count(tools, "web_search_requests"));
        self.usage.searches = searches.or(self.usage.searches);
        let thoughts = usage
            .get("output_tokens_details")
            .and_then(|details| count(details, "thinking_tokens"));
        self.usage.reasoning = thoughts.or(self.usage.reasoning);
        self.ending.usage = Some(self.usage);
    }

    fn close(&mut self, out: &mut Vec<StreamItem>) {
        let reason = match self.reason.take().as_deref() {
            Some("max_tokens") => DoneReason::Length,
            Some("model_context_window_exceeded") => DoneReason::ContextFull,
            Some("pause_turn") => DoneReason::Pause,
            Some("refusal") => DoneReason::ContentFilter,
            _ if !self.calls.is_empty() => DoneReason::ToolCalls,
            None | Some("end_turn" | "stop_sequence" | "tool_use") => DoneReason::Stop,
            Some(other) => DoneReason::Other(other.to_owned()),
        };
        let cut = matches!(reason, DoneReason::Length | DoneReason::ContextFull);
        for call in self.calls.drain(..) {
            // A cut answer's half call is none.
            if !cut || is_json(&call.arguments) {
                out.push(StreamItem::ToolCall(call));
            }
        }
        let blocks = std::mem::take(&mut self.blocks);
        let carry = (!blocks.is_empty()).then(|| self.origin.carry(Value::Array(blocks)));
        self.ending.close(reason, carry, out);
    }
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<Value>(text).is_ok()
}

fn append(block: &mut Value, field: &str, more: &str) {
    match block.get_mut(field) {
        Some(Value::String(text)) => text.push_str(more),
        _ => block[field] = json!(more),
    }
}

impl Events for Reader {
    fn event(&mut self, event: &Value, out: &mut Vec<StreamItem>) -> Result<(), Fault> {
        let index = event.get("index").and_then(Value::as_u64).unwrap_or(0);
        let kind = text(event, "type").unwrap_or_default();
        self.ending.any |= kind != "ping";
        match kind {
            "message_start" => self.usage(event.pointer("/message/usage")),
            "content_block_start" => {
                if let Some(block @ Value::Object(_)) = event.get("content_block") {
                    self.start(index, block, out);
                }
            }
            "content_block_delta" => {
                if let Some(delta) = event.get("delta") {
                    self.delta(index, delta, out);
                }
            }
            "content_block_stop" => self.stop(index),
            "message_delta" => {
                let reason = event.pointer("/delta/stop_reason").and_then(Value::as_str);
                self.reason = reason.map(str::to_owned).or(self.reason.take());
                self.usage(event.get("usage"));
            }
            "message_stop" => self.close(out),
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, _: bool, out: &mut Vec<StreamItem>) -> Result<(), Fault> {
        // Some servers forget the last event; the reason is enough.
        if self.reason.is_some() && self.open.is_empty() {
            self.close(out);
            return Ok(());
        }
        Err(truncated(self.ending.any))
    }

    fn is_done(&self) -> bool {
        self.ending.done
    }

    fn whole(&mut self, body: &Value, out: &mut Vec<StreamItem>) -> Result<(), Fault> {
        if body.get("content").is_none() {
            return Err(Fault::malformed("the answer has no content"));
        }
        self.usage(body.get("usage"));
        self.reason = text(body, "stop_reason").map(str::to_owned);
        for block in list(body, "content") {
            out.extend(words(block, "text").map(|text| StreamItem::Text(text.to_owned())));
            out.extend(words(block, "thinking").map(|t| StreamItem::Reasoning(t.to_owned())));
            for citation in list(block, "citations") {
                self.ending
                    .source(text(citation, "url"), text(citation, "title"));
            }
            self.block(block.clone(), None);
        }
        self.close(out);
        Ok(())
    }
}
