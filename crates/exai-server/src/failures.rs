//! What wrong credentials cost those who offer them. Each failure makes the next refusal slower,
//! for its source and for everybody; past a limit a token is refused without a look at it. Right
//! proofs are always looked at: they cannot be guessed, so they need not wait. Loopback earns no
//! exemption, and what is remembered has a bound.

use crate::caller::{Caller, Standing};
use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// A count of failures is halved this often.
const HALVING: Duration = Duration::from_secs(10);
const FIRST: Duration = Duration::from_millis(10);
const LONGEST: Duration = Duration::from_secs(2);
/// Failures of one source after which its tokens are no longer looked at.
const OF_ONE: u32 = 16;
/// The same of everybody together: many sources are no more than one.
const OF_ALL: u32 = 256;
/// Sources remembered; those beyond count among everybody only.
const SOURCES: usize = 256;

/// Where credentials come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Source {
    Unknown,
    Address(IpAddr),
    User(u32),
}

impl From<&Caller> for Source {
    fn from(caller: &Caller) -> Self {
        match caller.standing {
            // One neighbour has a whole /64 of addresses.
            Standing::At(IpAddr::V6(address)) => {
                let [a, b, c, d, ..] = address.segments();
                Self::Address(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into())
            }
            Standing::At(address) => Self::Address(address),
            Standing::Other(user) => Self::User(user),
            Standing::Owner | Standing::Unknown => Self::Unknown,
        }
    }
}

/// A count that is forgotten by halves.
#[derive(Debug, Clone, Copy)]
struct Count {
    failures: u32,
    since: Instant,
}

impl Count {
    fn new(now: Instant) -> Self {
        Self {
            failures: 0,
            since: now,
        }
    }

    fn forget(&mut self, now: Instant) {
        let halvings = now.duration_since(self.since).as_secs() / HALVING.as_secs();
        if let Some(halvings) = u32::try_from(halvings).ok().filter(|count| *count > 0) {
            self.failures = self.failures.checked_shr(halvings).unwrap_or(0);
            self.since = now;
        }
    }

    /// Seconds until it is below a limit again.
    fn below(&self, limit: u32, now: Instant) -> Option<u64> {
        let (mut left, mut wait) = (self.failures, Duration::ZERO);
        while left >= limit {
            left /= 2;
            wait += HALVING;
        }
        let wait = wait.saturating_sub(now.duration_since(self.since));
        (self.failures >= limit).then(|| wait.as_secs().max(1))
    }
}

/// What a failure costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cost {
    /// How long its refusal is held back.
    pub(crate) hold_back: Duration,
    /// Whether it is one of the first, which are told one by one.
    pub(crate) is_news: bool,
}

struct State {
    all: Count,
    sources: HashMap<Source, Count>,
}

/// The failures of an edge, lately.
pub struct Failures {
    state: Mutex<State>,
}

impl Failures {
    pub(crate) fn new() -> Self {
        Self {
            state: Mutex::new(State {
                all: Count::new(Instant::now()),
                sources: HashMap::new(),
            }),
        }
    }

    /// After how many seconds a token from there is looked at again, if not now.
    pub(crate) fn retry_after(&self, caller: &Caller) -> Option<u64> {
        let now = Instant::now();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.all.forget(now);
        let of_all = state.all.below(OF_ALL, now);
        let source = state.sources.get_mut(&Source::from(caller));
        let of_one = source.and_then(|count| {
            count.forget(now);
            count.below(OF_ONE, now)
        });
        of_all.max(of_one)
    }

    /// Notes one more.
    pub(crate) fn note(&self, caller: &Caller) -> Cost {
        let now = Instant::now();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.all.forget(now);
        let before = state.all.failures;
        state.all.failures = before.saturating_add(1);
        let source = Source::from(caller);
        if !state.sources.contains_key(&source) && state.sources.len() >= SOURCES {
            state.make_room(now);
        }
        let known = state.sources.len() < SOURCES || state.sources.contains_key(&source);
        let of_one = if known {
            let count = state.sources.entry(source).or_insert(Count::new(now));
            count.forget(now);
            count.failures = count.failures.saturating_add(1);
            count.failures - 1
        } else {
            // Nobody knows whose it is: it is as slow as everybody's together.
            before
        };
        let slowness = of_one.max(before / (OF_ALL / OF_ONE));
        Cost {
            hold_back: FIRST.saturating_mul(1u32 << slowness.min(16)).min(LONGEST),
            is_news: before < OF_ONE || before.is_power_of_two(),
        }
    }

    /// A sentence for `health`, while somebody is past a limit.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        let now = Instant::now();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.all.forget(now);
        state.make_room(now);
        let worst = state.sources.iter().max_by_key(|(_, count)| count.failures);
        let (source, count) = worst.map(|(source, count)| (*source, count.failures))?;
        let whose = match source {
            Source::Address(address) => format!("most of them from {address}"),
            Source::User(user) => format!("most of them by user {user}"),
            Source::Unknown => "from an unknown source".to_owned(),
        };
        (count >= OF_ONE || state.all.failures >= OF_ALL).then(|| {
            format!(
                "{} attempts to come in without the right token lately, {whose}: tokens shown \
                 from there are refused unread (rate_limited); proofs and the home's socket are not",
                state.all.failures
            )
        })
    }
}

impl State {
    /// Drops what is forgiven, and where that is not enough, what is nearly so.
    fn make_room(&mut self, now: Instant) {
        self.sources.retain(|_, count| {
            count.forget(now);
            count.failures > 0
        });
        if self.sources.len() >= SOURCES {
            self.sources.retain(|_, count| count.failures > 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(last: u8) -> Caller {
        Caller::at(([192, 0, 2, last], 1).into())
    }

    #[tokio::test(start_paused = true)]
    async fn s06_failures_slow_down_and_are_forgiven() {
        let failures = Failures::new();
        let costs: Vec<Duration> = (0..12)
            .map(|_| failures.note(&caller(1)).hold_back)
            .collect();
        assert!(costs.windows(2).all(|pair| pair[0] <= pair[1]));
        assert_eq!(*costs.last().unwrap(), LONGEST);
        assert!(
            failures.note(&caller(2)).hold_back < Duration::from_millis(50),
            "another's"
        );
        tokio::time::advance(Duration::from_secs(60)).await;
        assert!(failures.note(&caller(1)).hold_back <= FIRST * 2);
    }

    #[tokio::test(start_paused = true)]
    async fn s06_past_the_limit_tokens_wait_and_not_for_long() {
        let failures = Failures::new();
        let loopback = Caller::at(([127, 0, 0, 1], 1).into());
        for _ in 0..OF_ONE {
            assert_eq!(failures.retry_after(&loopback), None);
            failures.note(&loopback);
        }
        assert!(
            failures
                .retry_after(&loopback)
                .is_some_and(|wait| wait <= 10)
        );
        assert_eq!(failures.retry_after(&caller(1)), None, "nobody else waits");
        assert!(
            failures
                .trouble()
                .is_some_and(|told| told.contains("127.0.0.1"))
        );
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!(failures.retry_after(&loopback), None);
        assert_eq!(failures.trouble(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn s06_many_sources_are_no_more_than_one_and_take_no_more_room() {
        let failures = Failures::new();
        for number in 0..5000u16 {
            let [high, low] = number.to_be_bytes();
            failures.note(&Caller::at(([10, 0, high, low], 1).into()));
        }
        let kept = failures.state.lock().unwrap().sources.len();
        assert!(kept <= SOURCES, "{kept}");
        assert!(
            failures.retry_after(&caller(9)).is_some(),
            "everybody waits"
        );
        assert!(failures.trouble().is_some());
        let one: Caller = Caller::at("[2001:db8::1]:1".parse().unwrap());
        let two: Caller = Caller::at("[2001:db8::2]:1".parse().unwrap());
        assert_eq!(Source::from(&one), Source::from(&two));
    }
}
