//! Who may come in. Comparison takes the same time wherever two tokens differ, and every
//! failure makes the next one slower, for everybody: loopback earns no exemption.

use exai_protocol::{Secret, UnixMillis};
use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};
use subtle::ConstantTimeEq;
use tokio::time::Instant;

/// The current token and, for an overlap after a rotation, the previous one.
#[derive(Clone)]
pub struct Keys {
    /// Always valid.
    pub current: Secret,
    /// Valid until then.
    pub previous: Option<(Secret, UnixMillis)>,
}

impl Keys {
    /// Whether a token opens the door now.
    #[must_use]
    pub fn admits(&self, offered: &Secret, now: UnixMillis) -> bool {
        let same = |key: &Secret| key.expose().as_bytes().ct_eq(offered.expose().as_bytes());
        let mut admitted = same(&self.current);
        if let Some((previous, until)) = &self.previous
            && now < *until
        {
            admitted |= same(previous);
        }
        bool::from(admitted) && !offered.is_empty()
    }
}

/// Counts failed handshakes, and halves the count every ten seconds.
pub(crate) struct Failures {
    state: Mutex<(u32, Instant)>,
}

const HALVING: Duration = Duration::from_secs(10);
const FIRST: Duration = Duration::from_millis(10);
const LONGEST: Duration = Duration::from_secs(2);

impl Failures {
    pub(crate) fn new() -> Self {
        Self {
            state: Mutex::new((0, Instant::now())),
        }
    }

    /// Notes one more; says how long its refusal is to be held back.
    pub(crate) fn note(&self) -> Duration {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let halvings = now.duration_since(state.1).as_secs() / HALVING.as_secs();
        if halvings > 0 {
            state.0 = state
                .0
                .checked_shr(u32::try_from(halvings).unwrap_or(u32::MAX))
                .unwrap_or(0);
            state.1 = now;
        }
        let delay = FIRST.saturating_mul(1u32 << state.0.min(16)).min(LONGEST);
        state.0 = state.0.saturating_add(1);
        delay
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s12_a_rotated_token_keeps_its_overlap() {
        let keys = Keys {
            current: Secret::new("new"),
            previous: Some((Secret::new("old"), UnixMillis(1000))),
        };
        let admits = |text: &str, now| keys.admits(&Secret::new(text), UnixMillis(now));
        assert!(admits("new", 0) && admits("old", 999));
        assert!(!admits("old", 1000) && !admits("", 0) && !admits("newer", 0));
    }

    #[tokio::test(start_paused = true)]
    async fn s06_failures_slow_down_and_are_forgiven() {
        let failures = Failures::new();
        let delays: Vec<Duration> = (0..12).map(|_| failures.note()).collect();
        assert!(delays.windows(2).all(|pair| pair[0] <= pair[1]));
        assert_eq!(*delays.last().unwrap(), LONGEST);
        tokio::time::advance(Duration::from_secs(60)).await;
        assert!(failures.note() <= FIRST * 2);
    }
}
