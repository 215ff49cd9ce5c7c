//! When things happen.

use super::Reply;
use crate::provider::{
    Stall,
    act::{Act, At},
};
use std::time::Duration;

impl Reply {
    /// So long until the first event, after the headers.
    #[must_use]
    pub fn after(mut self, time: Duration) -> Self {
        self.pace.first = time;
        self
    }

    /// So long before every piece but the first. Moments are kept, not added up: a hundred
    /// pieces take a hundred times as long, whatever the system does in between.
    #[must_use]
    pub fn every(mut self, time: Duration) -> Self {
        self.pace.every = time;
        self
    }

    /// The head comes one byte at a time.
    #[must_use]
    pub fn slow_headers(mut self, each: Duration) -> Self {
        self.pace.headers = Some(each);
        self
    }

    /// Every silence of a stream is filled with comments (SSE) or empty lines (NDJSON).
    #[must_use]
    pub fn keep_alive(mut self, each: Duration) -> Self {
        self.pace.keep_alive = Some(each);
        self
    }

    /// Nothing happens for a time: a `Duration`, a [`crate::provider::Gate`], or [`Stall::Forever`].
    #[must_use]
    pub fn stall(mut self, at: At, stall: impl Into<Stall>) -> Self {
        self.acts.push((at, Act::Stall(stall.into())));
        self
    }
}
