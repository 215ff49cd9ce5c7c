//! Before and after this daemon: the one that took its home over, which writes its journal from
//! then on, and the one it took the home over from, which still has calls at work.

use super::Journal;
use crate::{calls::stroke::Stroke, error::StoreError, job::Task};
use exai_engine::{calls::CallKey, ports::ledger::News};
use rusqlite::Connection;
use std::sync::{Arc, OnceLock, PoisonError, RwLock, atomic::Ordering};
use tokio::sync::{mpsc, oneshot};

/// The daemon that has this one's home now.
pub trait Heir: Send + Sync + 'static {
    /// Has a step written there. `Ok` comes after the commit; an error, or silence for good,
    /// says that there is no heir any more that could.
    fn write(&self, step: String) -> oneshot::Receiver<Result<(), String>>;
}

/// The daemon that had this one's home before, and lives on for its calls.
pub trait Elder: Send + Sync + 'static {
    /// News of one of its calls, for as long as the receiver lives.
    fn follow(&self, key: &CallKey) -> mpsc::Receiver<News>;
    /// Asks it to stop one; false once it is gone.
    fn stop(&self, key: &CallKey, reason: &str) -> bool;
}

/// Both. An heir may fail before it has taken over, and another come after it.
#[derive(Clone, Default)]
pub(super) struct Kin {
    heir: Arc<RwLock<Option<Arc<dyn Heir>>>>,
    elder: Arc<OnceLock<Arc<dyn Elder>>>,
}

impl Kin {
    pub(super) fn elder(&self) -> Option<&Arc<dyn Elder>> {
        self.elder.get()
    }

    pub(super) fn has_heir(&self) -> bool {
        self.heir().is_some()
    }

    fn heir(&self) -> Option<Arc<dyn Heir>> {
        let heir = self.heir.read().unwrap_or_else(PoisonError::into_inner);
        heir.clone()
    }

    /// Has the heir write a step; false where there is none, or none any more: then it is ours
    /// to write again.
    pub(super) async fn written_by_heir(&self, step: &Stroke<'_>) -> bool {
        let Some(written) = self.given_to_heir(step) else {
            return false;
        };
        match written.await {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                tracing::error!(error, "the next daemon could not write a step of a call");
                false
            }
            Err(_) => false,
        }
    }

    pub(super) fn given_to_heir(
        &self,
        step: &Stroke<'_>,
    ) -> Option<oneshot::Receiver<Result<(), String>>> {
        let heir = self.heir()?;
        let step = serde_json::to_string(step).ok()?;
        Some(heir.write(step))
    }
}

impl Journal {
    /// Waits until all that was handed in so far is in the file, or cannot be.
    pub async fn caught_up(&self) {
        let Ok(room) = self.desk.ask_room().await else {
            return;
        };
        let (sender, answer) = oneshot::channel();
        let tell = move |_| {
            let _ = sender.send(());
        };
        let nothing = |_: &Connection| Ok(());
        self.desk
            .submit(Task::asked_in_one_step(nothing, tell), room);
        // Without a writer there is nothing to wait for.
        let _ = answer.await;
    }

    /// From now on another daemon writes this journal, as long as it can; or we do again.
    pub fn give_to(&self, heir: Option<Arc<dyn Heir>>) {
        self.desk.guest.store(heir.is_some(), Ordering::Relaxed);
        let kin = &self.kin.heir;
        *kin.write().unwrap_or_else(PoisonError::into_inner) = heir;
    }

    /// Calls of this daemon's predecessor go on there.
    pub fn take_over_from(&self, elder: Arc<dyn Elder>) {
        self.desk.guest.store(false, Ordering::Relaxed);
        // A daemon has one beginning.
        let _ = self.kin.elder.set(elder);
    }

    /// The predecessor, where there was one.
    #[must_use]
    pub fn elder(&self) -> Option<Arc<dyn Elder>> {
        self.kin.elder().cloned()
    }

    /// Writes a step of a call that is at work in the daemon before this one; on `Ok` it is in
    /// the file.
    ///
    /// # Errors
    /// It is not, and whose call it is has to see to it.
    pub async fn write_for_elder(&self, step: String) -> Result<(), StoreError> {
        let read = serde_json::from_str::<Stroke<'_>>(&step);
        let stroke = read.map_err(|error| StoreError::Internal(error.to_string()))?;
        if self.kin.has_heir() && self.kin.written_by_heir(&stroke).await {
            return Ok(());
        }
        drop(stroke);
        let room = self.desk.ask_room().await?;
        let (sender, answer) = oneshot::channel();
        let work = move |db: &Connection| match serde_json::from_str::<Stroke<'_>>(&step) {
            Ok(stroke) => stroke.write(db),
            Err(_) => Ok(false),
        };
        let tell = move |written| {
            let _ = sender.send(written);
        };
        self.desk.submit(Task::asked_in_one_step(work, tell), room);
        match answer.await.map_err(|_| StoreError::closed())?? {
            true => Ok(()),
            false => Err(StoreError::Internal(
                "the call is not in the journal".to_owned(),
            )),
        }
    }
}
