//! A word about a call that comes before the call. A client whose link broke says on its next link
//! that it has let go; the call it means may still lie in the old link, which stands for a daemon
//! that was frozen, and is read whenever it is its turn. Taken as new it would run beside the
//! equal call that its client has made since.

use super::{
    CallKey, Calls,
    call::{Call, Stop},
};
use std::{collections::VecDeque, sync::Arc, time::Duration};
use tokio::time::Instant;

/// Words kept at most; the oldest go.
const MOST: usize = 1024;
/// A link that is broken for its client stands no longer than this for the daemon.
const STANDS: Duration = Duration::from_secs(120);
const MADE_ANEW: &str = "its client let go of it before it arrived, and has made it anew";

/// What was said, by which connection and when.
#[derive(Default)]
pub(super) struct Early(VecDeque<(CallKey, u64, Instant)>);

impl Early {
    fn note(&mut self, key: CallKey, peer: u64) {
        let now = Instant::now();
        self.0
            .retain(|(known, _, at)| *known != key && now - *at < STANDS);
        if self.0.len() >= MOST {
            self.0.pop_front();
        }
        self.0.push_back((key, peer, now));
    }

    /// Whether a later connection than this has let go of it. Who asks on the same link, or on a
    /// later one, wants it after all.
    fn is_over_for(&self, key: &CallKey, peer: u64) -> bool {
        let word = self.0.iter().find(|(known, ..)| known == key);
        word.is_some_and(|(_, said_by, at)| peer < *said_by && at.elapsed() < STANDS)
    }
}

impl Calls {
    /// A client lets go of a call, whatever its older links have to say of it.
    pub(crate) fn let_go_early(&self, key: CallKey, peer: u64) {
        self.lock().early.note(key, peer);
    }

    /// Whether what this connection says of a call was overtaken.
    pub(super) fn is_overtaken(&self, key: &CallKey, peer: u64) -> bool {
        self.lock().early.is_over_for(key, peer)
    }

    /// A call is here that came by this connection. If its client has let go of it since, nobody
    /// waits for it; and if it has made the same anew, this one ends before it begins.
    pub(super) fn heed_early_word(&self, call: &Arc<Call>, peer: u64) {
        let mut table = self.lock();
        if !table.early.is_over_for(&call.key, peer) {
            return;
        }
        call.left_before();
        let left = call.left_key();
        let anew = |other: &Arc<Call>| !Arc::ptr_eq(other, call) && other.left_key() == left;
        if table.live.values().any(anew) {
            call.stop(Stop::Asked(MADE_ANEW.to_owned()));
        } else {
            table.left.insert(left, Arc::clone(call));
        }
    }
}
