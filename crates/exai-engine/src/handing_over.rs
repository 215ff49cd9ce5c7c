//! What a daemon needs that gives its home to the next one: calls are no longer taken, those
//! that were are all written down, and whoever follows them from there hears of them.

use crate::{
    Engine,
    calls::{CallKey, Known, Stop, Watcher},
};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};
use tokio::sync::Notify;

/// Calls that were taken and of which the ledger has not heard yet.
#[derive(Default)]
pub(crate) struct Unwritten {
    calls: AtomicUsize,
    none: Notify,
}

/// One of them, until it is dropped.
pub(crate) struct OnItsWay(Arc<Unwritten>);

impl Unwritten {
    pub(crate) fn one_more(self: &Arc<Self>) -> OnItsWay {
        self.calls.fetch_add(1, SeqCst);
        OnItsWay(Arc::clone(self))
    }

    async fn none(&self) {
        loop {
            let none = self.none.notified();
            tokio::pin!(none);
            none.as_mut().enable();
            if self.calls.load(SeqCst) == 0 {
                return;
            }
            none.await;
        }
    }
}

impl Drop for OnItsWay {
    fn drop(&mut self) {
        if self.0.calls.fetch_sub(1, SeqCst) == 1 {
            self.0.none.notify_waiters();
        }
    }
}

impl Engine {
    /// From now on no call is taken: who brings one waits, and is not refused.
    pub fn hold_back(&self) {
        self.backlog().close();
    }

    /// Calls are taken again.
    pub fn go_on(&self) {
        self.backlog().open();
    }

    /// Waits until the ledger knows every call that was taken; to be asked while none is.
    pub async fn all_written(&self) {
        self.unwritten().none().await;
    }

    /// Has the ledger know whose clients have stopped waiting: an equal call of theirs comes to
    /// the next daemon, and is to find this one.
    pub fn tell_who_is_left(&self) {
        for call in self.calls().live() {
            if call.was_left() {
                self.ledger().left(&call.key);
            }
        }
    }

    /// Waits until every call has ended by itself.
    pub async fn all_ended(&self) {
        self.tasks().close();
        self.tasks().wait().await;
    }

    /// Has a watcher hear of a call that is at work; false if there is none.
    pub fn watch(&self, key: &CallKey, watcher: &Arc<dyn Watcher>) -> bool {
        let Known::Live(call) = self.calls().look_up(key) else {
            return false;
        };
        call.attach(watcher);
        true
    }

    /// A watcher waits no longer.
    pub fn unwatch(&self, key: &CallKey, peer: u64) {
        if let Known::Live(call) = self.calls().look_up(key) {
            call.detach(peer);
        }
    }

    /// Stops a call that is at work; false if there is none.
    pub fn stop_call(&self, key: &CallKey, reason: &str) -> bool {
        let Known::Live(call) = self.calls().look_up(key) else {
            return false;
        };
        call.stop(Stop::Asked(reason.to_owned()));
        true
    }

    /// Whether a connection waits for the end of a call.
    #[must_use]
    pub fn waits(&self, peer: u64) -> bool {
        self.calls()
            .live()
            .iter()
            .any(|call| call.is_watched_by(peer))
    }
}
