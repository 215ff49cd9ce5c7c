//! Refusals, and headers of any reply.

use super::{Content, Refusal, Reply};
use std::time::Duration;

impl Reply {
    #[track_caller]
    fn refusal(mut self, change: impl FnOnce(&mut Refusal)) -> Self {
        match &mut self.content {
            Content::Refusal(refusal) => change(refusal),
            other => panic!("only Reply::status refuses, not {other:?}"),
        }
        self
    }

    /// What the error body says.
    #[must_use]
    pub fn message(self, message: &str) -> Self {
        self.refusal(|refusal| refusal.message = Some(message.to_owned()))
    }

    /// The code in the error body (`insufficient_quota`, …).
    #[must_use]
    pub fn code(self, code: &str) -> Self {
        self.refusal(|refusal| refusal.code = Some(code.to_owned()))
    }

    /// Google's `retryDelay`, such as `17s`.
    #[must_use]
    pub fn retry_delay(self, delay: &str) -> Self {
        self.refusal(|refusal| refusal.retry_delay = Some(delay.to_owned()))
    }

    /// `Retry-After` in seconds.
    #[must_use]
    pub fn retry_after(self, seconds: u64) -> Self {
        self.header("retry-after", &seconds.to_string())
    }

    /// `Retry-After` as a date, so long after the answer.
    #[must_use]
    pub fn retry_after_date(mut self, from_then: Duration) -> Self {
        self.retry_date = Some(from_then);
        self
    }

    /// One more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Another status, with the same content.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }
}
