//! A reply becomes a list of things to send and silences to keep, before a byte is sent. The
//! faults are decided here, where they can be read; whoever plays the list decides nothing.

mod body;
mod stream;

use super::{
    Dialect, Request, Stall,
    act::{Act, At, Cut},
    clock,
    event::{Event, Framing, Mark, Role, Style},
    reply::{Content, Pace, Reply},
    wire,
};
use std::time::{Duration, SystemTime};

#[derive(Debug)]
pub(super) enum Step {
    Send(Vec<u8>),
    Hold(Stall, Option<Noise>),
    Mark(Mark),
}

/// What is sent while nothing is said.
#[derive(Debug, Clone)]
pub(super) struct Noise {
    pub(super) each: Duration,
    pub(super) bytes: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    KeepAlive,
    Close,
    Reset,
}

#[derive(Debug)]
pub(super) struct Plan {
    pub(super) steps: Vec<Step>,
    pub(super) end: End,
}

/// How the body's end is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Length {
    Known(usize),
    Chunked,
    UntilClose,
}

/// The answer to this request, at this time.
pub(super) fn plan(reply: Reply, request: &Request, now: SystemTime) -> Plan {
    let mut headers = reply.headers;
    headers.push(("date".to_owned(), clock::http_date(now)));
    if let Some(later) = reply.retry_date {
        headers.push(("retry-after".to_owned(), clock::http_date(now + later)));
    }
    let mut planner = Planner {
        request,
        framing: wire::framing(request.dialect),
        status: reply.status,
        headers,
        pace: reply.pace,
        acts: reply.acts,
        style: reply.style,
        until_close: reply.until_close,
        streams: false,
        steps: Vec::new(),
    };
    // A cut is an early way out of the writing, and says how the connection ends.
    let (Ok(end) | Err(end)) = planner.write(reply.content);
    Plan {
        steps: planner.steps,
        end,
    }
}

struct Planner<'a> {
    request: &'a Request,
    framing: Framing,
    status: u16,
    headers: Vec<(String, String)>,
    pace: Pace,
    acts: Vec<(At, Act)>,
    style: Style,
    until_close: bool,
    /// The body is a stream of events, not there at once.
    streams: bool,
    steps: Vec<Step>,
}

impl Planner<'_> {
    fn write(&mut self, content: Content) -> Result<End, End> {
        match content {
            Content::Answer(answer) if self.is_list() => {
                self.json(&wire::gemini::list(&answer, self.request))
            }
            Content::Answer(answer) if self.request.wants_stream() => {
                self.stream(wire::events(&answer, self.request))
            }
            Content::Answer(answer) => self.whole(&answer),
            Content::Refusal(_) if self.status < 400 => self.body("text/plain", Vec::new()),
            Content::Refusal(refusal) => self.refuse(&refusal),
            Content::Json(body) => self.json(&body),
            Content::Body { kind, bytes } => self.body(&kind, bytes),
            Content::Events(events) => self.stream(events),
            Content::Bytes(bytes) => {
                self.acts(At::Headers, &bytes)?;
                self.steps.push(Step::Send(bytes));
                Ok(End::Close)
            }
        }
    }

    /// Without `alt=sse` Gemini streams one JSON list.
    fn is_list(&self) -> bool {
        let query = self.request.query.as_deref().unwrap_or_default();
        self.request.dialect == Dialect::Gemini
            && self.request.wants_stream()
            && !query.split('&').any(|pair| pair == "alt=sse")
    }

    fn head(&mut self, kind: &str, length: Length) -> Result<(), End> {
        let (status, reason) = (self.status, wire::reason(self.status));
        let mut head = format!("HTTP/1.1 {status} {reason}\r\ncontent-type: {kind}\r\n");
        match length {
            Length::Known(length) => head.push_str(&format!("content-length: {length}\r\n")),
            Length::Chunked => head.push_str("transfer-encoding: chunked\r\n"),
            Length::UntilClose => head.push_str("connection: close\r\n"),
        }
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        let head = head.into_bytes();
        self.acts(At::Headers, &head)?;
        match self.pace.headers {
            None => self.steps.push(Step::Send(head)),
            Some(each) => {
                for byte in head {
                    self.steps.push(Step::Send(vec![byte]));
                    self.steps.push(Step::Hold(Stall::For(each), None));
                }
            }
        }
        Ok(())
    }

    /// Everything the script wants at this moment; `next` is what would come then.
    fn acts(&mut self, at: At, next: &[u8]) -> Result<(), End> {
        let due = self.acts.iter().filter(|(when, _)| *when == at);
        for (_, act) in due.cloned().collect::<Vec<_>>() {
            match act {
                Act::Stall(stall) => {
                    let noise = self.noise();
                    self.steps.push(Step::Hold(stall, noise));
                }
                Act::Event(payload) if self.streams => {
                    self.send_event(&Event::new(Role::Frame, payload));
                }
                Act::Error(message) if self.streams => {
                    self.send_event(&wire::error_event(self.request.dialect, &message));
                }
                // What is there at once has no events; the body was shortened instead.
                Act::Event(_) | Act::Error(_) => {}
                Act::Cut { how, inside } => self.cut(at, how, inside, next)?,
            }
        }
        Ok(())
    }

    fn cut(&mut self, at: At, how: Cut, inside: bool, next: &[u8]) -> Result<(), End> {
        if inside {
            let half = next[..next.len() / 2].to_vec();
            match at {
                At::Headers => self.steps.push(Step::Send(half)),
                _ => self.send(half),
            }
        }
        match how {
            Cut::Clean if self.streams && at != At::Headers => Err(self.end_of_stream()),
            Cut::Clean if at != At::Headers => Ok(()),
            Cut::Clean | Cut::Short => Err(End::Close),
            Cut::Reset => Err(End::Reset),
        }
    }

    fn is_chunked(&self) -> bool {
        self.streams && !self.until_close
    }

    fn hold(&mut self, time: Duration) {
        if !time.is_zero() {
            let noise = self.noise();
            self.steps.push(Step::Hold(Stall::For(time), noise));
        }
    }

    fn noise(&self) -> Option<Noise> {
        let each = self.pace.keep_alive.filter(|_| self.streams)?;
        let comment = self.style.comment(self.framing).into_bytes();
        Some(Noise {
            each,
            bytes: match self.is_chunked() {
                true => stream::chunk(&comment),
                false => comment,
            },
        })
    }
}
