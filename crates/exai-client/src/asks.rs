//! Requests with one reply: lists, health, pages of a result. Matched by id; a predecessor's
//! replies without one are matched by their op, with at most one of a kind on the wire.

use crate::{calls::Turn, config::Times, state::LinkState};
use exai_protocol::RequestId;
use std::time::Duration;
use tokio::{sync::oneshot, time::Instant};
use tokio_tungstenite::tungstenite::Utf8Bytes;

/// Why a request has no reply.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RequestError {
    /// No daemon in time; it was not sent.
    #[error("the exai daemon is {0}")]
    Unavailable(String),
    /// Sent, and the link broke before the reply.
    #[error("the link broke before the daemon replied ({0}); it may or may not have been done")]
    Interrupted(String),
    /// Sent, and no reply came in time.
    #[error("the daemon did not reply within {} s", .0.as_secs_f64().round())]
    TimedOut(Duration),
    /// The daemon said no.
    #[error("the daemon refused: {0}")]
    Refused(String),
    /// The reply is not what it should be.
    #[error("the daemon's reply cannot be read: {0}")]
    Malformed(String),
    /// The request, or what was asked for, is over a limit.
    #[error("{0}")]
    TooLarge(String),
    /// Too many pending.
    #[error("{0} requests are already pending in this client")]
    Busy(usize),
    /// The client is closed.
    #[error("this client is closed")]
    Closed,
}

pub(crate) type Reply = Result<Utf8Bytes, RequestError>;

/// One request.
pub(crate) struct Ask {
    pub(crate) id: RequestId,
    /// The op of its reply.
    pub(crate) expects: &'static str,
    pub(crate) frame: Utf8Bytes,
    /// Asking twice is asking once: may cross a broken link.
    pub(crate) repeatable: bool,
    pub(crate) reply: oneshot::Sender<Reply>,
}

struct Waiting {
    ask: Ask,
    sent: bool,
    due: Instant,
}

pub(crate) struct Asks {
    list: Vec<Waiting>,
    times: Times,
    max: usize,
    max_frame: usize,
}

/// Ops whose replies a predecessor sends without an id.
const BY_OP: [&str; 3] = ["list_tools_res", "health_res", "rotate_token_res"];

impl Asks {
    pub(crate) fn new(times: Times, max: usize, max_frame: usize) -> Self {
        Self {
            list: Vec::new(),
            times,
            max,
            max_frame,
        }
    }

    pub(crate) fn any(&self) -> bool {
        !self.list.is_empty()
    }

    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.list.iter().map(|waiting| waiting.due).min()
    }

    pub(crate) fn submit(&mut self, ask: Ask, turn: &mut Turn<'_>) {
        if self.list.len() >= self.max {
            return answer(ask, Err(RequestError::Busy(self.max)));
        }
        if ask.frame.len() > self.max_frame {
            let (length, limit) = (ask.frame.len(), self.max_frame);
            let message = format!("the request is {length} bytes; the limit is {limit}");
            return answer(ask, Err(RequestError::TooLarge(message)));
        }
        let wait = match turn.link {
            LinkState::Ready(_) => self.times.reply,
            LinkState::Refused(_) => {
                return answer(ask, Err(RequestError::Unavailable(turn.link.describe())));
            }
            LinkState::Stopped(_) => self.times.stopped_wait,
            _ => self.times.connect_wait,
        };
        self.list.push(Waiting {
            ask,
            sent: false,
            due: turn.now + wait,
        });
        self.pump(turn);
    }

    /// Sends what may be sent now.
    pub(crate) fn pump(&mut self, turn: &mut Turn<'_>) {
        let Some(session) = turn.link.session() else {
            return;
        };
        let mut busy: Vec<&'static str> = Vec::new();
        if session.is_legacy() {
            let sent = self.list.iter().filter(|waiting| waiting.sent);
            busy.extend(sent.map(|waiting| waiting.ask.expects));
        }
        for waiting in self.list.iter_mut().filter(|waiting| !waiting.sent) {
            let op = waiting.ask.expects;
            if session.is_legacy() && BY_OP.contains(&op) {
                if busy.contains(&op) {
                    continue;
                }
                busy.push(op);
            }
            waiting.sent = true;
            waiting.due = turn.now + self.times.reply;
            turn.out.push(waiting.ask.frame.clone());
        }
    }

    /// A reply frame; `false` when nobody asked.
    pub(crate) fn replied(
        &mut self,
        op: &str,
        id: Option<&RequestId>,
        text: &Utf8Bytes,
        turn: &mut Turn<'_>,
    ) -> bool {
        let at = self.list.iter().position(|waiting| {
            waiting.sent && waiting.ask.expects == op && id.is_none_or(|id| *id == waiting.ask.id)
        });
        let Some(at) = at else { return false };
        answer(self.list.remove(at).ask, Ok(text.clone()));
        self.pump(turn);
        true
    }

    /// An `error` frame for one of ours; without an id only where it can mean nothing else.
    pub(crate) fn refused(
        &mut self,
        id: Option<&RequestId>,
        message: &str,
        turn: &mut Turn<'_>,
    ) -> bool {
        let mut sent = self
            .list
            .iter()
            .enumerate()
            .filter(|(_, waiting)| waiting.sent);
        let at = match id {
            Some(id) => sent.find(|(_, waiting)| waiting.ask.id == *id),
            None => sent.next().filter(|_| sent.next().is_none()),
        };
        let Some((at, _)) = at else { return false };
        let error = RequestError::Refused(message.to_owned());
        answer(self.list.remove(at).ask, Err(error));
        self.pump(turn);
        true
    }

    pub(crate) fn link_lost(&mut self, cause: &str, now: Instant) {
        for mut waiting in std::mem::take(&mut self.list) {
            if waiting.sent && !waiting.ask.repeatable {
                answer(
                    waiting.ask,
                    Err(RequestError::Interrupted(cause.to_owned())),
                );
            } else {
                waiting.sent = false;
                waiting.due = waiting.due.min(now + self.times.connect_wait);
                self.list.push(waiting);
            }
        }
    }

    /// Waiting will not help soon.
    pub(crate) fn link_failed(&mut self, turn: &Turn<'_>) {
        let wait = match turn.link {
            LinkState::Refused(_) => Duration::ZERO,
            LinkState::Stopped(_) => self.times.stopped_wait,
            _ => return,
        };
        for waiting in &mut self.list {
            waiting.due = waiting.due.min(turn.now + wait);
        }
    }

    pub(crate) fn sweep(&mut self, turn: &Turn<'_>) {
        if self.list.iter().all(|waiting| waiting.due > turn.now) {
            return;
        }
        for waiting in std::mem::take(&mut self.list) {
            if waiting.due > turn.now && !waiting.ask.reply.is_closed() {
                self.list.push(waiting);
            } else if waiting.sent {
                answer(waiting.ask, Err(RequestError::TimedOut(self.times.reply)));
            } else {
                answer(
                    waiting.ask,
                    Err(RequestError::Unavailable(turn.link.describe())),
                );
            }
        }
    }

    pub(crate) fn close(&mut self) {
        for waiting in self.list.drain(..) {
            answer(waiting.ask, Err(RequestError::Closed));
        }
    }
}

fn answer(ask: Ask, reply: Reply) {
    // Whoever asked may be gone; then nobody wants to know.
    let _ = ask.reply.send(reply);
}
