//! How calls end without the daemon's word: let go of, overdue, or closed.

use super::{Calls, Place, Turn};
use crate::{
    explain::{self, Known},
    outbound,
    state::LinkState,
};
use exai_protocol::{RequestId, error::Ran, request::CancelMode};
use std::time::Duration;

impl Calls {
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
        if entry.stopping || entry.leaving {
            // Already on its way out; a stream that is dropped now changes nothing.
            return true;
        }
        match (entry.place, mode) {
            (Place::Waiting, _) if entry.known == Known::NotSent => {
                self.end(id, explain::unsent());
            }
            (Place::Waiting, CancelMode::Stop) => {
                self.owe(id, CancelMode::Stop);
                self.end(
                    id,
                    explain::let_go("cancelled while the link was down", Ran::Unknown),
                );
            }
            (_, CancelMode::Detach) => {
                if entry.place != Place::Waiting && !legacy {
                    let scope = entry.scope.as_deref();
                    turn.out.push(outbound::cancel(id, scope, mode, reason));
                    self.note_parting(id, turn.now);
                }
                self.leave(id);
            }
            (_, CancelMode::Stop) if legacy => {
                let message = "let go of; this daemon cannot stop a call";
                self.end(id, explain::let_go(message, Ran::Unknown));
            }
            (place, CancelMode::Stop) => {
                entry.stopping = true;
                let scope = entry.scope.as_deref();
                turn.out.push(outbound::cancel(id, scope, mode, reason));
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
        for id in self.ids(|entry| entry.due <= now || entry.pen.is_abandoned()) {
            self.overdue(&id, turn);
        }
        self.due = self.entries.values().map(|entry| entry.due).min();
    }

    fn overdue(&mut self, id: &RequestId, turn: &mut Turn<'_>) {
        let Some(entry) = self.entries.get_mut(id) else {
            return;
        };
        let waited = turn.now - entry.waiting_since;
        if entry.pen.is_abandoned() && entry.due > turn.now {
            self.let_go(id, CancelMode::Detach, "the caller is gone", turn);
        } else if let Some(refusal) = entry.held.take() {
            if let Some(entry) = self.entries.remove(id) {
                entry.pen.finish(refusal);
            }
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
                entry.scope.as_deref(),
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
}
