//! Bytes of an answer to stream items, for every dialect: framing, then JSON, then the
//! dialect. How many events a push completed is told, because an idle timer must be reset by
//! events and not by bytes: keep-alive comments are no sign of an answer.

use super::{
    CommandReader, Dialect, Framing, Target, anthropic, errors, gemini, ollama, openai_chat,
    responses,
};
use crate::{
    chat::{ChatRequest, StreamItem},
    decode::{MAX_EVENT_BYTES, NdjsonDecoder, SseDecoder, SseEvent, TooLong},
    fault::{Fault, FaultClass},
};
use serde_json::Value;

/// A dialect's part: one event after another.
pub(super) trait Events: Send {
    /// Takes one event.
    fn event(&mut self, event: &Value, out: &mut Vec<StreamItem>) -> Result<(), Fault>;
    /// The stream is over; `marked` when it said so itself. Only called while not done.
    fn end(&mut self, marked: bool, out: &mut Vec<StreamItem>) -> Result<(), Fault>;
    /// Whether [`StreamItem::Done`] was given.
    fn is_done(&self) -> bool;
    /// Takes an answer that came whole although a stream was asked for.
    fn whole(&mut self, body: &Value, out: &mut Vec<StreamItem>) -> Result<(), Fault>;
}

enum Decoder {
    Sse(SseDecoder, Vec<SseEvent>),
    Ndjson(NdjsonDecoder, Vec<String>),
}

/// Reads one answer.
pub struct StreamReader(Kind);

enum Kind {
    Provider(Provider),
    Command(Box<CommandReader>),
}

struct Provider {
    dialect: Dialect,
    decoder: Decoder,
    events: Box<dyn Events>,
}

impl StreamReader {
    /// A reader for the answer to this request at this target.
    #[must_use]
    pub fn new(target: &Target<'_>, request: &ChatRequest) -> Self {
        Self::with_cap(target, request, MAX_EVENT_BYTES)
    }

    /// The same, whose events are at most `cap` bytes.
    #[must_use]
    pub fn with_cap(target: &Target<'_>, request: &ChatRequest, cap: usize) -> Self {
        let events: Box<dyn Events> = match target.dialect {
            Dialect::OpenaiChat => Box::new(openai_chat::stream::Reader::new(target, request)),
            Dialect::OpenaiResponses => Box::new(responses::stream::Reader::new(target, request)),
            Dialect::Anthropic => Box::new(anthropic::stream::Reader::new(target, request)),
            Dialect::Gemini => Box::new(gemini::stream::Reader::new(target, request)),
            Dialect::Ollama => Box::new(ollama::stream::Reader::new(target, request)),
            Dialect::Cli => {
                let reader = CommandReader::new(&target.quirks.answer, cap);
                return Self(Kind::Command(Box::new(reader)));
            }
        };
        let decoder = match target.dialect.framing() {
            Framing::Sse => Decoder::Sse(SseDecoder::new(cap), Vec::new()),
            Framing::Ndjson => Decoder::Ndjson(NdjsonDecoder::new(cap), Vec::new()),
        };
        Self(Kind::Provider(Provider {
            dialect: target.dialect,
            decoder,
            events,
        }))
    }

    /// Takes bytes, gives items, and says how many events the bytes completed.
    ///
    /// # Errors
    /// What the provider reports, or what cannot be read. Items given before it stand.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<StreamItem>) -> Result<usize, Fault> {
        match &mut self.0 {
            Kind::Provider(reader) => reader.push(bytes, out),
            Kind::Command(reader) => reader.push(bytes, out),
        }
    }

    /// The connection closed.
    ///
    /// # Errors
    /// [`FaultClass::Truncated`] when the answer was not at its end.
    pub fn finish(&mut self, out: &mut Vec<StreamItem>) -> Result<(), Fault> {
        match &mut self.0 {
            Kind::Provider(reader) => reader.finish(out),
            Kind::Command(reader) => reader.finish(out),
        }
    }

    /// Whether the end was given; what comes after it is ignored.
    #[must_use]
    pub fn is_done(&self) -> bool {
        match &self.0 {
            Kind::Provider(reader) => reader.events.is_done(),
            Kind::Command(reader) => reader.is_done(),
        }
    }

    /// Reads an answer that came as one JSON body although a stream was asked for.
    ///
    /// # Errors
    /// As [`Self::push`] and [`Self::finish`].
    pub fn whole(&mut self, body: &[u8], out: &mut Vec<StreamItem>) -> Result<(), Fault> {
        match &mut self.0 {
            Kind::Provider(reader) => reader.whole(body, out),
            Kind::Command(reader) => {
                reader.push(body, out)?;
                reader.finish(out)
            }
        }
    }
}

impl Provider {
    fn push(&mut self, bytes: &[u8], out: &mut Vec<StreamItem>) -> Result<usize, Fault> {
        let pushed = match &mut self.decoder {
            Decoder::Sse(decoder, events) => decoder.push(bytes, events),
            Decoder::Ndjson(decoder, lines) => decoder.push(bytes, lines),
        };
        let count = self.drain(false, out)?;
        pushed.map_err(too_long)?;
        Ok(count)
    }

    fn finish(&mut self, out: &mut Vec<StreamItem>) -> Result<(), Fault> {
        match &mut self.decoder {
            Decoder::Sse(decoder, events) => decoder.finish(events),
            Decoder::Ndjson(decoder, lines) => decoder.finish(lines),
        }
        self.drain(true, out)?;
        if self.events.is_done() {
            return Ok(());
        }
        self.events.end(false, out)
    }

    fn whole(&mut self, body: &[u8], out: &mut Vec<StreamItem>) -> Result<(), Fault> {
        let body = parse(body, false)?;
        if let Some(fault) = error_of(self.dialect, &body) {
            return Err(fault);
        }
        self.events.whole(&body, out)?;
        if self.events.is_done() {
            return Ok(());
        }
        self.events.end(true, out)
    }

    fn drain(&mut self, last: bool, out: &mut Vec<StreamItem>) -> Result<usize, Fault> {
        let texts: Vec<String> = match &mut self.decoder {
            Decoder::Sse(_, events) => events.drain(..).map(|event| event.data).collect(),
            Decoder::Ndjson(_, lines) => std::mem::take(lines),
        };
        let mut count = 0;
        for text in texts {
            if self.events.is_done() {
                break;
            }
            count += usize::from(self.take(&text, last, out)?);
        }
        Ok(count)
    }

    /// Says whether it was an event of the answer.
    fn take(&mut self, text: &str, last: bool, out: &mut Vec<StreamItem>) -> Result<bool, Fault> {
        match text.trim() {
            "" => return Ok(false),
            "[DONE]" => return self.events.end(true, out).map(|()| true),
            _ => {}
        }
        let event = parse(text.as_bytes(), last)?;
        if let Some(fault) = error_of(self.dialect, &event) {
            return Err(fault);
        }
        self.events.event(&event, out)?;
        Ok(!is_keep_alive(&event))
    }
}

/// Comments in the shape of an event (Anthropic, Responses): a stalled answer sends them too.
fn is_keep_alive(event: &Value) -> bool {
    let kind = event.get("type").and_then(Value::as_str);
    matches!(kind, Some("ping" | "keepalive"))
}

/// The last event of a broken connection is cut; one in the middle is wrong.
fn parse(bytes: &[u8], last: bool) -> Result<Value, Fault> {
    serde_json::from_slice(bytes).map_err(|error| {
        if last {
            Fault::new(FaultClass::Truncated, "the last event is cut")
        } else {
            Fault::malformed(format!("an event is no JSON: {error}"))
        }
    })
}

fn too_long(error: TooLong) -> Fault {
    Fault::malformed(error.to_string())
}

/// An event that says that it all went wrong.
fn error_of(dialect: Dialect, event: &Value) -> Option<Fault> {
    let kind = event.get("type").and_then(Value::as_str);
    let error = event.get("error").filter(|error| !error.is_null());
    let failed = match dialect {
        Dialect::OpenaiResponses => kind == Some("error") || kind == Some("response.failed"),
        Dialect::Anthropic => kind == Some("error"),
        _ => false,
    };
    // A whole response of the Responses dialect has `error: null`.
    let failed = failed || error.is_some();
    failed.then(|| errors::in_stream(dialect, event))
}

/// The fault of a stream that ended too early.
pub(super) fn truncated(any: bool) -> Fault {
    let detail = if any {
        "the connection closed in the middle of the answer"
    } else {
        "the connection closed before the answer began"
    };
    Fault::new(FaultClass::Truncated, detail)
}
