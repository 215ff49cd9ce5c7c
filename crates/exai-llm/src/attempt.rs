//! One request and its stream: sent once, read to its end, within three limits of time and
//! the call's deadline. Dropping the future closes the connection's stream at once.

mod clocks;
mod read;

pub use clocks::{Clocks, Limit};
pub(crate) use read::{Sending, read};

use crate::{chat::Collector, fault::Fault, http::Headers};
use std::time::Duration;

/// How a request ended.
pub(crate) struct Ended {
    /// What was said, whole or up to the fault.
    pub(crate) said: Collector,
    /// The headers of the answer, if one began.
    pub(crate) headers: Headers,
    /// From the request to the first piece of text, thought or call.
    pub(crate) first_delta: Option<Duration>,
    pub(crate) took: Duration,
    /// A connection was there: the provider may have read the request, and may bill it.
    pub(crate) bytes_sent: bool,
    pub(crate) fault: Option<(Fault, Option<Limit>)>,
}

impl Ended {
    /// Nothing was sent.
    pub(crate) fn unsent(fault: Fault) -> Self {
        Self {
            said: Collector::default(),
            headers: Headers::new(),
            first_delta: None,
            took: Duration::ZERO,
            bytes_sent: false,
            fault: Some((fault, None)),
        }
    }
}
