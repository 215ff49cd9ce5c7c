//! A day of a budget: UTC, so that neither travel nor a clock change makes one longer.

use exai_protocol::UnixMillis;

const DAY_MS: u64 = 86_400_000;

/// A whole UTC day, counted from 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(pub u32);

impl Day {
    /// The day of a moment; a clock beyond all reason gives the last one.
    #[must_use]
    pub fn of(moment: UnixMillis) -> Self {
        Self(u32::try_from(moment.0 / DAY_MS).unwrap_or(u32::MAX))
    }

    /// Its first moment.
    #[must_use]
    pub fn begins(self) -> UnixMillis {
        UnixMillis(u64::from(self.0) * DAY_MS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_ends_at_midnight_utc() {
        assert_eq!(Day::of(UnixMillis(0)), Day(0));
        assert_eq!(Day::of(UnixMillis(DAY_MS - 1)), Day(0));
        assert_eq!(Day::of(UnixMillis(DAY_MS)), Day(1));
        assert_eq!(Day(1).begins(), UnixMillis(DAY_MS));
        assert_eq!(Day::of(UnixMillis(u64::MAX)), Day(u32::MAX));
    }
}
