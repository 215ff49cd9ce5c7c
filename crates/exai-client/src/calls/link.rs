//! What becomes of calls when links come and go.

use super::{Calls, Entry, Owed, Place, Turn};
use crate::{
    explain::{self, Known},
    outbound,
    state::{LinkState, Session},
    wire::Loss,
};
use exai_protocol::{
    Code, RequestId, WireError, control::AttachRes, error::Ran, request::CancelMode,
};
use std::time::Duration;
use tokio::time::Instant;

/// A repeatable call follows its daemon through this many deaths; then it may be the cause.
const MAX_REPEATS: u8 = 3;
/// Times an answer may be too large for us before we stop asking for it.
const MAX_OVERSIZE: u8 = 2;
/// Words kept for a daemon that is away.
pub(super) const MAX_OWED: usize = 1024;

impl Calls {
    /// A daemon said welcome: everything that waits for one goes on.
    pub(crate) fn link_up(&mut self, turn: &mut Turn<'_>) {
        let Some(session) = turn.session() else {
            return;
        };
        let boot = session.boot_id();
        for owed in self.owed.drain(..) {
            // Another daemon has nothing to stop; but it may have the result of what was left.
            let concerns = match owed.mode {
                CancelMode::Stop => Some(&owed.boot) == boot,
                CancelMode::Detach => !session.is_legacy(),
            };
            if concerns {
                turn.out.push(outbound::cancel(
                    &owed.id,
                    owed.scope.as_deref(),
                    owed.mode,
                    "the caller is gone",
                ));
            }
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
        } else if session.is_legacy() {
            self.send_elsewhere(id, turn);
        } else {
            // It may know what its predecessor knew.
            entry.elsewhere = true;
            self.ask_about(id, turn);
        }
    }

    /// The new daemon knows nothing of a call its predecessor was sent.
    pub(super) fn unknown_elsewhere(
        &mut self,
        id: &RequestId,
        reply: &AttachRes,
        turn: &mut Turn<'_>,
    ) {
        let Some(entry) = self.entries.get_mut(id) else {
            return;
        };
        entry.elsewhere = false;
        let session = turn.session();
        let never_accepted = session.is_some_and(|session| is_proof(entry, reply, &session));
        if entry.stopping {
            let message = "stopped; the daemon that had it is gone";
            self.end(id, explain::let_go(message, Ran::Unknown));
        } else if entry.frame.is_none() && reply.journal.is_some() {
            // Only asked for, and asked for again later if need be.
            self.end(id, explain::not_there(id, reply.incomplete));
        } else if never_accepted && entry.is_unheard_of() {
            tracing::info!(%id, tool = %entry.name, "was never accepted; sent to a new daemon");
            self.send(id, turn);
        } else {
            self.send_elsewhere(id, turn);
        }
    }

    /// Without anybody's memory only what may run twice is sent again.
    fn send_elsewhere(&mut self, id: &RequestId, turn: &mut Turn<'_>) {
        let Some(entry) = self.entries.get_mut(id) else {
            return;
        };
        if !entry.repeatable || entry.frame.is_none() {
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

    /// The link broke.
    pub(crate) fn link_lost(&mut self, loss: &Loss, legacy: bool, now: Instant) {
        self.owe_partings(now);
        for id in self.ids(|entry| entry.place != Place::Waiting) {
            let Some(entry) = self.entries.get_mut(&id) else {
                continue;
            };
            entry.oversize += u8::from(loss.oversize);
            if entry.stopping {
                self.owe(&id, CancelMode::Stop);
                self.end(
                    &id,
                    explain::let_go("stopped while the link broke", Ran::Unknown),
                );
            } else if entry.oversize >= MAX_OVERSIZE {
                let message = "The answer is larger than this client accepts \
                               (EXAI_WS_MAX_BYTES). Ask for less.";
                self.end(&id, WireError::new(Code::TooLarge, message).ran(Ran::Yes));
            } else if loss.farewell
                && !legacy
                && entry.place == Place::OnWire
                && entry.is_unheard_of()
            {
                // Whatever a daemon takes it answers before its farewell: it never took this.
                entry.known = Known::NotSent;
                self.place(&id, Place::Waiting, self.times.connect_wait, now);
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

    pub(super) fn owe(&mut self, id: &RequestId, mode: CancelMode) {
        let Some(entry) = self.entries.get(id) else {
            return;
        };
        if let Some(boot) = entry.boot.clone()
            && self.owed.len() < MAX_OWED
        {
            self.owed.push(Owed {
                mode,
                id: id.clone(),
                scope: entry.scope.clone(),
                boot,
            });
        }
    }
}

/// Whether it was never accepted, as it is not in the new daemon's journal: that must be the one
/// it would be in. Daemons that do not name theirs say whether they know all there is to know.
fn is_proof(entry: &Entry, reply: &AttachRes, session: &Session) -> bool {
    match (&entry.journal, &session.journal) {
        (Some(then), Some(_)) => reply.journal.as_ref() == Some(then),
        _ => entry.journaled && session.remembers_calls(),
    }
}
