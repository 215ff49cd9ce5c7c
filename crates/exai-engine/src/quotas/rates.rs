//! Calls in a time. Each subject has a bucket of its own that fills evenly, so that the wait is
//! known to the nanosecond, and nobody is held up until a minute or an hour turns. One number a
//! bucket and four lines of arithmetic are all of it: a crate for it would bring eleven others.

use super::Quotas;
use exai_protocol::{Principal, event::LimitKind};
use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    num::NonZeroU32,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// Every other tool.
const OTHERS: &str = "*";

/// So many calls in so long a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Calls.
    pub calls: NonZeroU32,
    /// In this time.
    pub per: Duration,
    /// As many may come at once.
    pub burst: NonZeroU32,
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match self.per.as_secs() {
            1 => "s".to_owned(),
            60 => "min".to_owned(),
            3600 => "h".to_owned(),
            secs => format!("{secs} s"),
        };
        write!(f, "{}/{unit}", self.calls)?;
        if self.burst != self.calls {
            write!(f, " burst {}", self.burst)?;
        }
        Ok(())
    }
}

/// How far ahead of an even pace its calls are: the one number a bucket needs.
struct Bucket {
    /// When the bucket will be full again.
    full_at: Instant,
}

/// A rate that is reached.
#[derive(Debug)]
pub(crate) struct TooMany {
    pub(crate) limit: LimitKind,
    pub(crate) subject: Arc<str>,
    pub(crate) rate: Rate,
    pub(crate) wait: Duration,
}

/// The owner of all buckets: one a principal and one a tool of the registry, so there are few.
pub(crate) struct Rates {
    principal: Option<Rate>,
    tools: BTreeMap<String, Rate>,
    buckets: Mutex<HashMap<(LimitKind, Arc<str>), Bucket>>,
}

impl Rates {
    pub(crate) fn new(quotas: &Quotas) -> Self {
        Self {
            principal: quotas.principal,
            tools: quotas.tools.clone(),
            buckets: Mutex::default(),
        }
    }

    /// Counts a call, or says for how long there is none. `works`: it is no answer from memory
    /// and no look by whoever runs the daemon, which a principal's rate leaves alone.
    pub(crate) fn count(
        &self,
        principal: &Principal,
        tool: &Arc<str>,
        works: bool,
    ) -> Result<(), TooMany> {
        if let Some(rate) = self.tools.get(&**tool).or_else(|| self.tools.get(OTHERS)) {
            self.take(LimitKind::ToolRate, tool, *rate)?;
        }
        match self.principal {
            Some(rate) if works => self.take(
                LimitKind::PrincipalRate,
                &Arc::from(principal.as_str()),
                rate,
            ),
            _ => Ok(()),
        }
    }

    fn take(&self, limit: LimitKind, subject: &Arc<str>, rate: Rate) -> Result<(), TooMany> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let bucket = buckets
            .entry((limit, Arc::clone(subject)))
            .or_insert(Bucket { full_at: now });
        bucket.take(rate, now).map_err(|wait| TooMany {
            limit,
            subject: Arc::clone(subject),
            rate,
            wait,
        })
    }
}

impl Bucket {
    /// Takes one call, or says when there is one; nothing is taken then.
    fn take(&mut self, rate: Rate, now: Instant) -> Result<(), Duration> {
        let each = rate.per / rate.calls.get();
        let room = each * (rate.burst.get() - 1);
        let full_at = self.full_at.max(now);
        let too_early = full_at.duration_since(now).saturating_sub(room);
        if !too_early.is_zero() {
            return Err(too_early);
        }
        self.full_at = full_at + each;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(calls: u32, secs: u64, burst: u32) -> Rate {
        Rate {
            calls: NonZeroU32::new(calls).unwrap(),
            per: Duration::from_secs(secs),
            burst: NonZeroU32::new(burst).unwrap(),
        }
    }

    fn rates(principal: Option<Rate>, tools: &[(&str, Rate)]) -> Rates {
        let tools = tools.iter().map(|(name, rate)| ((*name).to_owned(), *rate));
        Rates::new(&Quotas {
            principal,
            tools: tools.collect(),
        })
    }

    #[tokio::test(start_paused = true)]
    async fn the_wait_is_exact_and_a_refusal_costs_nothing() {
        let rates = rates(Some(rate(30, 60, 2)), &[]);
        let (me, tool) = (Principal::new("me"), Arc::from("t"));
        let count = || rates.count(&me, &tool, true);
        assert!(count().is_ok() && count().is_ok());
        for _ in 0..100 {
            assert_eq!(count().unwrap_err().wait, Duration::from_secs(2));
        }
        tokio::time::advance(Duration::from_millis(1999)).await;
        assert_eq!(count().unwrap_err().wait, Duration::from_millis(1));
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(count().is_ok() && count().is_err());
        assert!(rates.count(&Principal::new("you"), &tool, true).is_ok());
        assert!(rates.count(&me, &tool, false).is_ok(), "a look is free");
    }

    #[tokio::test(start_paused = true)]
    async fn each_tool_has_its_own_and_the_others_theirs() {
        let one = rate(1, 60, 1);
        let rates = rates(None, &[("a", rate(2, 60, 2)), ("*", one)]);
        let me = Principal::new("me");
        let count = |tool: &str| rates.count(&me, &Arc::from(tool), true).is_ok();
        assert!(count("a") && count("a") && !count("a"));
        assert!(count("b") && !count("b") && count("c") && !count("c"));
    }

    #[test]
    fn rates_read_as_they_are_written() {
        assert_eq!(rate(30, 60, 30).to_string(), "30/min");
        assert_eq!(rate(5, 1, 9).to_string(), "5/s burst 9");
        assert_eq!(rate(5, 3600, 5).to_string(), "5/h");
    }
}
