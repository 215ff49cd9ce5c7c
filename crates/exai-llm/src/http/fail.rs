//! The library's errors in our classes. Its sentences name the address, which is ours, and
//! nest their causes, of which the innermost is the one that helps.

use crate::fault::{Fault, FaultClass};
use exai_protocol::Secret;
use std::{error::Error, time::Duration};

type Key = Option<(&'static str, &'static str, Secret)>;

pub(super) fn of(error: reqwest::Error, connect: Duration, key: &Key) -> Fault {
    let error = error.without_url();
    let fault = if error.is_connect() && error.is_timeout() {
        no_connection(connect)
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
    clean(fault, key)
}

/// The connection's own limit of time.
pub(crate) fn no_connection(limit: Duration) -> Fault {
    let said = format!(
        "no connection within {} s (timeouts.connect_ms)",
        limit.as_secs_f64()
    );
    Fault::new(FaultClass::Timeout, said)
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
