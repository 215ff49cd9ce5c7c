//! How often may be asked, and what is told where a limit is reached: since when, how many were
//! refused, and when to come back.

mod rates;
mod refused;

pub use rates::Rate;
pub(crate) use rates::{Rates, TooMany};
pub(crate) use refused::Refused;

use std::{collections::BTreeMap, time::Duration};

/// How long a wait is told at most: nobody plans further ahead.
const LONGEST: u64 = 3600;

/// The settings.
#[derive(Debug, Clone, Default)]
pub struct Quotas {
    /// Calls of one principal, of tools that do work.
    pub principal: Option<Rate>,
    /// Calls of a tool, by its name; `*` is every other tool, each by itself.
    pub tools: BTreeMap<String, Rate>,
}

/// A wait in whole seconds, upwards; never less than the setting says.
pub(crate) fn seconds(wait: Option<Duration>, least: u64) -> u64 {
    let wait = wait.map_or(0, |wait| {
        wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
    });
    wait.clamp(least, LONGEST.max(least))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_told_in_whole_seconds_and_never_as_too_short() {
        assert_eq!(seconds(None, 1), 1);
        assert_eq!(seconds(Some(Duration::from_millis(1)), 0), 1);
        assert_eq!(seconds(Some(Duration::from_millis(2001)), 1), 3);
        assert_eq!(seconds(Some(Duration::from_secs(2)), 1), 2);
        assert_eq!(
            seconds(Some(Duration::MAX - Duration::from_secs(2)), 1),
            3600
        );
    }
}
