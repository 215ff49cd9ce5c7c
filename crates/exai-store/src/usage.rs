//! What calls to models used: the words, the rows, and the sums people ask for.

pub(crate) mod rows;
pub(crate) mod totals;

use crate::money::Cost;
pub use totals::{By, UsageQuery, UsageTotal};

/// Tokens, as the provider counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tokens {
    /// All of the prompt, cached or not.
    pub input: u64,
    /// All of the answer, reasoning included.
    pub output: u64,
    /// The part of `input` that came from a cache.
    pub cached: u64,
    /// The part of `output` nobody reads.
    pub reasoning: u64,
}

/// What one request to a provider used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usage {
    /// Its tokens.
    pub tokens: Tokens,
    /// Web searches the provider ran for it.
    pub searches: u64,
    /// Its cost.
    pub cost: Cost,
    /// Whether we counted, because the provider did not report.
    pub estimated: bool,
}
