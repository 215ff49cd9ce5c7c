//! A call whose caller went before any daemon was heard to have it. The caller was told that the
//! work goes on, so it is seen to until a daemon has the call, and then left there; and whoever
//! asks for it meanwhile takes it up again.

use super::{Calls, Owed, Place, Turn, link::MAX_OWED};
use crate::{command::Submit, explain, outbound};
use exai_protocol::{RequestId, request::CancelMode};
use std::time::Duration;
use tokio::time::Instant;

/// Words remembered of a link.
const MOST_PARTED: usize = 256;
/// What was said longer ago was read, or the link would have been given up: some daemons do not
/// say that they have heard.
const LATELY: Duration = Duration::from_secs(60);

impl Calls {
    /// The caller goes. A call that a daemon has needs us no longer.
    pub(super) fn leave(&mut self, id: &RequestId) {
        match self.entries.get_mut(id) {
            Some(entry) if entry.is_unheard_of() && entry.boot.is_some() => {
                entry.leaving = true;
                entry.pen.leave();
            }
            Some(entry) => {
                // Who did not hear of it would wait for nobody, and run an equal call beside it.
                if entry.place == Place::Waiting {
                    self.owe(id, CancelMode::Detach);
                }
                self.end(id, explain::left());
            }
            None => {}
        }
    }

    /// The word is on its way. A daemon that stands still reads it after what comes by the next
    /// link, and one that dies never does: until it is heard it is said on the next again.
    pub(super) fn note_parting(&mut self, id: &RequestId, now: Instant) {
        let Some(entry) = self.entries.get(id) else {
            return;
        };
        let Some(boot) = entry.boot.clone() else {
            return;
        };
        let owed = Owed {
            mode: CancelMode::Detach,
            id: id.clone(),
            scope: entry.scope.clone(),
            boot,
        };
        while self.parted.len() >= MOST_PARTED {
            self.parted.pop_front();
        }
        self.parted.push_back((owed, now));
    }

    /// The daemon says that it has heard.
    pub(crate) fn word_came(&mut self, id: &RequestId) {
        self.parted.retain(|(owed, _)| owed.id != *id);
    }

    /// The link broke: what was said on it lately is said again on the next.
    pub(super) fn owe_partings(&mut self, now: Instant) {
        let lately = self.parted.drain(..);
        let lately = lately.filter(|(_, at)| now.saturating_duration_since(*at) < LATELY);
        self.owed.extend(lately.map(|(owed, _)| owed));
        self.owed.truncate(MAX_OWED);
    }

    /// A daemon was heard to have it; whether that is all there was to see to.
    pub(super) fn is_left_there(&mut self, id: &RequestId, turn: &mut Turn<'_>) -> bool {
        let leaving = self.entries.get(id).is_some_and(|entry| entry.leaving);
        if leaving {
            let reason = "its caller went before it arrived";
            turn.out
                .push(outbound::cancel(id, None, CancelMode::Detach, reason));
            self.entries.remove(id);
        }
        leaving
    }

    /// The same work is asked for anew before a daemon was heard to have the first: that one is
    /// seen to no more, or both would run in whatever order they arrive. A daemon that has it all
    /// the same hears first that it was left, so that the new call joins it.
    pub(super) fn supersede(&mut self, submit: &Submit, turn: &mut Turn<'_>) {
        let Some(frame) = &submit.frame else { return };
        let asked = work(frame, &submit.id);
        let is_same = |id: &RequestId, frame: &str| work(frame, id) == asked;
        let leaving = self.entries.iter().filter(|(_, entry)| entry.leaving);
        let same = leaving.filter(|(id, entry)| {
            let frame = entry.frame.as_ref();
            frame.is_some_and(|frame| is_same(id, frame))
        });
        let same: Vec<RequestId> = same.map(|(id, _)| id.clone()).collect();
        for id in same {
            if turn.link.is_ready() {
                let reason = "its caller asks anew";
                turn.out
                    .push(outbound::cancel(&id, None, CancelMode::Detach, reason));
            } else {
                self.owe(&id, CancelMode::Detach);
            }
            self.entries.remove(&id);
        }
    }

    /// Whoever stops a call does not want it to arrive after that.
    pub(crate) fn unwanted(&mut self, id: &RequestId) {
        if self.entries.get(id).is_some_and(|entry| entry.leaving) {
            self.entries.remove(id);
        }
    }

    /// Somebody watches again what is being left; the question comes back if nobody leaves it.
    pub(super) fn take_up(&mut self, submit: Submit, turn: &mut Turn<'_>) -> Option<Submit> {
        let is_question = submit.frame.is_none() && submit.scope.is_none();
        let entry = self.entries.get_mut(&submit.id);
        let Some(entry) = entry.filter(|entry| entry.leaving && is_question) else {
            return Some(submit);
        };
        entry.leaving = false;
        entry.pen = submit.pen;
        if entry.place == Place::Waiting {
            self.place(
                &submit.id,
                Place::Waiting,
                self.times.reattach_wait,
                turn.now,
            );
        } else {
            self.ask_about(&submit.id, turn);
        }
        None
    }
}

/// What a call asks for, whatever it is called.
fn work(frame: &str, id: &RequestId) -> String {
    frame.replacen(&format!("\"{}\"", id.as_str()), "", 1)
}
