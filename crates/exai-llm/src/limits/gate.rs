//! The gate of one endpoint: waits, first come first served, for what the state decides. A
//! place comes back by drop, and so does a turn in the queue.

use super::{
    breaker::{Position, Verdict},
    learned::Learned,
    state::{Entry, State, Stop, Why},
};
use crate::{
    fault::{Fault, FaultClass},
    provider::Limits,
};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{sync::Notify, time::Instant};

/// More wait nowhere: admission lets fewer calls run.
pub const MOST_WAITING: usize = 1024;

/// The gate.
pub struct Gate {
    name: String,
    shared: Mutex<Shared>,
    /// Told after every change of the breaker's position, outside the lock.
    on_change: Box<dyn Fn(&Standing) + Send + Sync>,
}

struct Shared {
    state: State,
    queue: VecDeque<(u64, Arc<Notify>)>,
    next: u64,
    shown: Position,
}

/// How an endpoint stands.
#[derive(Debug, Clone)]
pub struct Standing {
    /// The breaker.
    pub breaker: Position,
    /// Why it is not closed.
    pub cause: Option<Fault>,
    /// How long until a request may try, or until the provider's wish to wait is over.
    pub opens_in: Option<Duration>,
    /// Requests under way.
    pub in_flight: u32,
    /// How many there may be.
    pub concurrency: u32,
    /// How many there may be just now, after the provider said "too many".
    pub allowed: u32,
    /// Requests that wait.
    pub queued: usize,
    /// What the provider told of its limits.
    pub learned: Learned,
}

/// A place at an endpoint, for one request at a time.
pub struct Place {
    gate: Arc<Gate>,
    entry: Mutex<(Entry, bool)>,
    tokens: u64,
    waited: Duration,
}

impl Gate {
    /// An open gate.
    #[must_use]
    pub fn new(
        name: &str,
        limits: &Limits,
        on_change: impl Fn(&Standing) + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            name: name.to_owned(),
            shared: Mutex::new(Shared {
                state: State::new(limits),
                queue: VecDeque::new(),
                next: 0,
                shown: Position::Closed,
            }),
            on_change: Box::new(on_change),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something with the state, then lets who waits first look at it.
    fn with<T>(&self, change: impl FnOnce(&mut Shared) -> T) -> T {
        self.quietly(|shared| {
            let out = change(shared);
            if let Some((_, front)) = shared.queue.front() {
                front.notify_one();
            }
            out
        })
    }

    /// Does something with the state and tells what changed, but wakes nobody: who looks
    /// must not wake itself.
    fn quietly<T>(&self, change: impl FnOnce(&mut Shared) -> T) -> T {
        let (out, told) = {
            let mut shared = self.lock();
            let out = change(&mut shared);
            let now = Instant::now();
            let position = shared.state.breaker.position(now);
            let changed = std::mem::replace(&mut shared.shown, position) != position;
            (out, changed.then(|| shared.standing(now)))
        };
        if let Some(standing) = told {
            (self.on_change)(&standing);
        }
        out
    }

    /// How it stands.
    #[must_use]
    pub fn standing(&self) -> Standing {
        self.lock().standing(Instant::now())
    }

    /// All is forgiven, for example because there is another key.
    pub fn reset(&self) {
        self.with(|shared| shared.state.breaker.reset());
    }

    /// The breaker's pause is over: a person wants to know.
    pub fn try_now(&self) {
        self.with(|shared| shared.state.breaker.try_now(Instant::now()));
    }

    /// Waits for a place; `on_wait` is told why, whenever that changes.
    ///
    /// # Errors
    /// At once when the breaker is open, or when what has to be waited for comes after the
    /// deadline; at the deadline otherwise.
    pub async fn place(
        self: &Arc<Self>,
        tokens: u64,
        deadline: Instant,
        on_wait: &mut (dyn FnMut(&str) + Send),
    ) -> Result<Place, Fault> {
        let began = Instant::now();
        let turn = Turn::take(self)?;
        let mut said: Option<&'static str> = None;
        loop {
            let now = Instant::now();
            let (stop, ahead) = match turn.attempt(now, tokens) {
                Ok(entry) => {
                    return Ok(Place {
                        gate: Arc::clone(self),
                        entry: Mutex::new((entry, false)),
                        tokens,
                        waited: now - began,
                    });
                }
                Err(found) => found,
            };
            let (why, until) = match stop {
                Stop::Shut(until) => return Err(self.shut(until - now)),
                Stop::Wait(why, until) => (why, until),
            };
            if let Some(until) = until.filter(|until| *until > deadline) {
                return Err(self.too_late(why, until - now));
            }
            let words = self.words(why, until.map(|until| until - now), ahead);
            if said.replace(why.kind()) != Some(why.kind()) {
                on_wait(&words);
            }
            let wake = until.unwrap_or(deadline).min(deadline);
            tokio::select! {
                () = turn.woken.notified() => {}
                () = tokio::time::sleep_until(wake) => {
                    if Instant::now() >= deadline {
                        let said = format!("no place before the call's deadline: {words}");
                        return Err(Fault::new(FaultClass::Timeout, said));
                    }
                }
            }
        }
    }

    fn shut(&self, opens_in: Duration) -> Fault {
        let cause = self.lock().state.breaker.cause().cloned();
        let cause = cause.unwrap_or_else(|| Fault::new(FaultClass::Unreachable, ""));
        let mut fault = Fault::new(
            cause.class,
            format!(
                "it failed before, and is tried again in {} s; then it said: {}",
                opens_in.as_secs_f64().ceil(),
                cause.detail
            ),
        );
        fault.status = cause.status;
        fault.provider_code = cause.provider_code;
        fault.resting = true;
        fault.retry_after_ms = Some(u64::try_from(opens_in.as_millis()).unwrap_or(u64::MAX));
        fault
    }

    fn too_late(&self, why: Why, wait: Duration) -> Fault {
        let words = self.words(why, Some(wait), 0);
        let said = format!("not asked: {words}, which is after the call's deadline");
        let mut fault = Fault::new(FaultClass::RateLimited, said);
        fault.retry_after_ms = Some(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
        fault
    }

    fn words(&self, why: Why, wait: Option<Duration>, ahead: usize) -> String {
        let name = &self.name;
        let seconds = wait.map_or(0.0, |wait| wait.as_secs_f64().ceil());
        let mut words = match why {
            Why::Places {
                taken,
                slowed: false,
            } => {
                format!("all {taken} places at '{name}' are taken (limits.concurrency)")
            }
            Why::Places { taken, .. } => {
                format!("'{name}' said \"too many requests\", so only {taken} go at once for now")
            }
            Why::Trying => format!("'{name}' failed before, and another request tries it now"),
            Why::Held { told: true } => format!("'{name}' asked us to wait {seconds} s"),
            Why::Held { told: false } => {
                format!("'{name}' said \"too many requests\"; going on in {seconds} s")
            }
            Why::Rate => format!(
                "the limit a minute for '{name}' (limits.requests_per_minute, \
                 limits.tokens_per_minute) frees in {seconds} s"
            ),
            Why::Learned => format!("the limit that '{name}' told us frees in {seconds} s"),
        };
        if ahead > 0 {
            words.push_str(&format!("; {ahead} ahead"));
        }
        words
    }
}

impl Why {
    fn kind(self) -> &'static str {
        match self {
            Self::Places { slowed: false, .. } => "places",
            Self::Places { .. } => "slowed",
            Self::Trying => "trying",
            Self::Held { .. } => "held",
            Self::Rate => "rate",
            Self::Learned => "learned",
        }
    }
}

impl Shared {
    fn standing(&self, now: Instant) -> Standing {
        let state = &self.state;
        let position = state.breaker.position(now);
        let held = state.hold.map(|hold| hold.until);
        let opens = match position {
            Position::Open => state.breaker.until().max(held),
            _ => held,
        };
        Standing {
            breaker: position,
            cause: state.breaker.cause().cloned(),
            opens_in: opens
                .and_then(|at| at.checked_duration_since(now))
                .filter(|wait| !wait.is_zero()),
            in_flight: state.in_flight,
            concurrency: state.concurrency,
            allowed: state.allowed,
            queued: self.queue.len(),
            learned: state.learned,
        }
    }
}

/// A turn in the queue; leaving it lets the next one look.
struct Turn<'a> {
    gate: &'a Gate,
    id: u64,
    woken: Arc<Notify>,
}

impl<'a> Turn<'a> {
    fn take(gate: &'a Gate) -> Result<Self, Fault> {
        let woken = Arc::new(Notify::new());
        let mut shared = gate.lock();
        if shared.queue.len() >= MOST_WAITING {
            let said = format!("{MOST_WAITING} requests wait for '{}' already", gate.name);
            return Err(Fault::new(FaultClass::RateLimited, said));
        }
        shared.next += 1;
        let id = shared.next;
        shared.queue.push_back((id, Arc::clone(&woken)));
        Ok(Self { gate, id, woken })
    }

    /// Only the first in the queue may begin; the others say why they wait as if they were.
    fn attempt(&self, now: Instant, tokens: u64) -> Result<Entry, (Stop, usize)> {
        self.gate.quietly(|shared| {
            let place = shared.queue.iter().position(|(id, _)| *id == self.id);
            let ahead = place.unwrap_or(0);
            if ahead == 0 {
                return shared.state.enter(now, tokens).map_err(|stop| (stop, 0));
            }
            // Nobody waits behind a shut door, or for what comes after the deadline.
            let taken = shared.state.in_flight;
            let behind = Why::Places {
                taken,
                slowed: false,
            };
            let stop = shared.state.ahead(now);
            Err((stop.unwrap_or(Stop::Wait(behind, None)), ahead))
        })
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut shared = self.gate.lock();
        let was_first = shared.queue.front().is_some_and(|(id, _)| *id == self.id);
        shared.queue.retain(|(id, _)| *id != self.id);
        if was_first && let Some((_, next)) = shared.queue.front() {
            next.notify_one();
        }
    }
}

impl Place {
    /// How long it was waited for.
    #[must_use]
    pub fn waited(&self) -> Duration {
        self.waited
    }

    fn entry(&self) -> MutexGuard<'_, (Entry, bool)> {
        self.entry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request begins; from the second on it is counted here, because only the first was
    /// when the place was given.
    pub(crate) fn begin(&self) {
        let mut entry = self.entry();
        if std::mem::replace(&mut entry.1, true) {
            let now = Instant::now();
            let tries = entry.0.tries;
            entry.0 = self
                .gate
                .with(|shared| shared.state.begin(now, self.tokens, tries));
        }
    }

    /// The head of an answer came.
    pub(crate) fn learn(&self, headers: &[(String, String)], now_ms: u64) {
        let mark = self.entry().0.mark;
        let now = Instant::now();
        self.gate
            .with(|shared| shared.state.learn(headers, now, now_ms, mark));
    }

    /// What a request really took.
    pub(crate) fn settle(&self, tokens: u64) {
        let id = self.entry().0.id;
        self.gate.with(|shared| shared.state.settle(id, tokens));
    }

    /// What a request says about its endpoint.
    pub(crate) fn judge(&self, verdict: &Verdict) {
        let entry = {
            let mut entry = self.entry();
            let now = entry.0;
            // A probe decides once; what comes later is like any other request's.
            entry.0.tries = false;
            now
        };
        let now = Instant::now();
        self.gate
            .with(|shared| shared.state.judge(now, &entry, verdict));
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let entry = self.entry().0;
        let now = Instant::now();
        self.gate.with(|shared| {
            shared.state.leave();
            shared.state.judge(now, &entry, &Verdict::Nothing);
        });
    }
}
