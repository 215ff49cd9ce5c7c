//! Every call that has not ended, and the rules by which each ends exactly once, whatever
//! happens to the link. Sans-IO: it is told what happened and when, and says what to send.

use crate::{
    call::Slot,
    command::Submit,
    config::Times,
    explain::{self, Known},
    outbound,
    state::{LinkState, Session},
};
use exai_protocol::{
    BootId, Code, RequestId, WireError,
    call::{CallToolAck, CallToolRes, Partial, Progress},
    control::CallState,
    error::Ran,
    request::CancelMode,
};
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Utf8Bytes;

/// A repeatable call follows its daemon through this many deaths; then it may be the cause.
const MAX_REPEATS: u8 = 3;
/// Times an answer may be too large for us before we stop asking for it.
const MAX_OVERSIZE: u8 = 2;
/// Stops kept for a daemon that is away.
const MAX_OWED: usize = 1024;
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
    frame: Option<Utf8Bytes>,
    repeatable: bool,
    slot: Arc<Slot>,
    known: Known,
    place: Place,
    boot: Option<BootId>,
    /// Since when the present wait runs, and when it ends.
    waiting_since: Instant,
    due: Instant,
    acknowledged: bool,
    stopping: bool,
    repeats: u8,
    oversize: u8,
    /// A draining daemon's refusal, told only if no other daemon comes in time.
    held: Option<CallToolRes>,
}

struct Owed {
    id: RequestId,
    boot: BootId,
}

pub(crate) struct Calls {
    entries: HashMap<RequestId, Entry>,
    owed: Vec<Owed>,
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
        let refuse = |error| submit.slot.finish(explain::failed(&submit.id, error));
        let length = submit.frame.as_ref().map_or(0, |frame| frame.len());
        if self.entries.contains_key(&submit.id) {
            let message = "a call with this request_id is already in flight in this client";
            return refuse(WireError::new(Code::InvalidArgument, message).ran(Ran::No));
        }
        if self.entries.len() >= self.max {
            let message = format!("{} calls are already pending in this client", self.max);
            let error = WireError::new(Code::OverCapacity, message);
            return refuse(error.retry_after(1).ran(Ran::No));
        }
        if length > self.max_frame {
            return refuse(explain::too_large(length, self.max_frame));
        }
        if matches!(turn.link, LinkState::Refused(_)) {
            return refuse(explain::unavailable(turn.link, Duration::ZERO));
        }
        let budget = submit.timeout_ms.map_or(LONGEST, Duration::from_millis);
        let wait = match turn.link {
            LinkState::Stopped(_) => self.times.stopped_wait,
            _ => self.times.connect_wait,
        };
        let entry = Entry {
            name: submit.name,
            frame: submit.frame,
            repeatable: submit.repeatable,
            slot: submit.slot,
            known: Known::NotSent,
            place: Place::Waiting,
            boot: None,
            waiting_since: turn.now,
            due: turn.now + wait.min(budget),
            acknowledged: false,
            stopping: false,
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

    /// A daemon said welcome: everything that waits for one goes on.
    pub(crate) fn link_up(&mut self, turn: &mut Turn<'_>) {
        let Some(session) = turn.session() else {
            return;
        };
        let boot = session.boot_id();
        for owed in self.owed.drain(..).filter(|owed| Some(&owed.boot) == boot) {
            turn.out.push(outbound::cancel(
                &owed.id,
                CancelMode::Stop,
                "the caller is gone",
            ));
        }
        for id in self.ids(|entry| entry.place == Place::Waiting) {
            self.resume(&id, &session, turn);
        }
    }

    fn resume(&mut self, id: &RequestId, session: &Session, turn: &mut Turn<'_>) {
        let Some(entry) = self.entries.get_mut(id) else {
            return;
        };
        let same_boot = entry.boot.is_some() && entry.boot.as_ref() == session.boot_id();
        if entry.known == Known::NotSent {
            if !(entry.held.is_some() && same_boot) {
                self.send(id, turn);
            }
        } else if same_boot {
            self.ask_about(id, turn);
        } else if !entry.repeatable || entry.frame.is_none() {
            let what = "The exai daemon was restarted";
            self.give_up(id, what);
        } else if entry.repeats >= MAX_REPEATS {
            let what = format!("The exai daemon went away {} times", entry.repeats + 1);
            self.give_up(id, &what);
        } else {
            entry.repeats += 1;
            tracing::info!(%id, tool = %entry.name, "sent again to a new daemon");
            self.send(id, turn);
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
        entry.known = Known::Sent;
        entry.acknowledged = false;
        entry.held = None;
        self.place(id, Place::OnWire, self.times.rpc, turn.now);
        turn.out.push(frame);
    }

    /// Asks the daemon that had it what became of a call.
    fn ask_about(&mut self, id: &RequestId, turn: &mut Turn<'_>) {
        let Some(session) = turn.session() else {
            return;
        };
        let Some(entry) = self.entries.get_mut(id) else {
            return;
        };
        if session.is_legacy() {
            return self.give_up(id, "The link to a predecessor of exai broke");
        }
        entry.boot = session.boot_id().cloned();
        self.place(id, Place::Attaching, self.times.reply, turn.now);
        turn.out.push(outbound::attach(id));
    }

    /// The answer to [`Calls::ask_about`].
    pub(crate) fn attached(&mut self, id: &RequestId, state: CallState, turn: &mut Turn<'_>) {
        let Some(entry) = self.entries.get_mut(id) else {
            return;
        };
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
            CallState::Finished => self.place(id, Place::OnWire, self.times.reply, turn.now),
            CallState::Expired => {
                let message = "The call finished while the link was down, and its result is no \
                               longer kept. Check its effects before you run it again.";
                self.end(id, WireError::new(Code::Expired, message).ran(Ran::Yes));
            }
            CallState::Unknown if entry.stopping => {
                self.end(
                    id,
                    explain::let_go("stopped before it reached the daemon", Ran::No),
                );
            }
            CallState::Unknown if entry.frame.is_some() => self.send(id, turn),
            CallState::Unknown => {
                let message = format!(
                    "This daemon knows no call {:?} of this client.",
                    id.as_str()
                );
                self.end(id, WireError::new(Code::Expired, message));
            }
        }
    }

    pub(crate) fn acknowledged(&mut self, ack: &CallToolAck, turn: &Turn<'_>) {
        let Some(entry) = self.entries.get_mut(&ack.request_id) else {
            return;
        };
        let timeout = Duration::try_from_secs_f64(ack.timeout)
            .unwrap_or(LONGEST)
            .min(LONGEST);
        entry.known = entry.known.max(Known::Acknowledged);
        entry.acknowledged = true;
        entry.slot.acknowledge(timeout);
        if !entry.stopping {
            let wait = timeout + self.times.ack_grace;
            self.place(&ack.request_id, Place::OnWire, wait, turn.now);
        }
    }

    pub(crate) fn progress(&mut self, progress: Progress, turn: &Turn<'_>) {
        let queued = progress.note.is_some() || progress.stage.as_deref() == Some("queued");
        let known = if queued {
            Known::Acknowledged
        } else {
            Known::Started
        };
        if let Some(entry) = self.heard(&progress.request_id, known, turn) {
            entry.slot.progress(progress);
        }
    }

    pub(crate) fn partial(&mut self, partial: &Partial, turn: &Turn<'_>) {
        if let Some(entry) = self.heard(&partial.request_id, Known::Started, turn) {
            entry.slot.partial(&partial.text);
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

    /// The terminal frame.
    pub(crate) fn finished(&mut self, result: CallToolRes, turn: &Turn<'_>) {
        let Some(entry) = self.entries.get_mut(&result.request_id) else {
            tracing::debug!(id = %result.request_id, "an answer nobody waits for");
            return;
        };
        let draining = result
            .error
            .as_ref()
            .is_some_and(|error| error.code == Code::ShuttingDown && error.ran == Some(Ran::No));
        if draining && entry.held.is_none() && entry.frame.is_some() && !entry.stopping {
            // It never ran there: wait for the next daemon as if it had never been sent.
            entry.known = Known::NotSent;
            let id = result.request_id.clone();
            entry.held = Some(result);
            return self.place(&id, Place::Waiting, self.times.connect_wait, turn.now);
        }
        if let Some(entry) = self.entries.remove(&result.request_id) {
            entry.slot.finish(result);
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
        } else {
            self.give_up(id, &format!("The daemon complained ({message})"));
        }
        true
    }

    /// The link broke; `oversize` when it broke over a frame larger than we accept.
    pub(crate) fn link_lost(&mut self, oversize: bool, now: Instant) {
        for id in self.ids(|entry| entry.place != Place::Waiting) {
            let Some(entry) = self.entries.get_mut(&id) else {
                continue;
            };
            entry.oversize += u8::from(oversize);
            if entry.stopping {
                self.owe(&id);
                self.end(
                    &id,
                    explain::let_go("stopped while the link broke", Ran::Unknown),
                );
            } else if entry.oversize >= MAX_OVERSIZE {
                let message = "The answer is larger than this client accepts \
                               (EXAI_WS_MAX_BYTES). Ask for less.";
                self.end(&id, WireError::new(Code::TooLarge, message).ran(Ran::Yes));
            } else {
                let left = entry.due.saturating_duration_since(now);
                self.place(&id, Place::Waiting, left.min(self.times.reattach_wait), now);
            }
        }
    }

    /// An attempt failed in a way that waiting will not mend soon.
    pub(crate) fn link_failed(&mut self, turn: &Turn<'_>) {
        let wait = match turn.link {
            LinkState::Refused(_) => Duration::ZERO,
            LinkState::Stopped(_) => self.times.stopped_wait,
            _ => return,
        };
        for id in self.ids(|entry| entry.known == Known::NotSent) {
            let Some(entry) = self.entries.get_mut(&id) else {
                continue;
            };
            entry.due = entry.due.min(turn.now + wait);
            let due = entry.due;
            self.note_due(due);
        }
    }

    /// The caller lets go. Returns whether the call was one of ours.
    pub(crate) fn let_go(
        &mut self,
        id: &RequestId,
        mode: CancelMode,
        reason: &str,
        turn: &mut Turn<'_>,
    ) -> bool {
        let Some(entry) = self.entries.get_mut(id) else {
            return false;
        };
        let legacy = turn.session().is_none_or(|session| session.is_legacy());
        match (entry.place, mode) {
            (Place::Waiting, _) if entry.known == Known::NotSent => {
                self.end(id, explain::let_go("cancelled before it was sent", Ran::No));
            }
            (Place::Waiting, CancelMode::Stop) => {
                self.owe(id);
                self.end(
                    id,
                    explain::let_go("cancelled while the link was down", Ran::Unknown),
                );
            }
            (_, CancelMode::Detach) => {
                if entry.place != Place::Waiting && !legacy {
                    turn.out.push(outbound::cancel(id, mode, reason));
                }
                let message = "detached: the daemon finishes the call and keeps its result for \
                               a while";
                self.end(id, explain::let_go(message, Ran::Unknown));
            }
            (_, CancelMode::Stop) if legacy => {
                let message = "let go of; this daemon cannot stop a call";
                self.end(id, explain::let_go(message, Ran::Unknown));
            }
            (place, CancelMode::Stop) => {
                entry.stopping = true;
                turn.out.push(outbound::cancel(id, mode, reason));
                self.place(id, place, self.times.stop_wait, turn.now);
            }
        }
        true
    }

    /// Ends what has waited long enough.
    pub(crate) fn sweep(&mut self, turn: &mut Turn<'_>) {
        if self.due.is_none_or(|due| due > turn.now) {
            return;
        }
        let now = turn.now;
        for id in self.ids(|entry| entry.due <= now || entry.slot.is_abandoned()) {
            self.overdue(&id, turn);
        }
        self.due = self.entries.values().map(|entry| entry.due).min();
    }

    fn overdue(&mut self, id: &RequestId, turn: &mut Turn<'_>) {
        let Some(entry) = self.entries.get_mut(id) else {
            return;
        };
        let waited = turn.now - entry.waiting_since;
        if entry.slot.is_abandoned() && entry.due > turn.now {
            self.let_go(id, CancelMode::Detach, "the caller is gone", turn);
        } else if let Some(refusal) = entry.held.take() {
            entry.slot.finish(refusal);
            self.entries.remove(id);
        } else if entry.known == Known::NotSent && entry.place == Place::Waiting {
            self.end(id, explain::unavailable(turn.link, waited));
        } else if entry.place == Place::Waiting {
            let what = format!("The exai daemon was lost and is {}", turn.link.describe());
            self.give_up(id, &what);
        } else if entry.stopping {
            self.end(
                id,
                explain::let_go("stopped; the daemon did not confirm", Ran::Unknown),
            );
        } else {
            let error = explain::silent(&entry.name, waited);
            turn.out.push(outbound::cancel(
                id,
                CancelMode::Detach,
                "the client stopped waiting",
            ));
            self.end(id, error);
        }
    }

    /// Nobody will serve us any more.
    pub(crate) fn close(&mut self) {
        for id in self.ids(|_| true) {
            let Some(entry) = self.entries.get(&id) else {
                continue;
            };
            if entry.known == Known::NotSent {
                self.end(
                    &id,
                    explain::unavailable(&LinkState::Closed, Duration::ZERO),
                );
            } else {
                self.give_up(&id, "The client was closed");
            }
        }
    }

    fn owe(&mut self, id: &RequestId) {
        let boot = self.entries.get(id).and_then(|entry| entry.boot.clone());
        if let Some(boot) = boot.filter(|_| self.owed.len() < MAX_OWED) {
            self.owed.push(Owed {
                id: id.clone(),
                boot,
            });
        }
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
            entry.slot.finish(explain::failed(id, error));
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
