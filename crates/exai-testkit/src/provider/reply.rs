//! What a script is made of. A reply begins as an answer, a refusal or plain data, and is
//! then slowed down, cut up and broken.

mod damage;
mod refused;
mod said;
mod time;

use super::{
    act::{Act, At, Cut},
    answer::Answer,
    event::{Event, Role, Style},
};
use serde_json::Value;
use std::time::Duration;

#[derive(Debug, Clone)]
pub(super) enum Content {
    Answer(Box<Answer>),
    Refusal(Refusal),
    Json(Value),
    Body {
        kind: String,
        bytes: Vec<u8>,
    },
    Events(Vec<Event>),
    /// Everything, down to the status line.
    Bytes(Vec<u8>),
}

/// The dialect's own error body.
#[derive(Debug, Clone, Default)]
pub(super) struct Refusal {
    pub(super) message: Option<String>,
    pub(super) code: Option<String>,
    /// Google's way of saying when to come back.
    pub(super) retry_delay: Option<String>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Pace {
    pub(super) first: Duration,
    pub(super) every: Duration,
    /// Between the single bytes of the head.
    pub(super) headers: Option<Duration>,
    /// How often a comment fills a silence.
    pub(super) keep_alive: Option<Duration>,
}

/// One reply of a script.
#[derive(Debug, Clone)]
pub struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    /// `Retry-After` as a date, this far from the moment of the answer.
    pub(super) retry_date: Option<Duration>,
    pub(super) content: Content,
    pub(super) pace: Pace,
    pub(super) acts: Vec<(At, Act)>,
    pub(super) style: Style,
    /// The end of the body is the end of the connection.
    pub(super) until_close: bool,
}

impl Reply {
    pub(super) fn of(status: u16, content: Content) -> Self {
        Self {
            status,
            headers: Vec::new(),
            retry_date: None,
            content,
            pace: Pace::default(),
            acts: Vec::new(),
            style: Style::default(),
            until_close: false,
        }
    }

    /// The model says this, in whatever dialect it is asked.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self::of(200, Content::Answer(Box::new(Answer::of(text))))
    }

    /// A bare status; from 400 on with the dialect's own error body.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self::of(status, Content::Refusal(Refusal::default()))
    }

    /// This JSON.
    #[must_use]
    pub fn json(body: Value) -> Self {
        Self::of(200, Content::Json(body))
    }

    /// This body of this type: a proxy's page, an empty one, anything.
    #[must_use]
    pub fn body(status: u16, kind: &str, bytes: impl Into<Vec<u8>>) -> Self {
        let kind = kind.to_owned();
        let bytes = bytes.into();
        Self::of(status, Content::Body { kind, bytes })
    }

    /// These payloads, one event each, in the framing of the dialect that asks; every one
    /// counts as a piece.
    #[must_use]
    pub fn events<T: ToString>(payloads: impl IntoIterator<Item = T>) -> Self {
        let events = payloads
            .into_iter()
            .map(|payload| Event::new(Role::Piece, payload))
            .collect();
        Self::of(200, Content::Events(events))
    }

    /// These bytes instead of an HTTP answer; then the connection closes.
    #[must_use]
    pub fn bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self::of(200, Content::Bytes(bytes.into()))
    }

    /// Not a byte: the connection closes.
    #[must_use]
    pub fn hang_up() -> Self {
        Self::text("").cut(At::Headers, Cut::Short)
    }

    /// Not a byte: the connection is reset.
    #[must_use]
    pub fn reset() -> Self {
        Self::text("").cut(At::Headers, Cut::Reset)
    }
}
