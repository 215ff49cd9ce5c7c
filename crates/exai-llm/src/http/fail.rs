//! The library's errors in our classes. Its sentences name the address, which is ours, and
//! nest their causes, of which the innermost is the one that helps.

use crate::fault::{Fault, FaultClass};
use exai_protocol::Secret;
use std::{error::Error, time::Duration};

type Key = Option<(&'static str, &'static str, Secret)>;

/// Why no answer began.
#[derive(Debug, Clone)]
pub struct Lost {
    /// What happened.
    pub fault: Fault,
    /// The request may have been read: there was a connection.
    pub sent: bool,
    /// The connection's own limit of time fired.
    pub no_connection: bool,
}

impl From<Lost> for Fault {
    fn from(lost: Lost) -> Self {
        lost.fault
    }
}

/// What is wrong before anything is sent.
impl From<Fault> for Lost {
    fn from(fault: Fault) -> Self {
        Self {
            fault,
            sent: false,
            no_connection: false,
        }
    }
}

pub(super) fn of(error: reqwest::Error, connect: Duration, key: &Key) -> Lost {
    let error = error.without_url();
    let no_connection = error.is_connect() && error.is_timeout();
    let sent = !error.is_connect() && !error.is_builder();
    let fault = if no_connection {
        let seconds = connect.as_secs_f64();
        let said = format!("no connection within {seconds} s (timeouts.connect_ms)");
        Fault::new(FaultClass::Timeout, said)
    } else if error.is_connect() {
        Fault::new(FaultClass::Unreachable, chain(&error))
    } else if error.is_builder() {
        Fault::new(FaultClass::BadRequest, chain(&error))
    } else {
        // The connection broke before an answer began.
        let said = format!(
            "the connection broke before an answer began: {}",
            chain(&error)
        );
        Fault::new(class_of_a_break(&error), said)
    };
    Lost {
        fault: clean(fault, key),
        sent,
        no_connection,
    }
}

/// What is no HTTP at all was answered by somebody else than we think.
fn class_of_a_break(error: &reqwest::Error) -> FaultClass {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(inner) = cause {
        let text = inner.to_string();
        if text.contains("invalid HTTP") || text.contains("invalid header") {
            return FaultClass::Malformed;
        }
        cause = inner.source();
    }
    FaultClass::Unreachable
}

pub(super) fn clean(fault: Fault, key: &Key) -> Fault {
    match key {
        Some((_, _, key)) => fault.without(&[key.expose()]),
        None => fault,
    }
}

/// An error with its causes, each said once.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let more = inner.to_string();
        if !said.contains(&more) {
            said.push_str(": ");
            said.push_str(&more);
        }
        cause = inner.source();
    }
    said
}
