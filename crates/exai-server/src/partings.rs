//! Calls this connection let go of while the ledger was still being asked for them: the answer
//! comes later than the word, and must not make the client one who waits again. An equal call
//! would run beside it, instead of getting its result.

use exai_engine::sessions::Session;
use exai_protocol::RequestId;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// More questions than this are not under way for one connection; the oldest is forgotten.
const MOST: usize = 1024;

type Key = (Arc<str>, RequestId);

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Partings(Mutex<VecDeque<Key>>);

impl Partings {
    /// It lets go.
    pub(crate) fn note(&self, session: &Session, id: &RequestId) {
        let mut gone = self.lock();
        if gone.len() >= MOST {
            gone.pop_front();
        }
        gone.push_back((Arc::clone(&session.scope), id.clone()));
    }

    /// Whether it had let go; from now on it has not.
    pub(crate) fn take(&self, session: &Session, id: &RequestId) -> bool {
        let mut gone = self.lock();
        let before = gone.len();
        gone.retain(|(scope, of)| (scope, of) != (&session.scope, id));
        gone.len() < before
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Key>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
