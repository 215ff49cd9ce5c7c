//! The calls this daemon knows of: running ones, finished ones whose results are kept, and
//! the bare memory of those whose results are gone. The table answers one question, "same
//! call already known?", and never lets an identity run twice.

mod asked;
mod at_once;
mod backlog;
mod beside;
mod call;
mod door;
mod early;
mod elsewhere;
mod follow;
mod guard;
mod interrupted;
mod invoked;
mod life;
mod outcome;
mod recall;
mod refusal;
mod retention;
mod run;
mod submit;

pub use backlog::Behind;
pub use call::{CallNow, Update, Watcher};
pub use outcome::{Finished, Kept};
pub use recall::{Remembered, Revived};
pub use refusal::Refusal;
pub use submit::Submission;

use crate::sessions::Scope;
pub(crate) use backlog::Backlog;
pub(crate) use call::{Call, Stop};
use early::Early;
use exai_protocol::{Principal, RequestId, control::CallState};
pub(crate) use outcome::Asked;
use retention::{Kept as Held, Retention};
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

/// What is kept of refusals.
const REFUSALS: RetentionLimits = RetentionLimits {
    ttl: Duration::from_secs(600),
    results: 1024,
    bytes: 4 << 20,
};

/// What a call that has ended leaves in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leaves {
    Nothing,
    /// It was refused, and never was: its id may knock again.
    Refusal,
    Result,
}

/// The owner of the table.
pub(crate) struct Calls {
    table: Mutex<Table>,
}

struct Table {
    live: HashMap<CallKey, Arc<Call>>,
    finished: Retention,
    /// Ends of calls that never were, for whoever asks for one by its handle: it was told that
    /// the work goes on in the moment in which it was refused. Apart from results, so that a
    /// flood of refusals pushes none of them out.
    refused: Retention,
    shared: HashMap<ShareKey, Arc<Call>>,
    /// Calls at work whose client said that it waits no longer.
    left: HashMap<LeftKey, Arc<Call>>,
    /// Words that came before their calls.
    early: Early,
}

/// What makes a client's next call the same as one it left.
type LeftKey = (Principal, Arc<str>, Asked);

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
                refused: Retention::new(REFUSALS),
                shared: HashMap::new(),
                left: HashMap::new(),
                early: Early::default(),
            }),
        }
    }

    /// Looks an identity up and, where it is new, enters the call that `make` builds: one
    /// step, so that of two equal frames only one can be new. Where a ledger remembers more
    /// than this table, `expired` ones are entered too: it decides.
    pub(crate) fn enter(
        &self,
        key: &CallKey,
        expired: bool,
        make: impl FnOnce() -> Arc<Call>,
    ) -> (Known, Option<Arc<Call>>) {
        let mut table = self.lock();
        let known = table.been(key);
        if matches!(known, Known::New) || (expired && matches!(known, Known::Expired)) {
            let call = make();
            table.live.insert(key.clone(), Arc::clone(&call));
            return (known, Some(call));
        }
        (known, None)
    }

    /// Keeps what the ledger had, for who reads it in pages.
    pub(crate) fn keep(&self, key: CallKey, finished: &Arc<Finished>) {
        let mut table = self.lock();
        if matches!(table.been(&key), Known::New | Known::Expired) {
            table
                .finished
                .keep(key, Arc::clone(finished), Instant::now());
        }
    }

    pub(crate) fn look_up(&self, key: &CallKey) -> Known {
        self.lock().known(key)
    }

    /// Moves a call from running to finished.
    pub(crate) fn retire(&self, call: &Call, finished: &Arc<Finished>, leaves: Leaves) {
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
        let kept = match leaves {
            Leaves::Nothing => return,
            Leaves::Refusal => &mut table.refused,
            Leaves::Result => &mut table.finished,
        };
        kept.keep(call.key.clone(), Arc::clone(finished), Instant::now());
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

    /// The client of a call at work waits no longer; false if it has been retired meanwhile.
    pub(crate) fn leave(&self, call: &Arc<Call>) -> bool {
        let mut table = self.lock();
        let at_work = table.live.contains_key(&call.key);
        if at_work {
            table.left.insert(call.left_key(), Arc::clone(call));
        }
        at_work
    }

    /// A retired call is not to be joined any more: the ledger knows that it was left.
    pub(crate) fn forget_left(&self, call: &Call) {
        let mut table = self.lock();
        if table.left.is_empty() {
            return;
        }
        let key = call.left_key();
        let left = table.left.get(&key);
        if left.is_some_and(|left| std::ptr::eq(&raw const **left, call)) {
            table.left.remove(&key);
        }
    }

    /// A call at work that this one's client left, and that asks the same.
    pub(crate) fn left_behind(&self, call: &Call) -> Option<Arc<Call>> {
        let mut table = self.lock();
        let left = table.left.remove(&call.left_key())?;
        left.was_left().then_some(left)
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
        let mut table = self.lock();
        table.finished.sweep(now);
        table.refused.sweep(now);
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// What there is to tell of an identity.
    fn known(&mut self, key: &CallKey) -> Known {
        match self.been(key) {
            Known::New => match self.refused.get(key, Instant::now()) {
                Held::Result(refusal) => Known::Finished(refusal),
                Held::Tombstone | Held::Nothing => Known::New,
            },
            known => known,
        }
    }

    /// The same where a refusal counts as nothing: what was refused has not been.
    fn been(&mut self, key: &CallKey) -> Known {
        if let Some(call) = self.live.get(key) {
            return Known::Live(Arc::clone(call));
        }
        match self.finished.get(key, Instant::now()) {
            Held::Result(finished) => Known::Finished(finished),
            Held::Tombstone => Known::Expired,
            Held::Nothing => Known::New,
        }
    }
}

impl Call {
    fn left_key(&self) -> LeftKey {
        let key = &self.key;
        (
            key.principal.clone(),
            Arc::clone(&key.scope),
            self.asked.clone(),
        )
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
