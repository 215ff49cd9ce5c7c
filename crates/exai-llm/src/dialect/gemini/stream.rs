//! Reads `streamGenerateContent`. Nothing marks the end but a finish reason and the close of
//! the connection; usage may still come after the reason.

use crate::{
    chat::{CallKind, ChatRequest, DoneReason, StreamItem, ToolCall, Usage},
    dialect::{
        Target,
        ending::{Ending, Origin},
        json::{arguments, count, list, text, words},
        reader::{Events, truncated},
    },
    fault::Fault,
};
use serde_json::{Value, json};

pub(in crate::dialect) struct Reader {
    origin: Origin,
    ending: Ending,
    /// What the model said, as parts: signatures go back unchanged.
    parts: Vec<Value>,
    calls: usize,
    reason: Option<String>,
}

impl Reader {
    pub(in crate::dialect) fn new(target: &Target<'_>, request: &ChatRequest) -> Self {
        Self {
            origin: Origin::of(target, &request.model),
            ending: Ending::default(),
            parts: Vec::new(),
            calls: 0,
            reason: None,
        }
    }

    fn part(&mut self, part: &Value, out: &mut Vec<StreamItem>) {
        if let Some(said) = words(part, "text") {
            let thought = part.get("thought").and_then(Value::as_bool) == Some(true);
            out.push(if thought {
                StreamItem::Reasoning(said.to_owned())
            } else {
                StreamItem::Text(said.to_owned())
            });
        }
        if let Some(call) = part.get("functionCall") {
            self.calls += 1;
            let id = words(call, "id");
            out.push(StreamItem::ToolCall(ToolCall {
                id: id.map_or_else(|| format!("call_{}", self.calls), str::to_owned),
                name: text(call, "name").unwrap_or_default().to_owned(),
                arguments: call
                    .get("args")
                    .map_or_else(|| "{}".to_owned(), |args| arguments(Some(args))),
                kind: CallKind::Function,
            }));
        }
        self.keep(part);
    }

    /// Text in pieces becomes one part again, unless a signature stands between.
    fn keep(&mut self, part: &Value) {
        let plain = |part: &Value| {
            part.as_object()
                .is_some_and(|fields| fields.keys().all(|key| key == "text" || key == "thought"))
        };
        if let Some(last) = self.parts.last_mut()
            && plain(last)
            && plain(part)
            && last.get("thought") == part.get("thought")
            && let (Some(before), Some(more)) = (text(last, "text"), text(part, "text"))
        {
            let joined = format!("{before}{more}");
            last["text"] = json!(joined);
            return;
        }
        if plain(part) && words(part, "text").is_none() {
            return;
        }
        self.parts.push(part.clone());
    }

    fn ground(&mut self, metadata: &Value) {
        for query in list(metadata, "webSearchQueries") {
            self.ending.query(query.as_str());
        }
        for chunk in list(metadata, "groundingChunks") {
            if let Some(web) = chunk.get("web") {
                self.ending.source(text(web, "uri"), text(web, "title"));
            }
        }
    }

    fn usage(&mut self, usage: &Value) {
        let sum = |one: Option<u64>, two: Option<u64>| match (one, two) {
            (None, None) => None,
            (one, two) => Some(one.unwrap_or(0) + two.unwrap_or(0)),
        };
        let thoughts = count(usage, "thoughtsTokenCount");
        self.ending.usage = Some(Usage {
            input: sum(
                count(usage, "promptTokenCount"),
                count(usage, "toolUsePromptTokenCount"),
            ),
            cached: count(usage, "cachedContentTokenCount"),
            output: sum(count(usage, "candidatesTokenCount"), thoughts),
            reasoning: thoughts,
            ..Usage::default()
        });
    }
}

impl Events for Reader {
    fn event(&mut self, event: &Value, out: &mut Vec<StreamItem>) -> Result<(), Fault> {
        // Without `alt=sse` the stream is one list of the same chunks.
        if let Value::Array(chunks) = event {
            return chunks.iter().try_for_each(|chunk| self.event(chunk, out));
        }
        self.ending.any = true;
        if let Some(candidate) = list(event, "candidates").first() {
            for part in candidate
                .get("content")
                .map_or(&[][..], |content| list(content, "parts"))
            {
                self.part(part, out);
            }
            if let Some(metadata) = candidate.get("groundingMetadata") {
                self.ground(metadata);
            }
            let reason = words(candidate, "finishReason").map(str::to_owned);
            self.reason = reason.or(self.reason.take());
        }
        if let Some(usage) = event.get("usageMetadata") {
            self.usage(usage);
        }
        if let Some(blocked) = event.pointer("/promptFeedback/blockReason") {
            self.reason = Some(blocked.as_str().unwrap_or("SAFETY").to_owned());
        }
        Ok(())
    }

    fn end(&mut self, _: bool, out: &mut Vec<StreamItem>) -> Result<(), Fault> {
        let Some(reason) = self.reason.take() else {
            return Err(truncated(self.ending.any));
        };
        let reason = match reason.as_str() {
            "MAX_TOKENS" => DoneReason::Length,
            "SAFETY" | "RECITATION" | "BLOCKLIST" | "PROHIBITED_CONTENT" | "SPII"
            | "IMAGE_SAFETY" => DoneReason::ContentFilter,
            _ if self.calls > 0 => DoneReason::ToolCalls,
            "STOP" => DoneReason::Stop,
            other => DoneReason::Other(other.to_owned()),
        };
        let parts = std::mem::take(&mut self.parts);
        let carry = (!parts.is_empty()).then(|| self.origin.carry(Value::Array(parts)));
        self.ending.close(reason, carry, out);
        Ok(())
    }

    fn is_done(&self) -> bool {
        self.ending.done
    }

    fn whole(&mut self, body: &Value, out: &mut Vec<StreamItem>) -> Result<(), Fault> {
        self.event(body, out)?;
        if self.reason.is_none() {
            return Err(Fault::malformed("the answer has no finish reason"));
        }
        Ok(())
    }
}
