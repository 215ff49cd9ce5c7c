//! How long to wait between two attempts: growing, capped, jittered. A value that cannot be
//! built wrong, with its own seedable randomness, so that a test can replay an hour of it.

use std::time::Duration;

/// The shape of the growth; only [`BackoffPolicy::new`] makes one, so every one is sound.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BackoffPolicy {
    initial: Duration,
    factor: f64,
    cap: Duration,
    jitter: f64,
}

/// Why a policy is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadBackoff {
    /// A zero delay would spin.
    #[error("the first delay must be longer than zero")]
    ZeroInitial,
    /// It must not shrink.
    #[error("the growth factor must be a number from 1 to 10")]
    Factor,
    /// The cap is the longest delay, so it cannot be below the first.
    #[error("the cap must not be shorter than the first delay")]
    CapBelowInitial,
    /// A share of the delay.
    #[error("the jitter must be a share from 0 to 0.9")]
    Jitter,
}

impl BackoffPolicy {
    /// 0.25 s × 1.5, cap 5 s, ± 10 %.
    pub const STANDARD: Self = Self {
        initial: Duration::from_millis(250),
        factor: 1.5,
        cap: Duration::from_secs(5),
        jitter: 0.1,
    };

    /// Checks and builds a policy.
    ///
    /// # Errors
    /// [`BadBackoff`] names what is wrong.
    pub fn new(
        initial: Duration,
        factor: f64,
        cap: Duration,
        jitter: f64,
    ) -> Result<Self, BadBackoff> {
        if initial.is_zero() {
            return Err(BadBackoff::ZeroInitial);
        }
        if !(1.0..=10.0).contains(&factor) {
            return Err(BadBackoff::Factor);
        }
        if cap < initial {
            return Err(BadBackoff::CapBelowInitial);
        }
        if !(0.0..=0.9).contains(&jitter) {
            return Err(BadBackoff::Jitter);
        }
        Ok(Self {
            initial,
            factor,
            cap,
            jitter,
        })
    }
}

/// The growth in progress.
#[derive(Debug, Clone)]
pub struct Backoff {
    policy: BackoffPolicy,
    next: Duration,
    rng: fastrand::Rng,
}

impl Backoff {
    /// Starts at the policy's first delay.
    #[must_use]
    pub fn new(policy: BackoffPolicy, rng: fastrand::Rng) -> Self {
        Self {
            policy,
            next: policy.initial,
            rng,
        }
    }

    /// The delay before the next attempt.
    pub fn next_delay(&mut self) -> Duration {
        let base = self.next;
        self.next = base.mul_f64(self.policy.factor).min(self.policy.cap);
        let swing = self.rng.f64() * 2.0 - 1.0;
        base.mul_f64(1.0 + swing * self.policy.jitter)
    }

    /// Starts over.
    pub fn reset(&mut self) {
        self.next = self.policy.initial;
    }

    /// A short random pause, so that many clients of one daemon do not return as one.
    pub(crate) fn scatter(&mut self, within: Duration) -> Duration {
        within.mul_f64(self.rng.f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r13_grows_to_the_cap_with_a_tenth_of_jitter() {
        let mut backoff = Backoff::new(BackoffPolicy::STANDARD, fastrand::Rng::with_seed(7));
        let mut base = 0.25_f64;
        for _ in 0..40 {
            let delay = backoff.next_delay().as_secs_f64();
            assert!(
                (base * 0.9..=base * 1.1).contains(&delay),
                "{delay} for {base}"
            );
            base = (base * 1.5).min(5.0);
        }
        backoff.reset();
        assert!(backoff.next_delay() <= Duration::from_millis(275));
    }

    #[test]
    fn the_same_seed_gives_the_same_hour() {
        let run = || {
            let mut backoff = Backoff::new(BackoffPolicy::STANDARD, fastrand::Rng::with_seed(42));
            (0..10).map(|_| backoff.next_delay()).collect::<Vec<_>>()
        };
        assert_eq!(run(), run());
    }

    #[test]
    fn wrong_values_cannot_be_built() {
        let (short, long) = (Duration::from_millis(1), Duration::from_secs(1));
        let cases = [
            (
                BackoffPolicy::new(Duration::ZERO, 1.5, long, 0.1),
                BadBackoff::ZeroInitial,
            ),
            (
                BackoffPolicy::new(short, f64::NAN, long, 0.1),
                BadBackoff::Factor,
            ),
            (
                BackoffPolicy::new(short, 0.5, long, 0.1),
                BadBackoff::Factor,
            ),
            (
                BackoffPolicy::new(long, 1.5, short, 0.1),
                BadBackoff::CapBelowInitial,
            ),
            (
                BackoffPolicy::new(short, 1.5, long, f64::NAN),
                BadBackoff::Jitter,
            ),
            (
                BackoffPolicy::new(short, 1.5, long, 1.0),
                BadBackoff::Jitter,
            ),
        ];
        for (built, why) in cases {
            assert_eq!(built, Err(why));
        }
    }
}
