//! The sentences a person or a model reads when the link, not the tool, failed: what
//! happened, whether it ran, what to do next.

use crate::state::LinkState;
use exai_protocol::{Code, RawValue, RequestId, WireError, error::Ran};
use std::time::Duration;

/// What is known of a call whose link broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Known {
    /// It never left.
    NotSent,
    /// It left; nothing came back.
    Sent,
    /// The daemon had it.
    Acknowledged,
    /// Its tool was at work.
    Started,
}

impl Known {
    fn phrase(self) -> &'static str {
        match self {
            Self::NotSent => "was not sent",
            Self::Sent => "was sent, and it is not known whether it was received",
            Self::Acknowledged => "was acknowledged, and it is not known whether it started",
            Self::Started => "was started",
        }
    }

    /// The word for programs, in the error's metadata.
    fn word(self) -> &'static str {
        match self {
            Self::NotSent => "not_sent",
            Self::Sent => "not_known",
            Self::Acknowledged => "acknowledged",
            Self::Started => "started",
        }
    }
}

/// A call that never left, and waited so long for its daemon.
#[must_use]
pub fn unavailable(link: &LinkState, waited: Duration) -> WireError {
    let advice = match link {
        LinkState::Stopped(_) => return stopped(),
        LinkState::Refused(outage) => format!(
            "The exai daemon refused the connection: {}. The call was not run. It is tried \
             again as soon as that changes; `exai-daemon doctor` says more.",
            outage.cause
        ),
        LinkState::Closed => "This client is shutting down. The call was not run.".to_owned(),
        other => format!(
            "The exai daemon is {}; the call waited {} for it and was not run. Reconnecting \
             goes on in the background: try again shortly, or run `exai-daemon start`; \
             `exai-daemon doctor` says what is in the way.",
            other.describe(),
            seconds(waited)
        ),
    };
    WireError::new(Code::Unavailable, advice).ran(Ran::No)
}

/// The same where the daemon's owner wants none to run.
pub(crate) fn stopped() -> WireError {
    let advice = "The exai daemon was stopped by you; run exai-daemon start. The call was not run.";
    WireError::new(Code::Unavailable, advice).ran(Ran::No)
}

/// A call that was in flight when its daemon, or the link to it, went away for too long.
pub(crate) fn outcome_unknown(
    name: &str,
    id: &RequestId,
    known: Known,
    repeatable: bool,
    what: &str,
) -> WireError {
    let next = if repeatable {
        "It is safe to run it again."
    } else {
        "Check its effects before you run it again."
    };
    let message = format!(
        "{what} while {name:?} was in flight: the call {}; whether it finished is not known. {next}",
        known.phrase()
    );
    let mut error = WireError::new(Code::OutcomeUnknown, message).ran(Ran::Unknown);
    let facts = serde_json::json!({ "known": known.word(), "request_id": id.as_str() });
    error.metadata = RawValue::from_string(facts.to_string()).ok();
    error
}

/// The daemon knows no such call; `incomplete`: and it may have been one that it should know.
pub(crate) fn not_there(id: &RequestId, incomplete: bool) -> WireError {
    let id = id.as_str();
    if incomplete {
        let message = format!(
            "This daemon knows no call {id:?}, and its journal is not whole: a damaged one stands \
             beside it (`exai-daemon doctor`). If it was accepted before, it may have run. Check \
             its effects before you run it again."
        );
        return WireError::new(Code::OutcomeUnknown, message).ran(Ran::Unknown);
    }
    WireError::new(Code::Expired, format!("This daemon knows no call {id:?}."))
}

/// The daemon is there and says nothing more about a call.
pub(crate) fn silent(name: &str, waited: Duration) -> WireError {
    WireError::new(
        Code::Timeout,
        format!(
            "The daemon gave no answer to {name:?} within {} (the client's own limit: the \
             daemon's deadline and a grace period). Whether it finished is not known; it was \
             left to finish. See `exai-daemon status`.",
            seconds(waited)
        ),
    )
    .ran(Ran::Unknown)
}

/// A daemon of before handles.
pub(crate) fn own_only() -> WireError {
    let message = "The exai daemon that runs is older than this window, and finds only a window's \
                   own calls; restart it (`exai-daemon restart`) and ask again.";
    WireError::new(Code::Unavailable, message).ran(Ran::Unknown)
}

/// A frame that may not leave.
pub(crate) fn too_large(length: usize, limit: usize) -> WireError {
    WireError::new(
        Code::TooLarge,
        format!(
            "The call is {length} bytes on the wire; the limit is {limit} (EXAI_WS_MAX_BYTES). \
             It was not sent. Pass large content as a file path instead."
        ),
    )
    .ran(Ran::No)
}

/// A call its caller let go of.
pub(crate) fn let_go(message: &str, ran: Ran) -> WireError {
    WireError::new(Code::Cancelled, message).ran(ran)
}

/// Its caller let go of a call that the daemon has.
pub(crate) fn left() -> WireError {
    let_go(LEFT, Ran::Unknown)
}

const LEFT: &str = "detached: the daemon finishes the call and keeps its result for a while";

pub(crate) fn is_left(error: &WireError) -> bool {
    error.message == LEFT
}

/// Its caller let go of a call that never left.
pub(crate) fn unsent() -> WireError {
    let_go(UNSENT, Ran::No)
}

const UNSENT: &str = "cancelled before it was sent";

pub(crate) fn is_unsent(error: &WireError) -> bool {
    error.message == UNSENT
}

/// `[{"type":"text","text":…}]`.
pub(crate) fn text_block(text: &str) -> Box<RawValue> {
    let quoted = serde_json::to_string(text).unwrap_or_else(|_| "\"\"".to_owned());
    RawValue::from_string(format!(r#"[{{"type":"text","text":{quoted}}}]"#))
        .unwrap_or_else(|_| RawValue::NULL.to_owned())
}

fn seconds(time: Duration) -> String {
    format!("{} s", time.as_secs_f64().round())
}
