//! Reads `/api/chat`: whole objects, one a line, the last with the counts.

use crate::{
    chat::{CallKind, ChatRequest, DoneReason, StreamItem, Timing, ToolCall, Usage},
    dialect::{
        Replay, Target,
        ending::{Ending, Origin},
        inline::Inline,
        json::{arguments, count, list, text, words},
        reader::{Events, truncated},
    },
    fault::Fault,
};
use serde_json::{Value, json};

pub(in crate::dialect) struct Reader {
    inline: Inline,
    origin: Origin,
    ending: Ending,
    /// Thoughts, where this endpoint wants them back.
    thoughts: Option<String>,
    calls: usize,
}

impl Reader {
    pub(in crate::dialect) fn new(target: &Target<'_>, request: &ChatRequest) -> Self {
        let known = request.tools.iter().map(|tool| tool.name.clone()).collect();
        let quirks = target.quirks;
        Self {
            inline: Inline::new(quirks.think_tags, quirks.textual_tool_calls, known),
            origin: Origin::of(target, &request.model),
            ending: Ending::default(),
            thoughts: (quirks.replay_reasoning != Replay::Never).then(String::new),
            calls: 0,
        }
    }

    fn call(&mut self, call: &Value, out: &mut Vec<StreamItem>) {
        self.calls += 1;
        let function = call.get("function").unwrap_or(call);
        let id = words(call, "id");
        out.push(StreamItem::ToolCall(ToolCall {
            id: id.map_or_else(|| format!("call_{}", self.calls), str::to_owned),
            name: text(function, "name").unwrap_or_default().to_owned(),
            arguments: function
                .get("arguments")
                .map_or_else(|| "{}".to_owned(), |value| arguments(Some(value))),
            kind: CallKind::Function,
        }));
    }
}

/// The last line says in nanoseconds what loading, reading and writing took.
fn timing(event: &Value) -> Option<Timing> {
    let micros = |field| Some(count(event, field)? / 1000);
    let timing = Timing {
        load_us: micros("load_duration"),
        read_us: micros("prompt_eval_duration"),
        write_us: micros("eval_duration"),
    };
    (timing != Timing::default()).then_some(timing)
}

impl Events for Reader {
    fn event(&mut self, event: &Value, out: &mut Vec<StreamItem>) -> Result<(), Fault> {
        self.ending.any = true;
        if let Some(message) = event.get("message") {
            let thought = words(message, "thinking");
            if let (Some(kept), Some(thought)) = (&mut self.thoughts, thought) {
                kept.push_str(thought);
            }
            out.extend(thought.map(|text| StreamItem::Reasoning(text.to_owned())));
            if let Some(text) = words(message, "content") {
                self.inline.push(text, out);
            }
            for call in list(message, "tool_calls") {
                self.call(call, out);
            }
        }
        if event.get("done").and_then(Value::as_bool) != Some(true) {
            return Ok(());
        }
        self.inline.finish(out);
        let input = count(event, "prompt_eval_count");
        let output = count(event, "eval_count");
        self.ending.usage = (input.is_some() || output.is_some()).then(|| Usage {
            input,
            output,
            timing: timing(event),
            ..Usage::default()
        });
        let calls = self.calls > 0 || self.inline.any_calls();
        let reason = match text(event, "done_reason") {
            Some("length") => DoneReason::Length,
            _ if calls => DoneReason::ToolCalls,
            None | Some("stop" | "") => DoneReason::Stop,
            Some(other) => DoneReason::Other(other.to_owned()),
        };
        let thoughts = self.thoughts.take().filter(|text| !text.is_empty());
        let carry = thoughts.map(|text| self.origin.carry(json!({"thinking": text})));
        self.ending.close(reason, carry, out);
        Ok(())
    }

    fn end(&mut self, _: bool, _: &mut Vec<StreamItem>) -> Result<(), Fault> {
        Err(truncated(self.ending.any))
    }

    fn is_done(&self) -> bool {
        self.ending.done
    }

    fn whole(&mut self, body: &Value, out: &mut Vec<StreamItem>) -> Result<(), Fault> {
        self.event(body, out)
    }
}
