//! One call that is queued or running: who watches it, and what others have asked of it.
//! Only its own task ends it; others leave a wish and wake the task.

use super::{
    CallKey, Finished, ShareKey,
    outcome::{Asked, End},
};
use crate::{
    progress::{ProgressHandle, Said},
    sessions::Session,
};
use exai_protocol::{
    UnixMillis,
    record::{CallFacts, ProgressRecord},
};
use std::{
    sync::{
        Arc, LazyLock, Mutex, MutexGuard, PoisonError,
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
    /// It may run.
    Acknowledged {
        /// It will be ended after this long, counted from acceptance.
        limit: Duration,
        /// Its end follows in the same breath.
        at_once: bool,
    },
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
    pub(crate) limit: Limit,
    /// Its tool may run again after an interruption.
    pub(crate) repeatable: bool,
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
    told: Told,
    words: Option<Arc<str>>,
    unwatched_since: Option<Instant>,
    stop: Option<Stop>,
    finished: Option<Arc<Finished>>,
    /// Its client said that it waits no longer, and nobody else came.
    left: bool,
    noted: Option<Instant>,
    stage: Arc<str>,
    /// When it last gave a sign of life.
    sign: Instant,
}

/// The stage of a call that runs and has said nothing: one text for all of them.
fn running() -> Arc<str> {
    static RUNNING: LazyLock<Arc<str>> = LazyLock::new(|| Arc::from("running"));
    Arc::clone(&RUNNING)
}

/// A call at one moment.
#[derive(Debug, Clone)]
pub struct CallNow {
    /// Which, whose, what.
    pub facts: Arc<CallFacts>,
    /// Its tool has begun.
    pub running: bool,
    /// Since it was accepted.
    pub age: Duration,
    /// `queued`, `running`, or the tool's own word.
    pub stage: Arc<str>,
    /// Since its last sign of life.
    pub quiet: Duration,
}

/// What every watcher has heard by now, whenever it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Told {
    Nothing,
    Accepted,
    Acknowledged,
}

/// What a late watcher has to be told first.
enum Missed {
    Acceptance,
    Acknowledgement,
    End(Arc<Finished>),
}

impl State {
    fn note(&mut self, update: &Update<'_>) {
        self.sign = Instant::now();
        if let Update::Progress { stage, .. } = update
            && *stage != &*self.stage
        {
            self.stage = Arc::from(*stage);
        }
        match update {
            Update::Accepted => self.told = Told::Accepted,
            Update::Acknowledged { .. } => {
                self.told = Told::Acknowledged;
                self.stage = running();
            }
            Update::Progress { message, .. } if !message.is_empty() => {
                self.words = Some(Arc::from(*message))
            }
            Update::Progress { .. } | Update::Partial(_) | Update::Finished { .. } => {}
        }
    }
}

/// How long a call may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limit {
    /// Counted from acceptance.
    pub(crate) after: Duration,
    /// Who set it, because that is who can change it.
    pub(crate) whose: Whose,
}

/// Who set a limit.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Whose {
    Client,
    Tool,
    Daemon,
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
    pub(crate) limit: Limit,
    pub(crate) repeatable: bool,
}

/// Between two messages of a call that the ledger hears of.
const NOTES: Duration = Duration::from_secs(5);

impl Call {
    pub(crate) fn new(parts: Parts, watcher: Arc<dyn Watcher>) -> Arc<Self> {
        let Parts {
            key,
            facts,
            session,
            asked,
            share,
            limit,
            repeatable,
        } = parts;
        let state = State {
            watchers: vec![(watcher, false)],
            told: Told::Nothing,
            words: None,
            unwatched_since: None,
            stop: None,
            finished: None,
            left: false,
            noted: None,
            stage: Arc::from("queued"),
            sign: Instant::now(),
        };
        Arc::new(Self {
            key,
            facts,
            session,
            asked,
            share,
            limit,
            repeatable,
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
        self.accepted_at + self.limit.after
    }

    /// The end of a call whose deadline has passed.
    pub(crate) fn out_of_time(&self, started: bool) -> End {
        End::Deadline {
            limit: self.limit,
            started,
            said: self.lock().words.clone(),
        }
    }

    /// How far it is, as whoever looks after the daemon sees it.
    pub(crate) fn look(&self) -> CallNow {
        let (stage, sign) = {
            let state = self.lock();
            (Arc::clone(&state.stage), state.sign)
        };
        CallNow {
            facts: Arc::clone(&self.facts),
            running: self.is_running(),
            age: self.accepted_at.elapsed(),
            stage,
            quiet: sign.elapsed(),
        }
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

    /// A message as it is recorded; it was said when it was said, not when it is written.
    pub(crate) fn progress_record(&self, said: &Said, now: UnixMillis) -> Arc<ProgressRecord> {
        let ago = u64::try_from(said.at.elapsed().as_millis()).unwrap_or(0);
        Arc::new(ProgressRecord {
            call: Arc::clone(&self.facts),
            at: UnixMillis(now.0.saturating_sub(ago)),
            seq: self.next_seq(),
            stage: Arc::clone(&said.stage),
            message: Arc::clone(&said.message),
        })
    }

    /// Notes the newest words, told or not: a deadline's error quotes them.
    pub(crate) fn heard(&self, words: &Arc<str>) {
        self.lock().words = Some(Arc::clone(words));
    }

    /// The last it said; empty where it said nothing.
    pub(crate) fn last_words(&self) -> Arc<str> {
        self.lock().words.clone().unwrap_or_default()
    }

    /// Another peer waits for this call too. It hears what it missed before it is entered, so
    /// that it hears everything in the call's order; a peer that waits already goes on waiting.
    pub(crate) fn attach(&self, watcher: &Arc<dyn Watcher>) {
        let mut told = Told::Nothing;
        while let Some(missed) = self.enter(watcher, told) {
            match missed {
                Missed::Acceptance => {
                    watcher.update(&self.facts, &Update::Accepted);
                    told = Told::Accepted;
                }
                Missed::Acknowledgement => {
                    let limit = self.limit.after;
                    watcher.update(
                        &self.facts,
                        &Update::Acknowledged {
                            limit,
                            at_once: false,
                        },
                    );
                    told = Told::Acknowledged;
                }
                Missed::End(end) => {
                    let replay = Update::Finished {
                        end: &end,
                        attached: false,
                        replayed: true,
                    };
                    return watcher.update(&self.facts, &replay);
                }
            }
        }
        self.wake.notify_one();
    }

    /// Enters a watcher that has heard so much already, or says what it missed.
    fn enter(&self, watcher: &Arc<dyn Watcher>, told: Told) -> Option<Missed> {
        let mut state = self.lock();
        if let Some(end) = &state.finished {
            return Some(Missed::End(Arc::clone(end)));
        }
        if state
            .watchers
            .iter()
            .any(|(known, _)| known.peer() == watcher.peer())
        {
            return None;
        }
        if told < state.told {
            let missed_both = told == Told::Nothing;
            return Some(if missed_both {
                Missed::Acceptance
            } else {
                Missed::Acknowledgement
            });
        }
        state.watchers.push((Arc::clone(watcher), true));
        state.unwatched_since = None;
        state.left = false;
        None
    }

    /// Its client waits no longer, and says so: if nobody else does, its result is for the
    /// client's next equal call.
    /// `older`: its connections of before, for which it speaks as well; they hear the end if they
    /// still stand.
    pub(crate) fn leave(&self, peer: u64, older: &[u64]) {
        self.detach(peer);
        let mut state = self.lock();
        let mut watchers = state.watchers.iter();
        state.left = watchers.all(|(watcher, _)| older.contains(&watcher.peer()));
    }

    /// Its client let go of it by a later connection than the one that asks now.
    pub(crate) fn left_before(&self) {
        self.lock().left = true;
    }

    pub(crate) fn was_left(&self) -> bool {
        self.lock().left
    }

    /// Whether the ledger should hear of a message now; not of every one.
    pub(crate) fn is_worth_a_note(&self) -> bool {
        let (now, mut state) = (Instant::now(), self.lock());
        let due = state.noted.is_none_or(|noted| now - noted >= NOTES);
        if due {
            state.noted = Some(now);
        }
        due
    }

    /// A connection no longer waits.
    pub(crate) fn detach(&self, peer: u64) {
        {
            let mut state = self.lock();
            state.watchers.retain(|(watcher, _)| watcher.peer() != peer);
            if !state.watchers.is_empty() || state.unwatched_since.is_some() {
                return;
            }
            state.unwatched_since = Some(Instant::now());
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
        let (first, others) = {
            let mut state = self.lock();
            state.note(update);
            let mut all = state
                .watchers
                .iter()
                .map(|(watcher, _)| Arc::clone(watcher));
            // One watcher is the rule, and needs no list.
            (all.next(), all.collect::<Vec<_>>())
        };
        for watcher in first.iter().chain(&others) {
            watcher.update(&self.facts, update);
        }
    }

    pub(crate) fn is_watched_by(&self, peer: u64) -> bool {
        let state = self.lock();
        state
            .watchers
            .iter()
            .any(|(watcher, _)| watcher.peer() == peer)
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
            watcher.update(
                &self.facts,
                &Update::Finished {
                    end,
                    attached,
                    replayed: end.recalled,
                },
            );
        }
    }

    pub(crate) fn finished(&self) -> Option<Arc<Finished>> {
        self.lock().finished.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
