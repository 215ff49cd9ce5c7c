//! The calls this daemon knows of: running ones, finished ones whose results are kept, and
//! the bare memory of those whose results are gone. The table answers one question, "same
//! call already known?", and never lets an identity run twice.

mod at_once;
mod backlog;
mod call;
mod follow;
mod guard;
mod life;
mod outcome;
mod refusal;
mod retention;
mod run;
mod submit;

pub use backlog::Behind;
pub use call::{Update, Watcher};
pub use outcome::Finished;
pub use refusal::Refusal;
pub use submit::Submission;

use crate::sessions::Scope;
pub(crate) use backlog::Backlog;
pub(crate) use call::{Call, Stop};
use exai_protocol::{Principal, RequestId, control::CallState};
use retention::{Kept, Retention};
use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// A call's identity.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CallKey {
    /// Whom it is for.
    pub principal: Principal,
    /// The client, or the connection of a client that did not name itself.
    pub scope: Arc<str>,
    /// Its id within the scope.
    pub request_id: RequestId,
}

/// How much is kept of finished calls.
#[derive(Debug, Clone, Copy)]
pub struct RetentionLimits {
    /// How long a result can be collected.
    pub ttl: Duration,
    /// How many results.
    pub results: usize,
    /// How many bytes of results.
    pub bytes: usize,
}

/// The owner of the table.
pub(crate) struct Calls {
    table: Mutex<Table>,
}

struct Table {
    live: HashMap<CallKey, Arc<Call>>,
    finished: Retention,
    shared: HashMap<ShareKey, Arc<Call>>,
}

/// What makes two calls of a coalescing tool equal.
#[derive(PartialEq, Eq, Hash, Clone)]
pub(crate) struct ShareKey {
    pub(crate) principal: Principal,
    pub(crate) tool: Arc<str>,
    pub(crate) arguments: [u8; 32],
}

/// What the table knows of an identity.
pub(crate) enum Known {
    Live(Arc<Call>),
    Finished(Arc<Finished>),
    Expired,
    New,
}

impl Calls {
    pub(crate) fn new(limits: RetentionLimits) -> Self {
        let finished = Retention::new(limits);
        Self {
            table: Mutex::new(Table {
                live: HashMap::new(),
                finished,
                shared: HashMap::new(),
            }),
        }
    }

    /// Looks an identity up and, where it is new, enters the call that `make` builds: one
    /// step, so that of two equal frames only one can be new.
    pub(crate) fn enter(
        &self,
        key: &CallKey,
        make: impl FnOnce() -> Arc<Call>,
    ) -> (Known, Option<Arc<Call>>) {
        let mut table = self.lock();
        match table.known(key) {
            Known::New => {
                let call = make();
                table.live.insert(key.clone(), Arc::clone(&call));
                (Known::New, Some(call))
            }
            known => (known, None),
        }
    }

    pub(crate) fn look_up(&self, key: &CallKey) -> Known {
        self.lock().known(key)
    }

    /// Moves a call from running to finished; `keep` is false for what need not be kept.
    pub(crate) fn retire(&self, call: &Call, finished: &Arc<Finished>, keep: bool) {
        let mut table = self.lock();
        if table
            .live
            .get(&call.key)
            .is_some_and(|live| std::ptr::eq(&raw const **live, call))
        {
            table.live.remove(&call.key);
        }
        if let Some(share) = &call.share
            && table
                .shared
                .get(share)
                .is_some_and(|leader| std::ptr::eq(&raw const **leader, call))
        {
            table.shared.remove(share);
        }
        if keep {
            table
                .finished
                .keep(call.key.clone(), Arc::clone(finished), Instant::now());
        }
    }

    /// The call that runs for all equal ones; this one, if there was none.
    pub(crate) fn leader(&self, share: &ShareKey, call: &Arc<Call>) -> Arc<Call> {
        Arc::clone(
            self.lock()
                .shared
                .entry(share.clone())
                .or_insert_with(|| Arc::clone(call)),
        )
    }

    /// Every call that is queued or running.
    pub(crate) fn live(&self) -> Vec<Arc<Call>> {
        self.lock().live.values().cloned().collect()
    }

    pub(crate) fn live_count(&self) -> usize {
        self.lock().live.len()
    }

    /// Those of whom results are kept.
    pub(crate) fn scopes_kept(&self) -> HashSet<Scope> {
        self.lock().finished.scopes()
    }

    /// Drops results past their time.
    pub(crate) fn sweep(&self, now: Instant) {
        self.lock().finished.sweep(now);
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn known(&mut self, key: &CallKey) -> Known {
        if let Some(call) = self.live.get(key) {
            return Known::Live(Arc::clone(call));
        }
        match self.finished.get(key, Instant::now()) {
            Kept::Result(finished) => Known::Finished(finished),
            Kept::Tombstone => Known::Expired,
            Kept::Nothing => Known::New,
        }
    }
}

impl Known {
    pub(crate) fn state(&self) -> CallState {
        match self {
            Self::Live(call) if call.is_running() => CallState::Running,
            Self::Live(_) => CallState::Queued,
            Self::Finished(_) => CallState::Finished,
            Self::Expired => CallState::Expired,
            Self::New => CallState::Unknown,
        }
    }
}
