//! Usage times price. Cached and cache-writing tokens have prices of their own where the
//! catalogue says so, else the price of any other token; that is never too little for reads.

use super::Usd;
use crate::chat::Usage;
use serde::{Deserialize, Serialize};

/// What a model costs: dollars for a million tokens, and for one search.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Price {
    /// Tokens read.
    #[serde(rename = "in")]
    pub input: Option<f64>,
    /// Tokens written.
    #[serde(rename = "out")]
    pub output: Option<f64>,
    /// Tokens read from a cache.
    pub cached: Option<f64>,
    /// Tokens written to a cache.
    pub cache_write: Option<f64>,
    /// One search.
    pub search: Option<f64>,
    /// When this was true, as `2026-11-21`.
    pub date: Option<String>,
}

/// What a call cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cost {
    /// This much.
    Known(Usd),
    /// The provider's own figure.
    Stated(Usd),
    /// Nobody can tell; the reason.
    Unknown(String),
}

impl Cost {
    /// The amount, where there is one.
    #[must_use]
    pub fn amount(&self) -> Option<Usd> {
        match self {
            Self::Known(amount) | Self::Stated(amount) => Some(*amount),
            Self::Unknown(_) => None,
        }
    }

    /// The sum of two calls; with an unknown part it is unknown.
    #[must_use]
    pub fn plus(&self, more: &Self) -> Self {
        match (self, more) {
            (Self::Unknown(why), _) | (_, Self::Unknown(why)) => Self::Unknown(why.clone()),
            (Self::Stated(one), Self::Stated(two)) => Self::Stated(one.plus(*two)),
            (Self::Known(one) | Self::Stated(one), Self::Known(two) | Self::Stated(two)) => {
                Self::Known(one.plus(*two))
            }
        }
    }
}

/// So many tokens at a price for a million.
fn tokens(count: u64, per_million: f64) -> Option<Usd> {
    // Dollars for a million are millionths of a dollar for one.
    Usd::from_dollars(per_million / 1e6).map(|one| one.times(count))
}

/// What this usage costs.
#[must_use]
pub fn cost(usage: Option<&Usage>, price: Option<&Price>) -> Cost {
    let unknown = |why: &str| Cost::Unknown(why.to_owned());
    let Some(usage) = usage else {
        return unknown("the provider reported no usage");
    };
    if let Some(micros) = usage.stated_micros {
        return Cost::Stated(Usd::from_picos(micros.saturating_mul(1_000_000)));
    }
    let Some(price) = price else {
        return unknown("the catalogue has no price for this model");
    };
    let (Some(input), Some(output)) = (usage.input, usage.output) else {
        return unknown("the provider reported only part of the usage");
    };
    let (Some(read), Some(write)) = (price.input, price.output) else {
        return unknown("the catalogue has only part of this model's price");
    };
    let cached = usage.cached.unwrap_or(0).min(input);
    let written = usage.cache_written.unwrap_or(0).min(input - cached);
    let searches = usage.searches.unwrap_or(0);
    if searches > 0 && price.search.is_none() {
        return unknown("the catalogue has no price for this model's searches");
    }
    let parts = [
        tokens(input - cached - written, read),
        tokens(cached, price.cached.unwrap_or(read)),
        tokens(written, price.cache_write.unwrap_or(read)),
        tokens(output, write),
        Usd::from_dollars(price.search.unwrap_or(0.0)).map(|one| one.times(searches)),
    ];
    let sum = parts
        .into_iter()
        .try_fold(Usd::ZERO, |sum, part| Some(sum.plus(part?)));
    match sum {
        Some(sum) => Cost::Known(sum),
        None => unknown("the catalogue's price is no amount"),
    }
}

/// The most a call may cost: what must be reserved before it is sent. Cache discounts are not
/// counted on; a dearer cache write is.
#[must_use]
pub fn ceiling(input: u64, max_output: u64, searches: u64, price: Option<&Price>) -> Cost {
    let usage = Usage {
        input: Some(input),
        cache_written: price.and_then(|price| {
            let dearer = price.cache_write? > price.input?;
            dearer.then_some(input)
        }),
        output: Some(max_output),
        searches: Some(searches),
        ..Usage::default()
    };
    cost(Some(&usage), price)
}
