//! When so much was kept that the bounds should be looked at before the next look is due: large
//! results can fill a disk in less time than lies between two.

use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::Notify;

/// Bytes kept since the last look.
#[derive(Debug)]
pub(super) struct Growth {
    bytes: AtomicU64,
    much: u64,
    looked: Notify,
}

impl Growth {
    pub(super) fn new(much: u64) -> Self {
        Self {
            bytes: AtomicU64::new(0),
            much: much.max(1),
            looked: Notify::new(),
        }
    }

    pub(super) fn by(&self, bytes: u64) {
        let before = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) >= self.much {
            self.looked.notify_one();
        }
    }

    /// Waits until it is much; what comes then counts anew.
    pub(super) async fn is_much(&self) {
        while self.bytes.load(Ordering::Relaxed) < self.much {
            self.looked.notified().await;
        }
        self.bytes.store(0, Ordering::Relaxed);
    }
}
