//! One at a time for each key: who comes while another is at it waits, and shares what comes
//! of it. Who comes after a failure begins anew.

use crate::fault::{Fault, FaultClass};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::OwnedMutexGuard;

type Slot = Arc<tokio::sync::Mutex<Option<Fault>>>;
type Slots = Arc<Mutex<HashMap<String, Slot>>>;

/// Those that are at it.
#[derive(Default)]
pub(super) struct Flights(Slots);

/// It is this one's turn. Dropping it lets the next one have it.
pub(super) struct Turn {
    key: String,
    slot: Slot,
    /// Taken by drop alone.
    guard: Option<OwnedMutexGuard<Option<Fault>>>,
    slots: Slots,
}

impl Flights {
    pub(super) async fn turn(&self, key: &str) -> Turn {
        let slot = Arc::clone(lock(&self.0).entry(key.to_owned()).or_default());
        // Made before waiting: whoever gives up while waiting tidies up as well.
        let mut turn = Turn {
            key: key.to_owned(),
            slot: Arc::clone(&slot),
            guard: None,
            slots: Arc::clone(&self.0),
        };
        turn.guard = Some(slot.lock_owned().await);
        turn
    }
}

impl Turn {
    /// What the one before failed with.
    pub(super) fn failed(&self) -> Option<Fault> {
        self.guard.as_ref().and_then(|guard| (**guard).clone())
    }

    /// It failed, for all who wait, unless it was only this one's time that was up.
    pub(super) fn fail(&mut self, fault: &Fault) {
        if fault.class == FaultClass::Timeout {
            return;
        }
        if let Some(guard) = &mut self.guard {
            **guard = Some(fault.clone());
        }
        let mut slots = lock(&self.slots);
        if slots
            .get(&self.key)
            .is_some_and(|slot| Arc::ptr_eq(slot, &self.slot))
        {
            slots.remove(&self.key);
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut slots = lock(&self.slots);
        // The guard holds the slot too.
        self.guard = None;
        let is_ours = |slot: &Slot| Arc::ptr_eq(slot, &self.slot);
        // The map's and ours: nobody else waits.
        if Arc::strong_count(&self.slot) <= 2 && slots.get(&self.key).is_some_and(is_ours) {
            slots.remove(&self.key);
        }
    }
}

fn lock(slots: &Slots) -> MutexGuard<'_, HashMap<String, Slot>> {
    slots.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nothing_is_left_when_all_are_gone() {
        let flights = Flights::default();
        let one = flights.turn("a").await;
        {
            let two = flights.turn("a");
            let waits = tokio::time::timeout(std::time::Duration::from_millis(20), two).await;
            assert!(waits.is_err(), "two at once");
        }
        let other = flights.turn("b").await;
        drop(one);
        drop(other);
        assert!(lock(&flights.0).is_empty());
    }

    #[tokio::test]
    async fn who_waited_shares_a_failure_and_who_comes_later_does_not() {
        let flights = Flights::default();
        let mut one = flights.turn("a").await;
        let mut two = Box::pin(flights.turn("a"));
        assert!(futures_poll(&mut two).await.is_none());
        one.fail(&Fault::malformed("odd"));
        drop(one);
        assert_eq!(two.await.failed(), Some(Fault::malformed("odd")));
        assert_eq!(flights.turn("a").await.failed(), None);
        assert!(lock(&flights.0).is_empty());
    }

    async fn futures_poll<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
        tokio::time::timeout(std::time::Duration::ZERO, future)
            .await
            .ok()
    }
}
