//! What decides whether a request may begin: the breaker, what the provider asked us to wait,
//! places, and rates. Pure; the gate waits.

use super::{
    breaker::{Breaker, Passage, Verdict},
    learned::{Begun, Learned},
    window::Window,
};
use crate::{
    fault::{Fault, FaultClass},
    provider::Limits,
};
use std::time::Duration;
use tokio::time::Instant;

/// A provider that says "too many" without saying how long.
const FIRST_HOLD: Duration = Duration::from_secs(1);
const LONGEST_HOLD: Duration = Duration::from_secs(30);

/// Everything known of how much an endpoint takes.
#[derive(Debug)]
pub(super) struct State {
    pub(super) concurrency: u32,
    /// As many at once as it has shown to take since it last said "too many".
    pub(super) allowed: u32,
    pub(super) in_flight: u32,
    window: Window,
    pub(super) learned: Learned,
    begun: Begun,
    pub(super) hold: Option<Hold>,
    storms: u32,
    pub(super) breaker: Breaker,
    next: u64,
}

/// The provider's wish that nobody asks before a time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hold {
    pub(super) since: Instant,
    pub(super) until: Instant,
    /// The provider named the time; else it is ours.
    pub(super) told: bool,
}

/// A request that may begin.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) id: u64,
    pub(super) at: Instant,
    /// The breaker is judged by it.
    pub(super) tries: bool,
    /// What was begun up to it.
    pub(super) mark: Begun,
}

/// Why a request may not begin yet.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Why {
    /// All places are taken.
    Places { taken: u32, slowed: bool },
    /// Another request tries whether the endpoint lives.
    Trying,
    /// The provider asked for it, or said "too many".
    Held { told: bool },
    /// The limits a person wrote down.
    Rate,
    /// The limits the provider told.
    Learned,
}

/// What to do instead of beginning.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Stop {
    /// Until then, or until something ends.
    Wait(Why, Option<Instant>),
    /// The breaker is open until then.
    Shut(Instant),
}

impl State {
    pub(super) fn new(limits: &Limits) -> Self {
        let concurrency = limits.concurrency.max(1);
        Self {
            concurrency,
            allowed: concurrency,
            in_flight: 0,
            window: Window::new(limits.requests_per_minute, limits.tokens_per_minute),
            learned: Learned::default(),
            begun: Begun::default(),
            hold: None,
            storms: 0,
            breaker: Breaker::default(),
            next: 0,
        }
    }

    pub(super) fn enter(&mut self, now: Instant, tokens: u64) -> Result<Entry, Stop> {
        match self.breaker.passage(now) {
            Passage::Shut(until) => return Err(Stop::Shut(until)),
            Passage::Probing => return Err(Stop::Wait(Why::Trying, None)),
            Passage::Free | Passage::AsProbe => {}
        }
        if let Some(hold) = self.hold {
            if now < hold.until {
                let why = Why::Held { told: hold.told };
                return Err(Stop::Wait(why, Some(hold.until)));
            }
            self.hold = None;
        }
        if self.in_flight >= self.allowed {
            let slowed = self.allowed < self.concurrency;
            let taken = self.in_flight;
            return Err(Stop::Wait(Why::Places { taken, slowed }, None));
        }
        if let Some(at) = self.window.free_at(now, tokens) {
            return Err(Stop::Wait(Why::Rate, Some(at)));
        }
        if let Some(at) = self.learned.free_at(now, tokens) {
            return Err(Stop::Wait(Why::Learned, Some(at)));
        }
        self.in_flight += 1;
        let tries = self.breaker.take(now);
        Ok(self.begin(now, tokens, tries))
    }

    /// A request begins; also a further one in the same place.
    pub(super) fn begin(&mut self, now: Instant, tokens: u64, tries: bool) -> Entry {
        self.next += 1;
        let id = self.next;
        self.begun.requests += 1;
        self.begun.tokens = self.begun.tokens.saturating_add(tokens);
        self.window.begin(now, id, tokens);
        self.learned.begin(now, tokens);
        let mark = self.begun;
        Entry {
            id,
            at: now,
            tries,
            mark,
        }
    }

    pub(super) fn leave(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    pub(super) fn learn(
        &mut self,
        headers: &[(String, String)],
        now: Instant,
        now_ms: u64,
        mark: Begun,
    ) {
        let since = Begun {
            requests: self.begun.requests.saturating_sub(mark.requests),
            tokens: self.begun.tokens.saturating_sub(mark.tokens),
        };
        self.learned.learn(headers, now, now_ms, since);
    }

    /// What a request really took.
    pub(super) fn settle(&mut self, id: u64, tokens: u64) {
        self.window.settle(id, tokens);
    }

    pub(super) fn judge(&mut self, now: Instant, entry: &Entry, verdict: &Verdict) {
        match verdict {
            Verdict::Lives => {
                self.storms = 0;
                self.allowed = self.allowed.saturating_mul(2).min(self.concurrency);
            }
            Verdict::Bad(fault) => self.perhaps_hold(now, entry, fault),
            Verdict::Good | Verdict::Nothing => {}
        }
        self.breaker.judge(now, verdict, entry.tries);
    }

    fn perhaps_hold(&mut self, now: Instant, entry: &Entry, fault: &Fault) {
        let limited = fault.class == FaultClass::RateLimited;
        let told = fault.retry_after_ms.map(Duration::from_millis);
        if !limited && told.is_none() {
            return;
        }
        // Those that were under way together are one storm.
        let known = self.hold.is_some_and(|hold| entry.at <= hold.since);
        if limited && !known {
            self.storms = self.storms.saturating_add(1);
        }
        let doubled = FIRST_HOLD * (1 << self.storms.saturating_sub(1).min(10));
        let wait = told.unwrap_or(doubled.min(LONGEST_HOLD));
        // No clock can hold what a hostile header may say.
        let until = now + wait.min(Duration::from_secs(7 * 24 * 3600));
        let longer = self.hold.is_none_or(|hold| hold.until < until);
        if longer && (told.is_some() || !known) {
            self.hold = Some(Hold {
                since: now,
                until,
                told: told.is_some(),
            });
        }
        // When the wait is over, one goes first, then two, then four.
        self.allowed = 1;
    }
}

impl State {
    /// What would stop a request that is not its turn: doors and holds, not rates.
    pub(super) fn ahead(&self, now: Instant) -> Option<Stop> {
        match self.breaker.passage(now) {
            Passage::Shut(until) => return Some(Stop::Shut(until)),
            Passage::Probing => return Some(Stop::Wait(Why::Trying, None)),
            Passage::Free | Passage::AsProbe => {}
        }
        let hold = self.hold.filter(|hold| now < hold.until)?;
        Some(Stop::Wait(Why::Held { told: hold.told }, Some(hold.until)))
    }
}
