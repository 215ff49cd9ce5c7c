//! Reads chat completions, tolerantly: fields that only some servers send, usage in four
//! places, finish reasons nobody documented.

use super::{calls::Calls, usage};
use crate::{
    chat::{CallKind, Carry, ChatRequest, DoneReason, StreamItem},
    dialect::{
        Replay, Target,
        ending::{Ending, Origin},
        inline::Inline,
        json::{list, text, words},
        reader::{Events, truncated},
    },
    fault::{Fault, FaultClass},
    search::KIMI_SEARCH,
};
use serde_json::{Map, Value, json};

pub(in crate::dialect) struct Reader {
    origin: Origin,
    inline: Inline,
    calls: Calls,
    ending: Ending,
    reason: Option<String>,
    refused: bool,
    /// OpenRouter's thoughts in the form it wants back.
    details: Vec<Value>,
    /// Thoughts, where this endpoint wants them back.
    thoughts: Option<String>,
}

impl Reader {
    pub(in crate::dialect) fn new(target: &Target<'_>, request: &ChatRequest) -> Self {
        let mut known: Vec<String> = request.tools.iter().map(|tool| tool.name.clone()).collect();
        if request.search.is_some() {
            known.push("web_search".to_owned());
        }
        let quirks = target.quirks;
        Self {
            origin: Origin::of(target, &request.model),
            inline: Inline::new(quirks.think_tags, quirks.textual_tool_calls, known),
            calls: Calls::default(),
            ending: Ending::default(),
            reason: None,
            refused: false,
            details: Vec::new(),
            thoughts: (quirks.replay_reasoning != Replay::Never).then(String::new),
        }
    }

    fn delta(&mut self, delta: &Value, out: &mut Vec<StreamItem>) {
        let thought = ["reasoning_content", "reasoning", "reasoning_text"]
            .iter()
            .find_map(|field| words(delta, field));
        if let Some(thought) = thought {
            if let Some(kept) = &mut self.thoughts {
                kept.push_str(thought);
            }
            out.push(StreamItem::Reasoning(thought.to_owned()));
        }
        self.details
            .extend_from_slice(list(delta, "reasoning_details"));
        match delta.get("content") {
            Some(Value::String(text)) if !text.is_empty() => self.inline.push(text, out),
            Some(Value::Array(parts)) => self.parts(parts, out),
            _ => {}
        }
        if let Some(refusal) = words(delta, "refusal") {
            self.refused = true;
            out.push(StreamItem::Text(refusal.to_owned()));
        }
        for call in list(delta, "tool_calls") {
            self.calls.piece(call);
        }
        if let Some(call @ Value::Object(_)) = delta.get("function_call") {
            self.calls.piece(&json!({"index": 0, "function": call}));
        }
        for note in list(delta, "annotations") {
            let cited = note.get("url_citation").unwrap_or(note);
            self.ending.source(text(cited, "url"), text(cited, "title"));
        }
    }

    /// Mistral's list of text and thoughts.
    fn parts(&mut self, parts: &[Value], out: &mut Vec<StreamItem>) {
        for part in parts {
            if let Some(text) = words(part, "text") {
                self.inline.push(text, out);
            }
            for thought in list(part, "thinking") {
                if let Some(thought) = words(thought, "text") {
                    out.push(StreamItem::Reasoning(thought.to_owned()));
                }
            }
        }
    }

    fn carry(&mut self) -> Option<Carry> {
        let mut items = Map::new();
        let details = std::mem::take(&mut self.details);
        if !details.is_empty() {
            items.insert("reasoning_details".into(), merge(details));
        }
        let thoughts = self.thoughts.take().filter(|text| !text.is_empty());
        if let Some(thoughts) = thoughts {
            items.insert("reasoning_content".into(), json!(thoughts));
        }
        (!items.is_empty()).then(|| self.origin.carry(Value::Object(items)))
    }

    fn close(&mut self, out: &mut Vec<StreamItem>) -> Result<(), Fault> {
        self.inline.finish(out);
        let word = self.reason.take();
        let cut = matches!(word.as_deref(), Some("length" | "max_tokens"));
        let calls = std::mem::take(&mut self.calls).finish(cut);
        let any_calls = !calls.is_empty() || self.inline.any_calls();
        for call in calls {
            if call.kind == CallKind::Builtin && call.name == KIMI_SEARCH {
                // The provider has searched already; the call only fetches the results.
                self.ending.searched();
            }
            out.push(StreamItem::ToolCall(call));
        }
        let reason = reason(word.as_deref(), any_calls, self.refused)?;
        let carry = self.carry();
        self.ending.close(reason, carry, out);
        Ok(())
    }
}

impl Events for Reader {
    fn event(&mut self, event: &Value, out: &mut Vec<StreamItem>) -> Result<(), Fault> {
        self.ending.any = true;
        let choices = list(event, "choices");
        let first = choices
            .iter()
            .find(|choice| choice.get("index").and_then(Value::as_u64).unwrap_or(0) == 0);
        if let Some(choice) = first {
            for field in ["delta", "message"] {
                if let Some(delta) = choice.get(field) {
                    self.delta(delta, out);
                }
            }
            if let Some(reason) = words(choice, "finish_reason") {
                self.reason = Some(reason.to_owned());
            }
        }
        if let Some(usage) = usage::find(event, first) {
            self.ending.usage = Some(usage);
        }
        for found in list(event, "web_search") {
            self.ending
                .source(text(found, "link"), text(found, "title"));
        }
        for cited in list(event, "citations") {
            self.ending
                .source(cited.as_str().or(text(cited, "url")), text(cited, "title"));
        }
        Ok(())
    }

    fn end(&mut self, marked: bool, out: &mut Vec<StreamItem>) -> Result<(), Fault> {
        if !self.ending.any || (!marked && self.reason.is_none()) {
            return Err(truncated(self.ending.any));
        }
        self.close(out)
    }

    fn is_done(&self) -> bool {
        self.ending.done
    }

    fn whole(&mut self, body: &Value, out: &mut Vec<StreamItem>) -> Result<(), Fault> {
        if list(body, "choices").is_empty() {
            return Err(Fault::malformed("the answer has no choices"));
        }
        self.event(body, out)
    }
}

/// Everybody's words for why it stopped. Calls that are there count more than the word.
fn reason(word: Option<&str>, calls: bool, refused: bool) -> Result<DoneReason, Fault> {
    let fault = |class, word: &str| Err(Fault::new(class, format!("it stopped with '{word}'")));
    Ok(match word.unwrap_or("stop") {
        "length" | "max_tokens" | "MAX_TOKENS" => DoneReason::Length,
        "model_context_window_exceeded" | "model_length" => DoneReason::ContextFull,
        "content_filter" | "sensitive" | "safety" => DoneReason::ContentFilter,
        word @ "insufficient_system_resource" => return fault(FaultClass::Overloaded, word),
        word @ ("error" | "network_error") => return fault(FaultClass::Server, word),
        _ if calls => DoneReason::ToolCalls,
        _ if refused => DoneReason::ContentFilter,
        "stop" | "end_turn" | "eos" | "eos_token" | "stop_sequence" | "STOP" | "complete"
        | "tool_calls" | "function_call" => DoneReason::Stop,
        other => DoneReason::Other(other.to_owned()),
    })
}

/// Pieces of one thought, by index, into one; its text is concatenated, the rest is the last.
fn merge(pieces: Vec<Value>) -> Value {
    let mut whole: Vec<Value> = Vec::new();
    for piece in pieces {
        let same = |known: &&mut Value| {
            known.get("index").is_some()
                && known.get("index") == piece.get("index")
                && known.get("type") == piece.get("type")
        };
        let Some(known) = whole.iter_mut().find(same) else {
            whole.push(piece);
            continue;
        };
        let Value::Object(fields) = piece else {
            continue;
        };
        for (field, value) in fields {
            match (&field[..], &mut known[&field], value) {
                ("text" | "summary" | "data", Value::String(text), Value::String(more)) => {
                    text.push_str(&more);
                }
                (_, _, Value::Null) => {}
                (_, slot, value) => *slot = value,
            }
        }
    }
    Value::Array(whole)
}
