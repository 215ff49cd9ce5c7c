//! The limits of time of one request. None of them is a total: a stream may last as long as
//! events come and the call's deadline lets it.

use crate::{
    fault::{Fault, FaultClass},
    provider::Timeouts,
};
use std::time::Duration;
use tokio::time::Instant;

/// Which limit fired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// `timeouts.connect_ms`.
    Connect,
    /// `timeouts.first_event_ms`.
    FirstEvent,
    /// `timeouts.idle_ms`.
    Idle,
    /// The call's own deadline: it says nothing about the endpoint.
    Deadline,
}

/// The limits, and where they stand.
#[derive(Debug, Clone, Copy)]
pub struct Clocks {
    times: Timeouts,
    deadline: Instant,
    /// The last event, or the request.
    since: Instant,
    any_event: bool,
}

impl Clocks {
    /// A request is sent now.
    #[must_use]
    pub fn start(times: Timeouts, deadline: Instant) -> Self {
        Self {
            times,
            deadline,
            since: Instant::now(),
            any_event: false,
        }
    }

    /// An event came. Bytes alone are none: comments keep connections alive, not answers.
    pub fn event(&mut self) {
        self.since = Instant::now();
        self.any_event = true;
    }

    fn running(&self) -> (Duration, Limit) {
        match self.any_event {
            false => (
                Duration::from_millis(self.times.first_event_ms),
                Limit::FirstEvent,
            ),
            true => (Duration::from_millis(self.times.idle_ms), Limit::Idle),
        }
    }

    /// Waits for something, but not longer than may be.
    ///
    /// # Errors
    /// [`FaultClass::Timeout`], whose words name the limit that fired.
    pub async fn within<T>(&self, what: impl Future<Output = T>) -> Result<T, (Fault, Limit)> {
        let (allowed, limit) = self.running();
        let by = (self.since + allowed).min(self.deadline);
        tokio::time::timeout_at(by, what).await.map_err(|_| {
            if by < self.deadline {
                self.fired(limit, allowed)
            } else {
                self.fired(Limit::Deadline, Duration::ZERO)
            }
        })
    }

    fn fired(&self, limit: Limit, allowed: Duration) -> (Fault, Limit) {
        let seconds = allowed.as_secs_f64();
        let said = match (limit, self.any_event) {
            (Limit::Connect | Limit::FirstEvent, _) => {
                format!("no event within {seconds} s (timeouts.first_event_ms)")
            }
            (Limit::Idle, _) => format!("no further event for {seconds} s (timeouts.idle_ms)"),
            (Limit::Deadline, false) => {
                "the call's deadline came before an answer began".to_owned()
            }
            (Limit::Deadline, true) => {
                "the call's deadline came in the middle of the answer".to_owned()
            }
        };
        (Fault::new(FaultClass::Timeout, said), limit)
    }
}
