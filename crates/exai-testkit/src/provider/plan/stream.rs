//! The plan of a stream: events in HTTP chunks, and the moments between them.

use super::{Act, At, End, Event, Length, Planner, Role, Step};
use crate::provider::{event::Mark, wire};

/// An event as it will be sent.
struct Ready {
    role: Role,
    bytes: Vec<u8>,
    then: Option<Mark>,
}

impl Planner<'_> {
    pub(super) fn stream(&mut self, events: Vec<Event>) -> Result<End, End> {
        let length = match self.until_close {
            true => Length::UntilClose,
            false => Length::Chunked,
        };
        self.head(wire::content_type(self.framing), length)?;
        self.streams = true;
        let events = self.ready(events);
        let first = events.first().map(|event| event.bytes.clone());
        self.acts(At::FirstEvent, &first.unwrap_or_default())?;
        self.hold(self.pace.first);
        self.events(events)?;
        Ok(self.end_of_stream())
    }

    fn ready(&self, events: Vec<Event>) -> Vec<Ready> {
        let mut ready: Vec<Ready> = events
            .into_iter()
            .map(|event| Ready {
                role: event.role,
                bytes: self.style.bytes(self.framing, &event),
                then: event.then,
            })
            .collect();
        if let Some(first) = ready.first_mut().filter(|_| self.style.mark) {
            first.bytes.splice(0..0, "\u{feff}".bytes());
        }
        ready
    }

    fn events(&mut self, events: Vec<Ready>) -> Result<(), End> {
        let last = events.len().saturating_sub(1);
        let tail = events
            .iter()
            .position(|event| event.role == Role::Tail)
            .unwrap_or(last);
        let all = events.iter().filter(|event| event.role == Role::Piece);
        let all = all.count();
        let mut pieces = 0;
        for (index, event) in events.into_iter().enumerate() {
            if event.role == Role::Piece {
                if pieces > 0 {
                    self.hold(self.pace.every);
                }
                self.acts(At::Piece(pieces), &event.bytes)?;
                pieces += 1;
            }
            if index == tail {
                for at in self.late_moments(all) {
                    self.acts(at, &event.bytes)?;
                }
            }
            if index == last {
                self.acts(At::Last, &event.bytes)?;
            }
            // True before it is told: whoever reads it may ask at once.
            self.steps.extend(event.then.map(Step::Mark));
            self.send(event.bytes);
        }
        Ok(())
    }

    /// The end, and the pieces that the answer does not have, in the order of the script.
    pub(super) fn late_moments(&self, pieces: usize) -> Vec<At> {
        let mut moments: Vec<At> = Vec::new();
        for (at, _) in &self.acts {
            let late = match at {
                At::Piece(piece) => *piece >= pieces,
                At::End => true,
                At::Headers | At::FirstEvent | At::Last => false,
            };
            if late && !moments.contains(at) {
                moments.push(*at);
            }
        }
        moments
    }

    pub(super) fn send_event(&mut self, event: &Event) {
        let bytes = self.style.bytes(self.framing, event);
        self.send(bytes);
    }

    pub(super) fn send(&mut self, bytes: Vec<u8>) {
        for piece in self.style.split(bytes) {
            // An empty chunk would be the terminating one.
            if !piece.is_empty() {
                let piece = match self.is_chunked() {
                    true => chunk(&piece),
                    false => piece,
                };
                self.steps.push(Step::Send(piece));
            }
        }
    }

    /// The terminating chunk goes out with the last event: a caller that leaves after the
    /// closing mark has not hung up.
    pub(super) fn end_of_stream(&mut self) -> End {
        if !self.is_chunked() {
            return End::Close;
        }
        match self.steps.last_mut() {
            Some(Step::Send(last)) => last.extend_from_slice(b"0\r\n\r\n"),
            _ => self.steps.push(Step::Send(b"0\r\n\r\n".to_vec())),
        }
        End::KeepAlive
    }

    /// Whether the script wants something that only a stream can show.
    pub(super) fn wants_damage(&self) -> bool {
        self.acts.iter().any(|(at, act)| match act {
            Act::Event(_) => true,
            Act::Cut { how, .. } => *how == super::Cut::Clean && *at != At::Headers,
            Act::Stall(_) | Act::Error(_) => false,
        })
    }
}

pub(super) fn chunk(bytes: &[u8]) -> Vec<u8> {
    let mut out = format!("{:x}\r\n", bytes.len()).into_bytes();
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
    out
}
