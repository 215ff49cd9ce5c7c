//! One turn at a time: who has a conversation open keeps others waiting, in the order in which
//! they came. A lease comes back by drop, so that no end of a call can keep one.

use exai_engine::{ports::threads::ThreadError, tool::ToolCall};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};
use tokio::{sync::OwnedMutexGuard, time};

/// Kept of the call's time, to tell that it waited in vain.
const LAST_WORDS: Duration = Duration::from_millis(250);

/// Who has which conversation open.
#[derive(Default)]
pub(super) struct Leases {
    held: Mutex<HashMap<Arc<str>, Weak<tokio::sync::Mutex<()>>>>,
}

impl Leases {
    /// Waits for its turn, within the call's time.
    pub(super) async fn take(
        &self,
        call: &ToolCall,
        key: &Arc<str>,
    ) -> Result<OwnedMutexGuard<()>, ThreadError> {
        let lock = self.lock(key);
        if let Ok(lease) = Arc::clone(&lock).try_lock_owned() {
            return Ok(lease);
        }
        let words = "another turn of this conversation is being answered";
        call.progress.say("waiting", words);
        let deadline = call.deadline.checked_sub(LAST_WORDS);
        let wait = time::timeout_at(deadline.unwrap_or(call.deadline), lock.lock_owned());
        // Whoever has it open may itself wait for a permit: those who wait for it hold none.
        call.seat
            .without(wait)
            .await
            .map_err(|_| ThreadError::Busy(key.to_string()))
    }

    fn lock(&self, key: &Arc<str>) -> Arc<tokio::sync::Mutex<()>> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lock) = held.get(key).and_then(Weak::upgrade) {
            return lock;
        }
        held.retain(|_, lock| lock.strong_count() > 0);
        let lock = Arc::default();
        held.insert(Arc::clone(key), Arc::downgrade(&lock));
        lock
    }
}
