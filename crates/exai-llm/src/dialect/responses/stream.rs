//! Reads Responses: deltas for what a person watches, finished items for all else.

use crate::{
    chat::{CallKind, ChatRequest, DoneReason, StreamItem, ToolCall, Usage},
    dialect::{
        Target,
        ending::{Ending, Origin},
        errors::in_stream,
        json::{arguments, count, list, text, words},
        reader::{Events, truncated},
    },
    fault::Fault,
};
use serde_json::{Value, json};

pub(in crate::dialect) struct Reader {
    origin: Origin,
    ending: Ending,
    /// Finished items: what goes back unchanged with the turn.
    items: Vec<Value>,
    calls: usize,
    searches: u64,
    refused: bool,
    thoughts: usize,
}

impl Reader {
    pub(in crate::dialect) fn new(target: &Target<'_>, request: &ChatRequest) -> Self {
        Self {
            origin: Origin::of(target, &request.model),
            ending: Ending::default(),
            items: Vec::new(),
            calls: 0,
            searches: 0,
            refused: false,
            thoughts: 0,
        }
    }

    fn item(&mut self, item: &Value, out: &mut Vec<StreamItem>) {
        match text(item, "type") {
            // A cut answer's half call is none, and does not go back.
            Some("function_call") if text(item, "status") == Some("incomplete") => return,
            Some("function_call") => {
                self.calls += 1;
                let id = words(item, "call_id").or_else(|| words(item, "id"));
                out.push(StreamItem::ToolCall(ToolCall {
                    id: id.map_or_else(|| format!("call_{}", self.calls), str::to_owned),
                    name: text(item, "name").unwrap_or_default().to_owned(),
                    arguments: arguments(item.get("arguments")),
                    kind: CallKind::Function,
                }));
            }
            Some("web_search_call") => self.search(item),
            Some("message") => {
                for part in list(item, "content") {
                    for note in list(part, "annotations") {
                        self.cite(note);
                    }
                }
            }
            _ => {}
        }
        self.items.push(item.clone());
    }

    fn search(&mut self, item: &Value) {
        // Opening a page of an earlier search is not billed as one.
        let action = item.get("action").unwrap_or(&Value::Null);
        if text(item, "status") == Some("failed") {
            return;
        }
        self.ending.searched();
        if text(action, "type").is_none_or(|kind| kind == "search") {
            self.searches += 1;
        }
        self.ending.query(text(action, "query"));
        for query in list(action, "queries") {
            self.ending.query(query.as_str());
        }
        for source in list(action, "sources") {
            self.ending
                .source(text(source, "url"), text(source, "title"));
        }
    }

    fn cite(&mut self, note: &Value) {
        if text(note, "type") == Some("url_citation") {
            self.ending.source(text(note, "url"), text(note, "title"));
        }
    }

    fn completed(&mut self, response: &Value, out: &mut Vec<StreamItem>) {
        if let Some(usage) = response.get("usage").filter(|usage| usage.is_object()) {
            let under = |group: &str, field: &str| count(usage.get(group)?, field);
            self.ending.usage = Some(Usage {
                input: count(usage, "input_tokens"),
                cached: under("input_tokens_details", "cached_tokens"),
                output: count(usage, "output_tokens"),
                reasoning: under("output_tokens_details", "reasoning_tokens"),
                searches: (self.searches > 0).then_some(self.searches),
                ..Usage::default()
            });
        }
        let why = response
            .pointer("/incomplete_details/reason")
            .and_then(Value::as_str);
        let reason = match (why, text(response, "status")) {
            (Some("max_output_tokens" | "max_tokens"), _) => DoneReason::Length,
            (Some("content_filter"), _) => DoneReason::ContentFilter,
            (Some(other), _) => DoneReason::Other(other.to_owned()),
            (None, Some("incomplete")) => DoneReason::Length,
            _ if self.calls > 0 => DoneReason::ToolCalls,
            _ if self.refused => DoneReason::ContentFilter,
            _ => DoneReason::Stop,
        };
        let items = std::mem::take(&mut self.items);
        let carry = (!items.is_empty()).then(|| self.origin.carry(Value::Array(items)));
        self.ending.close(reason, carry, out);
    }
}

impl Events for Reader {
    fn event(&mut self, event: &Value, out: &mut Vec<StreamItem>) -> Result<(), Fault> {
        self.ending.any = true;
        let delta = || words(event, "delta").map(str::to_owned);
        match text(event, "type").unwrap_or_default() {
            "response.output_text.delta" => out.extend(delta().map(StreamItem::Text)),
            "response.refusal.delta" => {
                self.refused = true;
                out.extend(delta().map(StreamItem::Text));
            }
            "response.reasoning_summary_text.delta" | "response.reasoning_text.delta" => {
                out.extend(delta().map(StreamItem::Reasoning));
            }
            "response.reasoning_summary_part.added" => {
                self.thoughts += 1;
                if self.thoughts > 1 {
                    out.push(StreamItem::Reasoning("\n\n".to_owned()));
                }
            }
            "response.output_text.annotation.added" => {
                if let Some(note) = event.get("annotation") {
                    self.cite(note);
                }
            }
            "response.output_item.done" => {
                if let Some(item) = event.get("item") {
                    self.item(item, out);
                }
            }
            "response.completed" | "response.incomplete" => {
                self.completed(event.get("response").unwrap_or(&json!({})), out);
            }
            "response.cancelled" => return Err(truncated(true)),
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, _: bool, _: &mut Vec<StreamItem>) -> Result<(), Fault> {
        Err(truncated(self.ending.any))
    }

    fn is_done(&self) -> bool {
        self.ending.done
    }

    fn whole(&mut self, body: &Value, out: &mut Vec<StreamItem>) -> Result<(), Fault> {
        if text(body, "status") == Some("failed") {
            return Err(in_stream(crate::dialect::Dialect::OpenaiResponses, body));
        }
        if body.get("output").is_none() {
            return Err(Fault::malformed("the answer has no output"));
        }
        for item in list(body, "output") {
            for part in list(item, "summary") {
                out.extend(words(part, "text").map(|t| StreamItem::Reasoning(t.to_owned())));
            }
            for part in list(item, "content") {
                let said = words(part, "text").or_else(|| words(part, "refusal"));
                self.refused |= words(part, "refusal").is_some();
                out.extend(said.map(|text| StreamItem::Text(text.to_owned())));
            }
            self.item(item, out);
        }
        self.completed(body, out);
        Ok(())
    }
}
