//! Letting go of calls: a client stops one or waits for it no longer, a connection breaks, a key is
//! revoked.

use super::Engine;
use crate::{
    calls::{Call, Known, Stop},
    sessions::Membership,
};
use exai_protocol::{Principal, RequestId, control::CallState, request::CancelMode};
use std::sync::Arc;

impl Engine {
    /// Lets go of a call, in one of two ways; tells the state it was in. To stop it is to stop
    /// it for everyone; to detach is this connection's own affair.
    pub fn cancel(
        &self,
        member: &Membership,
        id: &RequestId,
        mode: CancelMode,
        reason: &str,
    ) -> CallState {
        let key = self.key(&member.session, id.clone());
        if mode == CancelMode::Detach {
            // It may still come, by a link that broke for the client and not yet for us.
            self.calls.let_go_early(key.clone(), member.peer);
        }
        let known = self.calls.look_up(&key);
        let state = known.state();
        match (mode, known) {
            (CancelMode::Stop, Known::Live(call)) => {
                let reason = if reason.is_empty() {
                    "cancelled by its client"
                } else {
                    reason
                };
                call.stop(Stop::Asked(reason.to_owned()));
            }
            (CancelMode::Detach, Known::Live(call)) => self.let_go(member, &call),
            // Its result is on its way to a client that reads it no more.
            (CancelMode::Detach, Known::Finished(_)) => self.ledger().left(&key),
            // The ledger may know it as one that has ended.
            (CancelMode::Detach, _) if self.remembers() => self.ledger().left(&key),
            _ => {}
        }
        state
    }

    /// Of two equal calls of a client the second gets what the first was let go of before.
    fn let_go(&self, member: &Membership, call: &Arc<Call>) {
        call.leave(member.peer, &member.session.older_peers(member.peer));
        if !call.was_left() || !self.remembers() {
            return;
        }
        let at_work = self.calls.leave(call);
        // While the home is given away the ledger has heard, or is about to hear, of those that
        // were left before (`tell_who_is_left`); the next equal call comes to the next daemon.
        if !at_work || self.backlog().is_closed() {
            self.ledger().left(&call.key);
        }
    }

    /// Stops all calls of a principal, whether anybody waits for them or not.
    pub fn stop_all_of(&self, who: &Principal, reason: &str) {
        let live = self.calls.live().into_iter();
        for call in live.filter(|call| call.key.principal == *who) {
            call.stop(Stop::Asked(reason.to_owned()));
        }
    }

    /// A connection is gone: its calls go on, unwatched by it.
    pub fn detach_peer(&self, peer: u64) {
        for call in self.calls.live() {
            call.detach(peer);
        }
    }

    /// A connection is gone that said goodbye; its client is forgotten with the last of them,
    /// unless something of it runs or is kept.
    pub fn farewell(&self, member: &Membership) {
        self.sessions.depart(member);
        self.forget_departed();
    }

    pub(super) fn forget_departed(&self) {
        if self.sessions.any_departed() {
            let kept = self.calls.scopes_kept();
            self.sessions.forget_departed(|scope| kept.contains(scope));
        }
    }
}
