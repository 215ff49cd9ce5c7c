//! Money as whole millionths of a US dollar: sums of it are exact, in any order.

use std::{fmt, sync::Arc};

/// The most one entry may say, of money or of tokens. Beyond it a number is a provider's
/// mistake, and below it no sum of a lifetime overflows.
const MOST: i64 = 1_000_000_000_000;

/// Millionths of a US dollar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct MicroUsd(pub u64);

impl MicroUsd {
    /// From millionths of a millionth of a dollar, as prices are multiplied in: rounded up,
    /// so that no number of small calls is free.
    #[must_use]
    pub fn from_picos(picos: u64) -> Self {
        Self(picos.div_ceil(1_000_000))
    }
}

impl fmt::Display for MicroUsd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fraction = format!("{:06}", self.0 % 1_000_000);
        let (cents, rest) = fraction.split_at(2);
        write!(
            f,
            "${}.{cents}{}",
            self.0 / 1_000_000,
            rest.trim_end_matches('0')
        )
    }
}

/// What a call cost, or why nobody can say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cost {
    /// By the catalogue's price.
    Known(MicroUsd),
    /// For example: the catalogue has no price for the model.
    Unknown(Arc<str>),
}

impl Cost {
    /// The amount, where it is known.
    #[must_use]
    pub fn known(&self) -> Option<MicroUsd> {
        match self {
            Self::Known(amount) => Some(*amount),
            Self::Unknown(_) => None,
        }
    }

    /// Why it is not known.
    #[must_use]
    pub fn unknown(&self) -> Option<&str> {
        match self {
            Self::Known(_) => None,
            Self::Unknown(why) => Some(why),
        }
    }
}

/// A count as a column of one row keeps it.
pub(crate) fn column(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(MOST).min(MOST)
}

/// A sum as a column keeps it: sums may grow past what one entry may say.
pub(crate) fn sum_column(sum: u64) -> i64 {
    i64::try_from(sum).unwrap_or(i64::MAX)
}

/// The way back. No column of ours goes below zero; one that does was not written by us.
pub(crate) fn count(column: i64) -> u64 {
    u64::try_from(column).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_read_dollars() {
        for (micro, text) in [
            (0, "$0.00"),
            (1, "$0.000001"),
            (10_000, "$0.01"),
            (1_230_000, "$1.23"),
            (1_234_500, "$1.2345"),
            (12_000_000, "$12.00"),
        ] {
            assert_eq!(MicroUsd(micro).to_string(), text);
        }
    }

    #[test]
    fn small_amounts_are_rounded_up() {
        for (picos, micro) in [(0, 0), (1, 1), (1_000_000, 1), (1_000_001, 2)] {
            assert_eq!(MicroUsd::from_picos(picos), MicroUsd(micro));
        }
    }

    #[test]
    fn garbage_is_bounded() {
        assert_eq!(column(7), 7);
        assert_eq!(column(u64::MAX), MOST);
        assert_eq!(count(-1), 0);
        assert_eq!(sum_column(u64::MAX), i64::MAX);
    }
}
