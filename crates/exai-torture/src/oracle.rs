//! The oracle: it stands outside the daemon, knows what was asked and what was answered, and
//! finds in the traces of the calls how often each of them really ran.

mod answer;
mod verdict;

pub(crate) use answer::Answer;
pub(crate) use verdict::{Broken, Fair, Journaled, Verdict};

use crate::work::{self, Job};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// A client notices a death this late: until then it asks a daemon that is gone.
const NOTICED: Duration = Duration::from_secs(2);

/// Who made a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// MCP through a shim.
    Window,
    /// A native client of today.
    Native,
    /// A predecessor's client.
    V1,
    /// One command, one call.
    Command,
}

/// What became of a call.
#[derive(Debug, Clone)]
pub(crate) enum End {
    /// Nothing yet.
    Open,
    /// Answered.
    Answered(Answer),
    /// Nobody was left to answer, or the client let go.
    Released,
    /// Its client lives, and waited as long as it must.
    Lost,
}

/// One call.
#[derive(Debug, Clone)]
pub(crate) struct Made {
    pub(crate) kind: Kind,
    pub(crate) job: Job,
    pub(crate) asked: Instant,
    pub(crate) ended: Option<Instant>,
    pub(crate) end: End,
    /// How often its client started it again while it was at work.
    pub(crate) again: usize,
}

/// A time in which nothing could be written.
#[derive(Debug, Clone, Copy)]
struct NoRoom {
    from: Instant,
    until: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Amnesia {
    from: Instant,
    /// The damaged file is gone; the next daemon may know everything again.
    looked_at: bool,
    until: Option<Instant>,
}

/// See the module.
pub(crate) struct Oracle {
    traces: PathBuf,
    next: AtomicU64,
    calls: Mutex<BTreeMap<u64, Made>>,
    deaths: Mutex<Vec<Instant>>,
    /// Times in which the daemon could not know all that was before: from the damage to its
    /// database until the damaged file was looked at, and another daemon began.
    amnesia: Mutex<Vec<Amnesia>>,
    no_room: Mutex<Vec<NoRoom>>,
}

impl Oracle {
    pub(crate) fn new(traces: PathBuf) -> Self {
        Self {
            traces,
            next: AtomicU64::new(0),
            calls: Mutex::default(),
            deaths: Mutex::default(),
            amnesia: Mutex::default(),
            no_room: Mutex::default(),
        }
    }

    /// A token, with a place for the call's trace.
    pub(crate) fn token(&self) -> u64 {
        let token = self.next.fetch_add(1, Ordering::Relaxed);
        let file = work::trace(&self.traces, token);
        // A call whose trace cannot be made fails with words of its own.
        let _ = file.parent().map(fs::create_dir_all);
        token
    }

    pub(crate) fn traces(&self) -> &Path {
        &self.traces
    }

    /// A client asks.
    pub(crate) fn asked(&self, kind: Kind, job: &Job) {
        let made = Made {
            kind,
            job: job.clone(),
            asked: Instant::now(),
            ended: None,
            end: End::Open,
            again: 0,
        };
        lock(&self.calls).insert(job.token, made);
    }

    /// Its client was told that it is at work, and starts it again all the same.
    pub(crate) fn again(&self, token: u64) {
        if let Some(made) = lock(&self.calls).get_mut(&token) {
            made.again += 1;
        }
    }

    /// How it ended, for its client. What came first counts.
    pub(crate) fn ended(&self, token: u64, end: End) {
        if let Some(made) = lock(&self.calls).get_mut(&token)
            && matches!(made.end, End::Open)
        {
            made.end = end;
            made.ended = Some(Instant::now());
        }
    }

    /// The daemon dies now, without a word.
    pub(crate) fn death(&self) {
        let now = Instant::now();
        lock(&self.deaths).push(now);
        for amnesia in lock(&self.amnesia)
            .iter_mut()
            .filter(|amnesia| amnesia.looked_at)
        {
            amnesia.until.get_or_insert(now);
        }
    }

    /// Its database is damaged now.
    pub(crate) fn forgets(&self) {
        let amnesia = Amnesia {
            from: Instant::now(),
            looked_at: false,
            until: None,
        };
        lock(&self.amnesia).push(amnesia);
    }

    /// The owner has looked at what was set aside, and has removed it.
    pub(crate) fn looked_at(&self) {
        lock(&self.amnesia)
            .iter_mut()
            .for_each(|amnesia| amnesia.looked_at = true);
    }

    /// From now on nothing can be written, or it can be again.
    pub(crate) fn no_room(&self, none: bool) {
        let (mut times, now) = (lock(&self.no_room), Instant::now());
        if none {
            times.push(NoRoom {
                from: now,
                until: None,
            });
        } else if let Some(last) = times.last_mut() {
            last.until = Some(now);
        }
    }

    /// Calls made, and calls answered.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let calls = lock(&self.calls);
        let answered = calls
            .values()
            .filter(|made| matches!(made.end, End::Answered(_)));
        (calls.len(), answered.count())
    }

    /// Every call with its verdict. `journal` says what the daemon's own book has of a call
    /// whose outcome it called unknown.
    pub(crate) fn verdicts(&self, journal: &BTreeMap<String, Journaled>) -> Vec<(Made, Verdict)> {
        let (deaths, amnesia) = (lock(&self.deaths).clone(), lock(&self.amnesia).clone());
        let no_room = lock(&self.no_room).clone();
        let calls = lock(&self.calls).clone();
        calls
            .into_values()
            .map(|made| {
                let until = made.ended.unwrap_or_else(Instant::now);
                let within = |at: &&Instant| made.asked <= **at + NOTICED && **at <= until;
                let overlaps = |amnesia: &Amnesia| {
                    amnesia.from <= until
                        && amnesia.until.is_none_or(|end| end + NOTICED >= made.asked)
                };
                let full = |time: &NoRoom| {
                    time.from <= until && time.until.is_none_or(|end| end + NOTICED >= made.asked)
                };
                let (runs, named) = self.runs(&made.job);
                let seen = verdict::Seen {
                    runs,
                    deaths: deaths.iter().filter(within).count(),
                    forgot: amnesia.iter().any(overlaps),
                    no_room: no_room.iter().any(full),
                    took: until.saturating_duration_since(made.asked),
                    journaled: named.and_then(|id| journal.get(&id).copied()),
                };
                let verdict = verdict::of(&made, &seen);
                (made, verdict)
            })
            .collect()
    }

    /// How often a call ran, and the request id under which the daemon knew it.
    fn runs(&self, job: &Job) -> (usize, Option<String>) {
        let text = if job.counts() {
            fs::read_to_string(work::trace(&self.traces, job.token)).unwrap_or_default()
        } else {
            String::new()
        };
        (text.lines().count(), text.lines().next().map(str::to_owned))
    }

    /// The slowest answer.
    pub(crate) fn slowest(&self) -> Duration {
        let calls = lock(&self.calls);
        let answered = calls
            .values()
            .filter(|made| matches!(made.end, End::Answered(_)));
        let took =
            answered.filter_map(|made| Some(made.ended?.saturating_duration_since(made.asked)));
        took.max().unwrap_or_default()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
