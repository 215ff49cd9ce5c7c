//! How an endpoint is, for lists, choices and events.

use crate::{
    fault::Fault,
    limits::{
        breaker::Position,
        gate::Standing,
        learned::{Bucket, Learned},
    },
};
use exai_protocol::{UnixMillis, event::ProviderStatus};

/// How an endpoint is.
#[derive(Debug, Clone)]
pub struct EndpointHealth {
    /// Its breaker.
    pub breaker: Position,
    /// Why the breaker is not closed.
    pub cause: Option<Fault>,
    /// When a request may try, or when the provider's wish to wait is over.
    pub until: Option<UnixMillis>,
    /// Requests under way.
    pub in_flight: u32,
    /// How many there may be.
    pub concurrency: u32,
    /// How many there may be just now, after the provider said "too many".
    pub allowed: u32,
    /// Requests that wait.
    pub queued: usize,
    /// Requests left, as the provider told.
    pub requests: Option<Bucket>,
    /// Tokens left, as the provider told.
    pub tokens: Option<Bucket>,
}

impl EndpointHealth {
    pub(super) fn of(standing: Standing, now: UnixMillis) -> Self {
        let Learned { requests, tokens } = standing.learned;
        let ms = |wait: std::time::Duration| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        Self {
            breaker: standing.breaker,
            cause: standing.cause,
            until: standing
                .opens_in
                .map(|wait| UnixMillis(now.0.saturating_add(ms(wait)))),
            in_flight: standing.in_flight,
            concurrency: standing.concurrency,
            allowed: standing.allowed,
            queued: standing.queued,
            requests,
            tokens,
        }
    }

    /// Whether a request that is made now would be let through, or at least wait.
    #[must_use]
    pub fn is_open_to_requests(&self) -> bool {
        self.breaker != Position::Open
    }

    /// What is told of a change.
    #[must_use]
    pub fn told(&self, endpoint: &str) -> ProviderStatus {
        ProviderStatus {
            endpoint: endpoint.to_owned(),
            breaker: self.breaker.as_str().to_owned(),
            cause: self
                .cause
                .as_ref()
                .map(|fault| fault.class.as_str().to_owned()),
            detail: self.cause.as_ref().map(|fault| fault.detail.clone()),
            until: self.until.map(UnixMillis::as_secs_f64),
            in_flight: u64::from(self.in_flight),
            queued: self.queued as u64,
        }
    }
}
