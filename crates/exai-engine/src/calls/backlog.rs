//! Calls that wait until there is room for their record. They are told signs of life, never
//! refused and never forgotten; but only so many may wait, in number and in bytes. Beyond that
//! nothing more is taken from those who call: their frames stay where they are.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
};
use tokio::sync::Notify;

/// The record is as far behind as it may be; ask again after [`crate::Engine::room`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the record of calls is behind; nothing more is taken until it has caught up")]
pub struct Behind;

/// Who waits.
pub(crate) struct Backlog {
    calls: AtomicUsize,
    bytes: AtomicUsize,
    max_calls: usize,
    max_bytes: usize,
    /// Nobody more, whatever room there is.
    closed: AtomicBool,
    freed: Notify,
}

/// A place among those who wait; given back by drop.
pub(crate) struct Place {
    backlog: Arc<Backlog>,
    bytes: usize,
}

impl Backlog {
    pub(crate) fn new(max_calls: usize, max_bytes: usize) -> Arc<Self> {
        Arc::new(Self {
            calls: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            // One may always wait, or nobody would ever be woken.
            max_calls: max_calls.max(1),
            max_bytes: max_bytes.max(1),
            closed: AtomicBool::new(false),
            freed: Notify::new(),
        })
    }

    pub(crate) fn calls(&self) -> usize {
        self.calls.load(SeqCst)
    }

    pub(crate) fn close(&self) {
        self.closed.store(true, SeqCst);
    }

    /// Whether no call is taken, because the home is being given away.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(SeqCst)
    }

    pub(crate) fn open(&self) {
        self.closed.store(false, SeqCst);
        self.freed.notify_one();
    }

    pub(crate) fn is_full(&self) -> bool {
        self.closed.load(SeqCst)
            || self.calls.load(SeqCst) >= self.max_calls
            || self.bytes.load(SeqCst) >= self.max_bytes
    }

    /// For one that was let in while there was room: the bound may be passed by the calls that
    /// were let in at the same moment, one a thread.
    pub(crate) fn enter(self: &Arc<Self>, bytes: u64) -> Place {
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX / 2);
        self.calls.fetch_add(1, SeqCst);
        self.bytes.fetch_add(bytes, SeqCst);
        Place {
            backlog: Arc::clone(self),
            bytes,
        }
    }

    /// Waits until another may wait here.
    pub(crate) async fn room(&self) {
        loop {
            let freed = self.freed.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            if !self.is_full() {
                // There may be room for more than one, and only one was woken.
                return self.freed.notify_one();
            }
            freed.await;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.backlog.calls.fetch_sub(1, SeqCst);
        self.backlog.bytes.fetch_sub(self.bytes, SeqCst);
        self.backlog.freed.notify_one();
    }
}
