//! One call that is queued or running: who watches it, and what others have asked of it.
//! Only its own task ends it; others leave a wish and wake the task.

use super::{CallKey, Finished, ShareKey, outcome::Asked};
use crate::{progress::ProgressHandle, sessions::Session};
use exai_protocol::record::CallFacts;
use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{sync::Notify, time::Instant};

/// Whoever waits for a call. Called in the call's order, never under a lock of the engine;
/// must not wait.
pub trait Watcher: Send + Sync {
    /// The number of the connection it belongs to.
    fn peer(&self) -> u64;
    /// Something happened.
    fn update(&self, call: &CallFacts, update: &Update<'_>);
}

/// What a watcher hears of its call.
#[derive(Debug)]
pub enum Update<'a> {
    /// It is known and will be answered.
    Accepted,
    /// It may run; it will be ended after this long, counted from acceptance.
    Acknowledged(Duration),
    /// A sign of life, with words where there are any.
    Progress {
        /// Counts within the call.
        seq: u64,
        /// `queued`, `running`, or the tool's own word.
        stage: &'a str,
        /// For a person; empty in a bare heartbeat.
        message: &'a str,
    },
    /// Streamed text.
    Partial(&'a str),
    /// The end.
    Finished {
        /// How it ended.
        end: &'a Arc<Finished>,
        /// The watcher came while the call was running.
        attached: bool,
        /// The watcher came after the end.
        replayed: bool,
    },
}

/// A live call.
pub(crate) struct Call {
    pub(crate) key: CallKey,
    pub(crate) facts: Arc<CallFacts>,
    pub(crate) session: Arc<Session>,
    pub(crate) asked: Asked,
    pub(crate) share: Option<ShareKey>,
    pub(crate) progress: ProgressHandle,
    pub(crate) accepted_at: Instant,
    pub(crate) limit: Duration,
    /// Wakes the call's task when a wish was left.
    pub(crate) wake: Notify,
    /// Wakes equal calls that wait for this one's end.
    pub(crate) ended: Notify,
    state: Mutex<State>,
    running: AtomicBool,
    said: AtomicU64,
}

struct State {
    watchers: Vec<(Arc<dyn Watcher>, bool)>,
    acknowledged: bool,
    unwatched_since: Option<Instant>,
    stop: Option<Stop>,
    finished: Option<Arc<Finished>>,
}

/// A wish that the call should end.
#[derive(Debug, Clone)]
pub(crate) enum Stop {
    Asked(String),
    Drain,
}

/// What a call is made of.
pub(crate) struct Parts {
    pub(crate) key: CallKey,
    pub(crate) facts: Arc<CallFacts>,
    pub(crate) session: Arc<Session>,
    pub(crate) asked: Asked,
    pub(crate) share: Option<ShareKey>,
    pub(crate) limit: Duration,
}

impl Call {
    pub(crate) fn new(parts: Parts, watcher: Arc<dyn Watcher>) -> Arc<Self> {
        let Parts { key, facts, session, asked, share, limit } = parts;
        let state = State {
            watchers: vec![(watcher, false)],
            acknowledged: false,
            unwatched_since: None,
            stop: None,
            finished: None,
        };
        Arc::new(Self {
            key,
            facts,
            session,
            asked,
            share,
            limit,
            progress: ProgressHandle::default(),
            accepted_at: Instant::now(),
            wake: Notify::new(),
            ended: Notify::new(),
            state: Mutex::new(state),
            running: AtomicBool::new(false),
            said: AtomicU64::new(0),
        })
    }

    pub(crate) fn deadline(&self) -> Instant {
        self.accepted_at + self.limit
    }

    pub(crate) fn is_running(&self) -> bool {
        self.running.load(Relaxed)
    }

    pub(crate) fn now_running(&self) {
        self.running.store(true, Relaxed);
    }

    /// Progress messages so far.
    pub(crate) fn said(&self) -> u64 {
        self.said.load(Relaxed)
    }

    pub(crate) fn next_seq(&self) -> u64 {
        self.said.fetch_add(1, Relaxed) + 1
    }

    /// Another peer waits for this call too. Told at once what it missed, or its end.
    pub(crate) fn attach(&self, watcher: Arc<dyn Watcher>) {
        let (acknowledged, finished) = {
            let mut state = self.lock();
            if state.finished.is_none() {
                state.watchers.push((Arc::clone(&watcher), true));
                state.unwatched_since = None;
            }
            (state.acknowledged, state.finished.clone())
        };
        if let Some(end) = finished {
            watcher.update(&self.facts, &Update::Finished { end: &end, attached: false, replayed: true });
            return;
        }
        watcher.update(&self.facts, &Update::Accepted);
        if acknowledged {
            watcher.update(&self.facts, &Update::Acknowledged(self.limit));
        }
        self.wake.notify_one();
    }

    /// A connection no longer waits, or (with `None`) nobody does.
    pub(crate) fn detach(&self, peer: Option<u64>) {
        {
            let mut state = self.lock();
            match peer {
                Some(peer) => state.watchers.retain(|(watcher, _)| watcher.peer() != peer),
                None => state.watchers.clear(),
            }
            if state.watchers.is_empty() && state.unwatched_since.is_none() {
                state.unwatched_since = Some(Instant::now());
            }
        }
        self.wake.notify_one();
    }

    /// Leaves the wish that the call should end; the first one counts.
    pub(crate) fn stop(&self, stop: Stop) {
        self.lock().stop.get_or_insert(stop);
        self.wake.notify_one();
    }

    pub(crate) fn wish(&self) -> (Option<Stop>, Option<Instant>) {
        let state = self.lock();
        (state.stop.clone(), state.unwatched_since)
    }

    /// Tells everyone attached; the end is told by [`Self::finish`] alone.
    pub(crate) fn tell(&self, update: &Update<'_>) {
        let watchers: Vec<Arc<dyn Watcher>> = {
            let mut state = self.lock();
            state.acknowledged |= matches!(update, Update::Acknowledged(_));
            state.watchers.iter().map(|(watcher, _)| Arc::clone(watcher)).collect()
        };
        for watcher in watchers {
            watcher.update(&self.facts, update);
        }
    }

    /// How many wait for the end.
    pub(crate) fn watching(&self) -> u64 {
        self.lock().watchers.len() as u64
    }

    /// Ends the call for everyone attached, once.
    pub(crate) fn finish(&self, end: &Arc<Finished>) {
        let watchers = {
            let mut state = self.lock();
            if state.finished.is_some() {
                return;
            }
            state.finished = Some(Arc::clone(end));
            std::mem::take(&mut state.watchers)
        };
        self.ended.notify_waiters();
        for (watcher, attached) in watchers {
            watcher.update(&self.facts, &Update::Finished { end, attached, replayed: false });
        }
    }

    pub(crate) fn finished(&self) -> Option<Arc<Finished>> {
        self.lock().finished.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
