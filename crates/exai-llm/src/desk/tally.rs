//! Everything an ask took, request by request, failed ones too: what the result, the record
//! and the error all tell.

use crate::{
    catalogue::Model,
    chat::Usage,
    fault::Fault,
    price::{Cost, Usd},
};
use exai_engine::ports::models::{Attempt, Price, Spent};
use std::time::Duration;

/// The sums of one ask.
#[derive(Debug, Default)]
pub(super) struct Tally {
    attempts: Vec<Attempt>,
    tokens: Option<Usage>,
    cost: Option<Cost>,
    estimated: bool,
    queued: Duration,
    /// From the first request on.
    running: Duration,
    first_delta: Option<Duration>,
    pub(super) warnings: Vec<String>,
}

/// Where and how long.
pub(super) struct Trip<'a> {
    pub(super) endpoint: &'a str,
    pub(super) model: &'a str,
    pub(super) took: Duration,
    pub(super) first_delta: Option<Duration>,
}

impl Tally {
    /// A place at an endpoint was waited for.
    pub(super) fn waited(&mut self, time: Duration) {
        self.queued += time;
    }

    /// A request ended, well or not.
    pub(super) fn attempt(&mut self, trip: &Trip<'_>, fault: Option<&Fault>) {
        let number = u32::try_from(self.attempts.len()).unwrap_or(u32::MAX);
        self.attempts.push(Attempt {
            attempt: number.saturating_add(1),
            endpoint: trip.endpoint.to_owned(),
            model: trip.model.to_owned(),
            took_ms: ms(trip.took),
            cause: fault.map(|fault| fault.class.as_str().to_owned()),
            status: fault.and_then(|fault| fault.status),
            detail: fault.map(|fault| fault.detail.clone()),
        });
        if self.first_delta.is_none() {
            self.first_delta = trip.first_delta.map(|first| self.running + first);
        }
        self.running += trip.took;
    }

    /// A request used this.
    pub(super) fn used(&mut self, usage: Option<&Usage>, cost: &Cost, estimated: bool) {
        if let Some(usage) = usage {
            self.tokens.get_or_insert_default().add(usage);
        }
        self.cost = Some(match &self.cost {
            Some(before) => before.plus(cost),
            None => cost.clone(),
        });
        self.estimated |= estimated;
    }

    /// A budget is nearly used up; said once.
    pub(super) fn warn(&mut self, warnings: Vec<String>) {
        for warning in warnings {
            if !self.warnings.contains(&warning) {
                self.warnings.push(warning);
            }
        }
    }

    /// How many requests there were.
    pub(super) fn requests(&self) -> usize {
        self.attempts.len()
    }

    /// The sums, for a result or a record.
    pub(super) fn spent(&self, model: &Model) -> Spent {
        Spent {
            endpoint: model.endpoint.clone(),
            model: model.id.clone(),
            tokens: self.tokens,
            price: self.price(),
            attempts: self.attempts.clone(),
            queued_ms: ms(self.queued),
            first_delta_ms: self.first_delta.map(ms),
            total_ms: ms(self.running),
        }
    }

    fn price(&self) -> Price {
        match &self.cost {
            Some(Cost::Known(amount) | Cost::Stated(amount)) => Price {
                usd: Some(amount.dollars()),
                unknown: None,
                estimated: self.estimated,
            },
            Some(Cost::Unknown(why)) => Price {
                usd: None,
                unknown: Some(why.clone()),
                estimated: self.estimated,
            },
            None => Price {
                usd: Some(Usd::ZERO.dollars()),
                ..Price::default()
            },
        }
    }
}

pub(super) fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
