//! Whether the clock can be asked how old something is. A clock that was set, or a machine that
//! slept, makes the result of a moment ago look days old just when its client comes back for it,
//! and last week's conversation older than any that is kept; so nothing goes for its age until
//! the clock has been steady for a while.

use exai_protocol::UnixMillis;
use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// The two clocks drift apart by less between two looks.
const DRIFT: Duration = Duration::from_secs(5);

/// See the module.
#[derive(Debug)]
pub(crate) struct Ages {
    seen: Mutex<Seen>,
    steady_for: Duration,
}

#[derive(Debug)]
struct Seen {
    at: Instant,
    wall: UnixMillis,
    steady_since: Instant,
}

impl Ages {
    /// What was before the start is not known: the clock may have been set just then.
    pub(crate) fn new(steady_for: Duration, wall: UnixMillis) -> Self {
        let at = Instant::now();
        let seen = Seen {
            at,
            wall,
            steady_since: at,
        };
        Self {
            seen: Mutex::new(seen),
            steady_for,
        }
    }

    /// Looks at both clocks; `at` and `wall` are the same moment.
    pub(crate) fn can_be_told(&self, at: Instant, wall: UnixMillis) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let went = i128::from(wall.0) - i128::from(seen.wall.0);
        let elapsed = at.saturating_duration_since(seen.at).as_millis();
        let off = went.saturating_sub(i128::try_from(elapsed).unwrap_or(i128::MAX));
        if off.unsigned_abs() > DRIFT.as_millis() {
            tracing::info!(
                off_ms = %off,
                "the clock was set, or this machine slept; nothing goes for its age for a while"
            );
            seen.steady_since = at;
        }
        (seen.at, seen.wall) = (at, wall);
        at.saturating_duration_since(seen.steady_since) >= self.steady_for
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_jump_and_after_a_start_the_clock_is_not_believed_for_a_while() {
        let (begun, minute) = (Instant::now(), Duration::from_secs(60));
        let ages = Ages::new(10 * minute, UnixMillis(1_000_000_000));
        let mut jumps = 0_i64;
        let mut look = |minutes: u32, jump: i64| {
            jumps += jump;
            let wall = 1_000_000_000_u64 + u64::from(minutes) * 60_000;
            let wall = UnixMillis(wall.saturating_add_signed(jumps));
            ages.can_be_told(begun + minutes * minute, wall)
        };
        assert!(!look(1, 0) && !look(9, 0), "just begun");
        assert!(look(11, 0) && look(12, 1_000), "steady, but for some drift");
        assert!(!look(13, 86_400_000), "set ahead by a day");
        assert!(!look(22, 0) && look(23, 0));
        assert!(!look(24, -86_400_000), "and set back");
        assert!(look(40, 0));
    }
}
