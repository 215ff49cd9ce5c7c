//! A reply becomes a list of things to send and silences to keep, before a byte is sent. The
//! faults are decided here, where they can be read; whoever plays the list decides nothing.

use super::{
    Request, Stall,
    act::{Act, At, Cut},
    clock,
    event::{Event, Framing, Mark, Role, Style},
    reply::{Content, Pace, Refusal, Reply},
    wire,
};
use serde_json::Value;
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
    let framing = wire::framing(request.dialect);
    let Reply {
        status,
        mut headers,
        retry_date,
        content,
        pace,
        acts,
        style,
        until_close,
    } = reply;
    headers.push(("date".to_owned(), clock::http_date(now)));
    if let Some(later) = retry_date {
        headers.push(("retry-after".to_owned(), clock::http_date(now + later)));
    }
    let mut planner = Planner {
        request,
        framing,
        status,
        headers,
        pace,
        acts,
        style,
        until_close,
        chunked: false,
        steps: Vec::new(),
    };
    // A cut is an early way out of the writing, and says how the connection ends.
    let (Ok(end) | Err(end)) = planner.write(content);
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
    chunked: bool,
    steps: Vec<Step>,
}

impl Planner<'_> {
    fn write(&mut self, content: Content) -> Result<End, End> {
        match content {
            Content::Answer(answer) if self.request.wants_stream() => {
                if self.request.dialect == super::Dialect::Gemini && !self.asks_for_sse() {
                    return self.body("application/json", wire::gemini_list(&answer, self.request));
                }
                self.stream(wire::events(&answer, self.request))
            }
            Content::Answer(answer) => self.json(&wire::whole(&answer, self.request)),
            Content::Refusal(_) if self.status < 400 => self.body("application/json", Vec::new()),
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

    fn asks_for_sse(&self) -> bool {
        let query = self.request.query.as_deref().unwrap_or_default();
        query.split('&').any(|pair| pair == "alt=sse")
    }

    fn refuse(&mut self, refusal: &Refusal) -> Result<End, End> {
        let body = wire::refusal(self.request.dialect, self.status, refusal);
        self.json(&body)
    }

    fn json(&mut self, body: &Value) -> Result<End, End> {
        self.body("application/json", body.to_string().into_bytes())
    }

    /// A body that is there at once: what happens inside it happens in its middle.
    fn body(&mut self, kind: &str, mut bytes: Vec<u8>) -> Result<End, End> {
        let broken = |(_, act): &(At, Act)| matches!(act, Act::Event(_));
        if self.acts.iter().any(broken) {
            bytes.truncate(bytes.len() / 2);
        }
        let length = match self.until_close {
            true => Length::UntilClose,
            false => Length::Known(bytes.len()),
        };
        self.head(kind, length)?;
        self.acts(At::FirstEvent, &bytes)?;
        self.hold(self.pace.first);
        let rest = bytes.split_off(bytes.len() / 2);
        self.send_whole(bytes);
        for at in self.moments_from(0) {
            self.acts(at, &rest)?;
        }
        self.send_whole(rest);
        Ok(match length {
            Length::UntilClose => End::Close,
            _ => End::KeepAlive,
        })
    }

    fn stream(&mut self, events: Vec<Event>) -> Result<End, End> {
        let length = match self.until_close {
            true => Length::UntilClose,
            false => Length::Chunked,
        };
        self.chunked = length == Length::Chunked;
        self.head(wire::content_type(self.framing), length)?;
        let mut first = self.first_event_bytes(&events);
        self.acts(At::FirstEvent, &first)?;
        self.hold(self.pace.first);
        let (mut pieces, mut ended) = (0, false);
        let last = events.len().saturating_sub(1);
        for (index, event) in events.into_iter().enumerate() {
            let bytes = match std::mem::take(&mut first) {
                bytes if index == 0 => bytes,
                _ => self.style.bytes(self.framing, &event),
            };
            if event.role == Role::Piece {
                if pieces > 0 {
                    self.hold(self.pace.every);
                }
                self.acts(At::Piece(pieces), &bytes)?;
                pieces += 1;
            }
            if event.role == Role::Tail && !ended {
                ended = true;
                self.acts_of_the_end(pieces, &bytes)?;
            }
            if index == last {
                if !ended {
                    self.acts_of_the_end(pieces, &bytes)?;
                }
                self.acts(At::Last, &bytes)?;
            }
            self.send(bytes);
            self.steps.extend(event.then.map(Step::Mark));
        }
        self.close_body()
    }

    fn first_event_bytes(&self, events: &[Event]) -> Vec<u8> {
        let mut bytes = match self.style.mark {
            true => "\u{feff}".as_bytes().to_vec(),
            false => Vec::new(),
        };
        if let Some(event) = events.first() {
            bytes.extend(self.style.bytes(self.framing, event));
        }
        bytes
    }

    /// Pieces that the answer does not have count as its end.
    fn acts_of_the_end(&mut self, pieces: usize, next: &[u8]) -> Result<(), End> {
        for at in self.moments_from(pieces) {
            if at != At::Last {
                self.acts(at, next)?;
            }
        }
        Ok(())
    }

    fn moments_from(&self, pieces: usize) -> Vec<At> {
        let mut moments: Vec<At> = Vec::new();
        for (at, _) in &self.acts {
            let late = match at {
                At::Headers | At::FirstEvent => false,
                At::Piece(piece) => *piece >= pieces,
                At::End | At::Last => true,
            };
            if late && !moments.contains(at) {
                moments.push(*at);
            }
        }
        moments
    }

    fn head(&mut self, kind: &str, length: Length) -> Result<(), End> {
        let reason = wire::reason(self.status);
        let mut head = format!("HTTP/1.1 {} {reason}\r\ncontent-type: {kind}\r\n", self.status);
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

    fn acts(&mut self, at: At, next: &[u8]) -> Result<(), End> {
        let due: Vec<Act> = self
            .acts
            .iter()
            .filter(|(when, _)| *when == at)
            .map(|(_, act)| act.clone())
            .collect();
        for act in due {
            match act {
                Act::Stall(stall) => {
                    let noise = (at != At::Headers).then(|| self.noise()).flatten();
                    self.steps.push(Step::Hold(stall, noise));
                }
                Act::Event(payload) if self.chunked || self.until_close => {
                    self.send_event(&Event::new(Role::Frame, payload));
                }
                Act::Error(message) if self.chunked || self.until_close => {
                    self.send_event(&wire::error_event(self.request.dialect, &message));
                }
                // A body that is no stream has no events; it is shortened instead.
                Act::Event(_) | Act::Error(_) => {}
                Act::Cut { how, inside } => return Err(self.cut(at, how, inside, next)),
            }
        }
        Ok(())
    }

    fn cut(&mut self, at: At, how: Cut, inside: bool, next: &[u8]) -> End {
        if inside {
            let half = next[..next.len() / 2].to_vec();
            match at {
                At::Headers => self.steps.push(Step::Send(half)),
                _ => self.send(half),
            }
        }
        match how {
            Cut::Clean if at != At::Headers => {
                let (Ok(end) | Err(end)) = self.close_body();
                end
            }
            Cut::Clean | Cut::Short => End::Close,
            Cut::Reset => End::Reset,
        }
    }

    fn send_event(&mut self, event: &Event) {
        let bytes = self.style.bytes(self.framing, event);
        self.send(bytes);
    }

    fn send(&mut self, bytes: Vec<u8>) {
        for piece in self.style.split(bytes) {
            let bytes = match self.chunked {
                true => chunk(&piece),
                false => piece,
            };
            self.steps.push(Step::Send(bytes));
        }
    }

    /// Two halves with nothing between them are one.
    fn send_whole(&mut self, bytes: Vec<u8>) {
        match self.steps.last_mut() {
            Some(Step::Send(before)) if self.pace.headers.is_none() => before.extend(bytes),
            _ => self.steps.push(Step::Send(bytes)),
        }
    }

    /// The terminating chunk goes out with the last event: a caller that leaves after the
    /// closing mark has not hung up.
    fn close_body(&mut self) -> Result<End, End> {
        if !self.chunked {
            return Ok(End::Close);
        }
        match self.steps.last_mut() {
            Some(Step::Send(last)) => last.extend_from_slice(b"0\r\n\r\n"),
            _ => self.steps.push(Step::Send(b"0\r\n\r\n".to_vec())),
        }
        Ok(End::KeepAlive)
    }

    fn hold(&mut self, time: Duration) {
        if !time.is_zero() {
            let noise = self.noise();
            self.steps.push(Step::Hold(Stall::For(time), noise));
        }
    }

    fn noise(&self) -> Option<Noise> {
        let each = self.pace.keep_alive?;
        let comment = self.style.comment(self.framing).into_bytes();
        Some(Noise {
            each,
            bytes: match self.chunked {
                true => chunk(&comment),
                false => comment,
            },
        })
    }
}

fn chunk(bytes: &[u8]) -> Vec<u8> {
    let mut out = format!("{:x}\r\n", bytes.len()).into_bytes();
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
    out
}
