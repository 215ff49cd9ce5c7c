//! Dollars that add up exactly: millionths of a millionth, so that a token at the smallest
//! price in use is still a whole number, and sums of any order agree.

use serde::{Deserialize, Serialize};

/// An amount of US dollars, never negative.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Usd(u64);

impl Usd {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    const PICOS: f64 = 1e12;

    /// From millionths of a millionth of a dollar.
    #[must_use]
    pub fn from_picos(picos: u64) -> Self {
        Self(picos)
    }

    /// In millionths of a millionth of a dollar.
    #[must_use]
    pub fn picos(self) -> u64 {
        self.0
    }

    /// From dollars; what is no amount is `None`.
    #[must_use]
    pub fn from_dollars(dollars: f64) -> Option<Self> {
        let picos = (dollars * Self::PICOS).round();
        (picos.is_finite() && (0.0..1.8e19).contains(&picos)).then_some(Self(picos as u64))
    }

    /// In dollars, for showing.
    #[must_use]
    pub fn dollars(self) -> f64 {
        self.0 as f64 / Self::PICOS
    }

    /// The sum; at the end of the scale it stays there.
    #[must_use]
    pub fn plus(self, more: Self) -> Self {
        Self(self.0.saturating_add(more.0))
    }

    /// What is left, or nothing.
    #[must_use]
    pub fn minus(self, less: Self) -> Self {
        Self(self.0.saturating_sub(less.0))
    }

    /// So many times the amount; at the end of the scale it stays there.
    #[must_use]
    pub fn times(self, count: u64) -> Self {
        Self(self.0.saturating_mul(count))
    }
}

impl std::fmt::Display for Usd {
    /// `$0.000123`: enough digits to tell small calls apart, none to spare for large ones.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let dollars = self.dollars();
        if self.0 == 0 || dollars >= 1.0 {
            write!(f, "${dollars:.2}")
        } else if dollars >= 0.0001 {
            write!(f, "${dollars:.4}")
        } else {
            write!(f, "${dollars:.8}")
        }
    }
}
