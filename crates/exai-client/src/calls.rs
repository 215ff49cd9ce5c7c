//! Every call that has not ended, and the rules by which each ends exactly once, whatever
//! happens to the link. Sans-IO: it is told what happened and when, and says what to send.

mod ending;
mod leaving;
mod link;

use crate::{
    call::Pen,
    command::Submit,
    config::Times,
    explain::{self, Known},
    outbound,
    state::{LinkState, Session},
};
use exai_protocol::{
    BootId, Code, RequestId, WireError,
    call::{CallToolAck, CallToolRes, Partial, Progress},
    control::{AttachRes, CallState},
    error::Ran,
    request::CancelMode,
};
use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Utf8Bytes;

/// Longest deadline believed.
const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);

/// What every rule may look at, and where it puts what is to be sent.
pub(crate) struct Turn<'a> {
    pub(crate) now: Instant,
    pub(crate) link: &'a LinkState,
    pub(crate) out: &'a mut Vec<Utf8Bytes>,
}

impl Turn<'_> {
    fn session(&self) -> Option<Arc<Session>> {
        self.link.session().cloned()
    }
}

/// Where an unfinished call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// With us: never sent, or its link broke.
    Waiting,
    /// With the daemon.
    OnWire,
    /// The daemon is being asked what became of it.
    Attaching,
}

struct Entry {
    name: Arc<str>,
    /// Whose it is, where it is another client's.
    scope: Option<Arc<str>>,
    frame: Option<Utf8Bytes>,
    repeatable: bool,
    pen: Pen,
    known: Known,
    place: Place,
    boot: Option<BootId>,
    /// The daemon it was sent to knows, as long as its files do, every call it accepted.
    journaled: bool,
    /// The name of that daemon's journal.
    journal: Option<String>,
    /// A daemon is asked for it that it was not sent to.
    elsewhere: bool,
    /// Since when the present wait runs, and when it ends.
    waiting_since: Instant,
    due: Instant,
    acknowledged: bool,
    stopping: bool,
    /// Its caller has gone, and no daemon was heard to have it yet.
    leaving: bool,
    repeats: u8,
    oversize: u8,
    /// What to tell of a draining daemon's refusal if no other daemon comes in time.
    held: Option<CallToolRes>,
}

impl Entry {
    /// It left, and nothing at all came back.
    fn is_unheard_of(&self) -> bool {
        self.known == Known::Sent && self.frame.is_some()
    }
}

struct Owed {
    mode: CancelMode,
    id: RequestId,
    scope: Option<Arc<str>>,
    boot: BootId,
}

pub(crate) struct Calls {
    entries: HashMap<RequestId, Entry>,
    owed: Vec<Owed>,
    /// Words that were put on the present link: should it break, nobody knows whether they came.
    parted: VecDeque<(Owed, Instant)>,
    due: Option<Instant>,
    times: Times,
    max: usize,
    max_frame: usize,
}

impl Calls {
    pub(crate) fn new(times: Times, max: usize, max_frame: usize) -> Self {
        let entries = HashMap::new();
        Self {
            entries,
            owed: Vec::new(),
            parted: VecDeque::new(),
            due: None,
            times,
            max,
            max_frame,
        }
    }

    /// Not later than the next moment at which [`Calls::sweep`] has something to do.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.due
    }

    /// Whether anybody waits for one.
    pub(crate) fn any(&self) -> bool {
        !self.entries.is_empty()
    }

    /// Whether the daemon owes us frames.
    pub(crate) fn any_on_wire(&self) -> bool {
        self.entries
            .values()
            .any(|entry| entry.place != Place::Waiting)
    }

    pub(crate) fn is_attaching(&self, id: &RequestId) -> bool {
        self.entries
            .get(id)
            .is_some_and(|entry| entry.place == Place::Attaching)
    }

    pub(crate) fn submit(&mut self, submit: Submit, turn: &mut Turn<'_>) {
        let Some(submit) = self.take_up(submit, turn) else {
            return;
        };
        if self.entries.values().any(|entry| entry.leaving) {
            self.supersede(&submit, turn);
        }
        let length = submit.frame.as_ref().map_or(0, |frame| frame.len());
        if self.entries.contains_key(&submit.id) {
            let message = "a call with this request_id is already in flight in this client";
            return submit
                .pen
                .fail(WireError::new(Code::InvalidArgument, message).ran(Ran::No));
        }
        if self.entries.len() >= self.max {
            let message = format!("{} calls are already pending in this client", self.max);
            let error = WireError::new(Code::OverCapacity, message);
            return submit.pen.fail(error.retry_after(1).ran(Ran::No));
        }
        if length > self.max_frame {
            return submit.pen.fail(explain::too_large(length, self.max_frame));
        }
        if matches!(turn.link, LinkState::Refused(_)) {
            return submit
                .pen
                .fail(explain::unavailable(turn.link, Duration::ZERO));
        }
        let budget = submit.timeout_ms.map_or(LONGEST, Duration::from_millis);
        let wait = match turn.link {
            LinkState::Stopped(_) => self.times.stopped_wait,
            _ => self.times.connect_wait,
        };
        let entry = Entry {
            name: submit.name,
            scope: submit.scope,
            frame: submit.frame,
            repeatable: submit.repeatable,
            pen: submit.pen,
            known: Known::NotSent,
            place: Place::Waiting,
            boot: None,
            journaled: false,
            journal: None,
            elsewhere: false,
            waiting_since: turn.now,
            due: turn.now + wait.min(budget),
            acknowledged: false,
            stopping: false,
            leaving: false,
            repeats: 0,
            oversize: 0,
            held: None,
        };
        self.note_due(entry.due);
        self.entries.insert(submit.id.clone(), entry);
        if turn.link.is_ready() {
            self.send(&submit.id, turn);
        }
    }

    /// Puts a call on the wire of the present session.
    fn send(&mut self, id: &RequestId, turn: &mut Turn<'_>) {
        let Some(session) = turn.session() else {
            return;
        };
        let Some(entry) = self.entries.get_mut(id) else {
            return;
        };
        let Some(frame) = entry.frame.clone() else {
            return self.ask_about(id, turn);
        };
        let limit = session.limits.as_ref().map_or(self.max_frame, |limits| {
            usize::try_from(limits.max_frame_bytes)
                .unwrap_or(usize::MAX)
                .min(self.max_frame)
        });
        if frame.len() > limit {
            return self.end(id, explain::too_large(frame.len(), limit));
        }
        entry.boot = session.boot_id().cloned();
        entry.journaled = session.remembers_calls();
        entry.journal.clone_from(&session.journal);
        entry.elsewhere = false;
        entry.known = Known::Sent;
        entry.acknowledged = false;
        entry.held = None;
        self.place(id, Place::OnWire, self.times.rpc, turn.now);
        turn.out.push(frame);
    }

    /// Asks the daemon that had it what became of a call.
    fn ask_about(&mut self, id: &RequestId, turn: &mut Turn<'_>) {
        self.parted.retain(|(owed, _)| owed.id != *id);
        let Some(session) = turn.session() else {
            return;
        };
        let Some(entry) = self.entries.get_mut(id) else {
            return;
        };
        if session.is_legacy() {
            return self.give_up(id, "The link to a predecessor of exai broke");
        }
        if entry.scope.is_some() && !session.reaches_others() {
            return self.end(id, explain::own_only());
        }
        entry.boot = session.boot_id().cloned();
        turn.out.push(outbound::attach(id, entry.scope.as_deref()));
        self.place(
            id,
            Place::Attaching,
            self.times.answer_about_a_call(),
            turn.now,
        );
    }

    /// The answer to [`Calls::ask_about`].
    pub(crate) fn attached(&mut self, id: &RequestId, reply: AttachRes, turn: &mut Turn<'_>) {
        if reply.state != CallState::Unknown && self.is_left_there(id, turn) {
            return;
        }
        let Some(entry) = self.entries.get_mut(id) else {
            return;
        };
        let state = reply.state;
        let is_unended = matches!(state, CallState::Queued | CallState::Running);
        if is_unended && entry.frame.is_none() {
            let since = Duration::from_millis(reply.since_ms.unwrap_or_default());
            entry.pen.attached(since, reply.message.clone());
        }
        match state {
            CallState::Queued | CallState::Running => {
                let known = if state == CallState::Queued {
                    Known::Acknowledged
                } else {
                    Known::Started
                };
                entry.known = entry.known.max(known);
                let stopping = entry.stopping;
                let wait = if stopping {
                    self.times.stop_wait
                } else {
                    self.times.rpc
                };
                self.place(id, Place::OnWire, wait, turn.now);
            }
            CallState::Finished => {
                entry.known = Known::Started;
                let wait = self.times.answer_about_a_call();
                self.place(id, Place::OnWire, wait, turn.now);
            }
            CallState::Expired => {
                let message = "The call finished while the link was down, and its result is no \
                               longer kept. Check its effects before you run it again.";
                self.end(id, WireError::new(Code::Expired, message).ran(Ran::Yes));
            }
            CallState::Unknown if entry.elsewhere => self.unknown_elsewhere(id, &reply, turn),
            CallState::Unknown if entry.stopping => {
                self.end(
                    id,
                    explain::let_go("stopped before it reached the daemon", Ran::No),
                );
            }
            CallState::Unknown if entry.frame.is_some() => self.send(id, turn),
            CallState::Unknown => self.end(id, explain::not_there(id, reply.incomplete)),
        }
    }

    pub(crate) fn acknowledged(&mut self, ack: &CallToolAck, turn: &mut Turn<'_>) {
        if self.is_left_there(&ack.request_id, turn) {
            return;
        }
        let Some(entry) = self.entries.get_mut(&ack.request_id) else {
            return;
        };
        let timeout = Duration::try_from_secs_f64(ack.timeout)
            .unwrap_or(LONGEST)
            .min(LONGEST);
        entry.known = entry.known.max(Known::Acknowledged);
        entry.acknowledged = true;
        entry.pen.acknowledge(timeout);
        if !entry.stopping {
            let wait = timeout + self.times.ack_grace;
            self.place(&ack.request_id, Place::OnWire, wait, turn.now);
        }
    }

    pub(crate) fn progress(&mut self, progress: Progress, turn: &mut Turn<'_>) {
        if self.is_left_there(&progress.request_id, turn) {
            return;
        }
        let queued = progress.note.is_some() || progress.stage.as_deref() == Some("queued");
        let known = if queued {
            Known::Acknowledged
        } else {
            Known::Started
        };
        if let Some(entry) = self.heard(&progress.request_id, known, turn) {
            entry.pen.progress(progress);
        }
    }

    pub(crate) fn partial(&mut self, partial: &Partial, turn: &Turn<'_>) {
        if let Some(entry) = self.heard(&partial.request_id, Known::Started, turn) {
            entry.pen.partial(&partial.text);
        }
    }

    /// A sign of life: before the deadline is known, each one starts the wait anew.
    fn heard(&mut self, id: &RequestId, known: Known, turn: &Turn<'_>) -> Option<&mut Entry> {
        let entry = self.entries.get_mut(id)?;
        entry.known = entry.known.max(known);
        if !entry.acknowledged && !entry.stopping && entry.place == Place::OnWire {
            entry.due = turn.now + self.times.rpc;
        }
        Some(entry)
    }

    /// The terminal frame. A draining daemon's refusal is not the end: the call waits for the
    /// next daemon, and no longer than a restart takes where its owner wants none.
    pub(crate) fn finished(
        &mut self,
        result: CallToolRes,
        is_stopped: impl FnOnce() -> bool,
        turn: &Turn<'_>,
    ) {
        let Some(entry) = self.entries.get_mut(&result.request_id) else {
            tracing::debug!(id = %result.request_id, "an answer nobody waits for");
            return;
        };
        let draining = result
            .error
            .as_ref()
            .is_some_and(|error| error.code == Code::ShuttingDown && error.ran == Some(Ran::No));
        if draining && entry.held.is_none() && entry.frame.is_some() && !entry.stopping {
            // It never ran there: it waits as if it had never been sent.
            entry.known = Known::NotSent;
            let id = result.request_id.clone();
            let (held, wait) = if is_stopped() {
                let stopped = CallToolRes::failed(id.clone(), explain::stopped());
                (stopped, self.times.stopped_wait)
            } else {
                (result, self.times.connect_wait)
            };
            entry.held = Some(held);
            return self.place(&id, Place::Waiting, wait, turn.now);
        }
        if let Some(entry) = self.entries.remove(&result.request_id) {
            entry.pen.finish(result);
        }
    }

    /// An `error` frame that names a call: the daemon could not take it, or could not take
    /// what we last said about it.
    pub(crate) fn refused(&mut self, id: &RequestId, message: &str) -> bool {
        let Some(entry) = self.entries.get(id) else {
            return false;
        };
        if entry.place == Place::OnWire && !entry.stopping && entry.known == Known::Sent {
            let message = format!("The daemon did not take the call: {message}");
            self.end(
                id,
                WireError::new(Code::InvalidArgument, message).ran(Ran::No),
            );
        } else if entry.frame.is_none() {
            // Nothing is lost by asking once more.
            let error = WireError::new(Code::Unavailable, format!("The daemon says: {message}"));
            self.end(id, error.ran(Ran::Unknown));
        } else {
            self.give_up(id, &format!("The daemon complained ({message})"));
        }
        true
    }

    fn give_up(&mut self, id: &RequestId, what: &str) {
        if let Some(entry) = self.entries.get(id) {
            let error =
                explain::outcome_unknown(&entry.name, id, entry.known, entry.repeatable, what);
            self.end(id, error);
        }
    }

    fn end(&mut self, id: &RequestId, error: WireError) {
        if let Some(entry) = self.entries.remove(id) {
            entry.pen.fail(error);
        }
    }

    fn place(&mut self, id: &RequestId, place: Place, wait: Duration, now: Instant) {
        if let Some(entry) = self.entries.get_mut(id) {
            entry.place = place;
            entry.waiting_since = now;
            entry.due = now + wait;
            let due = entry.due;
            self.note_due(due);
        }
    }

    fn note_due(&mut self, due: Instant) {
        self.due = Some(self.due.map_or(due, |known| known.min(due)));
    }

    fn ids(&self, wanted: impl Fn(&Entry) -> bool) -> Vec<RequestId> {
        let chosen = self.entries.iter().filter(|(_, entry)| wanted(entry));
        chosen.map(|(id, _)| id.clone()).collect()
    }
}
