//! The circuit breaker. It opens after failures in a row that are the endpoint's own, at once
//! when the key or the account is refused, and never for a rate limit: that is waited for.
//! After a pause one request tries; its first sign of life closes the breaker, on probation.

use crate::fault::{Fault, FaultClass};
use std::{collections::BTreeMap, time::Duration};
use tokio::time::Instant;

/// Failures in a row, whatever their classes, that open it.
const ANY: u32 = 6;

/// Where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Position {
    /// Requests go through.
    Closed,
    /// None do until the pause is over.
    Open,
    /// One may try, or does.
    HalfOpen,
}

impl Position {
    /// Its word in lists and events.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

/// What a request says about its endpoint.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// It began to answer.
    Lives,
    /// It answered to the end, or refused for a reason that is the request's own.
    Good,
    /// It failed.
    Bad(Fault),
    /// Nothing: the caller went away, or the call's deadline came.
    Nothing,
}

/// Whether a request may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passage {
    /// It may.
    Free,
    /// It may, and the endpoint is judged by it.
    AsProbe,
    /// Another request tries the endpoint just now.
    Probing,
    /// Not before this.
    Shut(Instant),
}

/// The breaker of one endpoint.
#[derive(Debug, Default)]
pub struct Breaker {
    /// When open or half open: until when the pause is, and how long it was.
    shut: Option<(Instant, Duration)>,
    probing: bool,
    /// Failures since the last good answer, and those of each class.
    in_a_row: u32,
    by_class: BTreeMap<FaultClass, u32>,
    /// The last pause, which the next one doubles unless something good came between.
    pause: Option<Duration>,
    cause: Option<Fault>,
}

/// What a class needs to open the breaker, and how long the first and the longest pause is.
fn rule(class: FaultClass) -> Option<(u32, Duration, Duration)> {
    let secs = Duration::from_secs;
    Some(match class {
        FaultClass::Auth | FaultClass::QuotaExhausted => (1, secs(60), secs(60)),
        FaultClass::Unreachable => (3, secs(2), secs(30)),
        FaultClass::Timeout => (3, secs(10), secs(120)),
        FaultClass::Server | FaultClass::Overloaded => (4, secs(5), secs(60)),
        FaultClass::Truncated | FaultClass::Malformed => (4, secs(5), secs(60)),
        FaultClass::RateLimited
        | FaultClass::Forbidden
        | FaultClass::NotFound
        | FaultClass::ContextLength
        | FaultClass::ContentFilter
        | FaultClass::BadRequest
        | FaultClass::TooLarge
        | FaultClass::Unsupported
        | FaultClass::NotInstalled => return None,
    })
}

impl Breaker {
    /// Where it stands now.
    #[must_use]
    pub fn position(&self, now: Instant) -> Position {
        match self.shut {
            None => Position::Closed,
            Some((until, _)) if now < until && !self.probing => Position::Open,
            Some(_) => Position::HalfOpen,
        }
    }

    /// Why it is not closed.
    #[must_use]
    pub fn cause(&self) -> Option<&Fault> {
        self.shut.and(self.cause.as_ref())
    }

    /// Until when it is shut.
    #[must_use]
    pub fn until(&self) -> Option<Instant> {
        self.shut.map(|(until, _)| until)
    }

    /// Whether a request may go; taking the passage is [`Self::take`].
    #[must_use]
    pub fn passage(&self, now: Instant) -> Passage {
        match self.shut {
            None => Passage::Free,
            Some(_) if self.probing => Passage::Probing,
            Some((until, _)) if now < until => Passage::Shut(until),
            Some(_) => Passage::AsProbe,
        }
    }

    /// A request goes; says whether it is the one that tries.
    pub fn take(&mut self, now: Instant) -> bool {
        let tries = self.passage(now) == Passage::AsProbe;
        self.probing |= tries;
        tries
    }

    /// What a request came to; `tried` is what [`Self::take`] said of it.
    pub fn judge(&mut self, now: Instant, verdict: &Verdict, tried: bool) {
        match verdict {
            Verdict::Lives if tried && self.shut.is_some() => self.on_probation(),
            Verdict::Lives => {}
            Verdict::Good => self.reset(),
            Verdict::Bad(fault) => self.bad(now, fault, tried),
            // Whoever asks next tries again.
            Verdict::Nothing => self.probing &= !tried,
        }
    }

    /// All is forgiven: a good answer, or another key.
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    /// The pause is over: a person wants to know.
    pub fn try_now(&mut self, now: Instant) {
        if let Some((until, _)) = &mut self.shut {
            *until = (*until).min(now);
        }
    }

    /// It began to answer: others may go, but the next failure shuts it again.
    fn on_probation(&mut self) {
        self.shut = None;
        self.probing = false;
        self.in_a_row = ANY - 1;
        self.cause = None;
    }

    fn bad(&mut self, now: Instant, fault: &Fault, tried: bool) {
        let Some((needed, first, longest)) = rule(fault.class) else {
            // It answers, if not what was wished. A rate limit says nothing of its health,
            // except that it can be spoken to.
            if tried {
                self.reset();
            }
            return;
        };
        self.probing &= !tried;
        self.in_a_row = self.in_a_row.saturating_add(1);
        let of_class = self.by_class.entry(fault.class).or_default();
        *of_class = of_class.saturating_add(1);
        let enough = *of_class >= needed || self.in_a_row >= ANY;
        // Requests that were under way when it opened add nothing to its pause.
        if enough && (tried || self.shut.is_none()) {
            let pause = match self.pause {
                Some(last) => (last * 2).clamp(first.min(longest), longest),
                None => first,
            };
            self.pause = Some(pause);
            self.shut = Some((now + pause, pause));
            self.cause = Some(fault.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bad(class: FaultClass) -> Verdict {
        Verdict::Bad(Fault::new(class, "said"))
    }

    fn after(breaker: &mut Breaker, now: Instant, classes: &[FaultClass]) -> Position {
        for class in classes {
            breaker.judge(now, &bad(*class), false);
        }
        breaker.position(now)
    }

    #[test]
    fn it_opens_after_failures_in_a_row_of_a_class_or_of_any() {
        use FaultClass::{Malformed, Server, Timeout, Truncated, Unreachable};
        let now = Instant::now();
        for (classes, open) in [
            (vec![Unreachable; 2], false),
            (vec![Unreachable; 3], true),
            (vec![Server; 3], false),
            (vec![Server; 4], true),
            (vec![Server, Timeout, Unreachable, Server, Timeout], false),
            (
                vec![Server, Timeout, Malformed, Truncated, Server, Timeout],
                true,
            ),
        ] {
            let position = after(&mut Breaker::default(), now, &classes);
            assert_eq!(position == Position::Open, open, "{classes:?}");
        }
    }

    #[test]
    fn a_good_answer_begins_the_row_anew() {
        let now = Instant::now();
        let mut breaker = Breaker::default();
        for _ in 0..50 {
            after(&mut breaker, now, &[FaultClass::Unreachable; 2]);
            breaker.judge(now, &Verdict::Good, false);
        }
        assert_eq!(breaker.position(now), Position::Closed);
    }

    #[test]
    fn a_rate_limit_never_opens_it_and_a_refused_key_does_at_once() {
        let now = Instant::now();
        let of_the_request = [
            FaultClass::RateLimited,
            FaultClass::BadRequest,
            FaultClass::ContentFilter,
            FaultClass::ContextLength,
            FaultClass::NotFound,
            FaultClass::Forbidden,
        ];
        for class in of_the_request {
            let mut breaker = Breaker::default();
            assert_eq!(
                after(&mut breaker, now, &[class; 99]),
                Position::Closed,
                "{class:?}"
            );
        }
        for class in [FaultClass::Auth, FaultClass::QuotaExhausted] {
            let mut breaker = Breaker::default();
            assert_eq!(after(&mut breaker, now, &[class]), Position::Open);
            assert_eq!(breaker.cause().map(|fault| fault.class), Some(class));
            breaker.reset();
            assert_eq!(breaker.passage(now), Passage::Free);
        }
    }

    #[test]
    fn one_request_tries_and_its_first_sign_of_life_closes_it_on_probation() {
        let mut now = Instant::now();
        let mut breaker = Breaker::default();
        after(&mut breaker, now, &[FaultClass::Unreachable; 3]);
        let until = now + Duration::from_secs(2);
        assert_eq!(breaker.passage(now), Passage::Shut(until));
        now = until;
        assert_eq!(breaker.position(now), Position::HalfOpen);
        assert!(breaker.take(now));
        assert_eq!(breaker.passage(now), Passage::Probing);
        assert!(!breaker.take(now));

        breaker.judge(now, &Verdict::Lives, true);
        assert_eq!(breaker.position(now), Position::Closed);
        // It dies in the middle again: at once open, and for longer.
        breaker.judge(now, &bad(FaultClass::Truncated), true);
        assert_eq!(breaker.position(now), Position::Open);
        assert_eq!(breaker.until(), Some(now + Duration::from_secs(5)));
    }

    #[test]
    fn pauses_double_up_to_a_bound_and_only_by_probes() {
        let mut now = Instant::now();
        let mut breaker = Breaker::default();
        after(&mut breaker, now, &[FaultClass::Unreachable; 30]);
        let mut pauses = Vec::new();
        for _ in 0..6 {
            let until = breaker.until().unwrap();
            pauses.push((until - now).as_secs());
            now = until;
            assert!(breaker.take(now));
            breaker.judge(now, &bad(FaultClass::Unreachable), true);
        }
        assert_eq!(pauses, [2, 4, 8, 16, 30, 30]);
    }

    #[test]
    fn a_probe_whose_caller_goes_makes_room_for_another() {
        let mut now = Instant::now();
        let mut breaker = Breaker::default();
        after(&mut breaker, now, &[FaultClass::Auth]);
        now += Duration::from_secs(60);
        assert!(breaker.take(now));
        breaker.judge(now, &Verdict::Nothing, true);
        assert_eq!(breaker.passage(now), Passage::AsProbe);
        assert!(breaker.take(now));
        // Others that are still under way decide nothing.
        breaker.judge(now, &Verdict::Nothing, false);
        assert_eq!(breaker.passage(now), Passage::Probing);
    }

    #[test]
    fn a_person_may_try_at_once() {
        let now = Instant::now();
        let mut breaker = Breaker::default();
        after(&mut breaker, now, &[FaultClass::QuotaExhausted]);
        breaker.try_now(now);
        assert_eq!(breaker.passage(now), Passage::AsProbe);
    }
}
