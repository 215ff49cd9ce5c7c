//! The words for a call whose daemon died while it ran: what is known, and that nobody knows
//! the rest.

use crate::ports::ledger::Interrupted;
use exai_protocol::{Code, RawValue, UnixMillis, WireError, error::Ran};
use serde_json::json;

pub(super) fn error(tool: &str, evidence: &Interrupted, now: UnixMillis) -> WireError {
    let ago = |at: UnixMillis| format!("{} s ago", now.0.saturating_sub(at.0) / 1000);
    let often = match evidence.runs {
        0 | 1 => String::new(),
        runs => format!(" for the {runs}. time"),
    };
    let started = evidence
        .started_at
        .map(|at| format!("{often} (started {})", ago(at)))
        .unwrap_or_default();
    let said = match &evidence.said {
        Some((at, stage, words)) => format!(" The last it said, {}: {stage}: {words}.", ago(*at)),
        None => " It had said nothing that was kept.".to_owned(),
    };
    let requests = match evidence.requests.as_slice() {
        [] => String::new(),
        some => format!(" Under way to providers: {}.", some.join(", ")),
    };
    let message = format!(
        "The exai daemon died while {tool} was running{started}; whether it took effect is not \
         known, and it was not run again.{said}{requests} Check its effects before you run it again."
    );
    let mut error = WireError::new(Code::OutcomeUnknown, message).ran(Ran::Unknown);
    let last = evidence.said.as_ref();
    let facts = json!({
        "known": "started",
        "runs": evidence.runs,
        "started_at": evidence.started_at.map(UnixMillis::as_secs_f64),
        "last_progress": last.map(|(at, stage, words)| {
            json!({"at": at.as_secs_f64(), "stage": stage, "message": words})
        }),
        "provider_requests": evidence.requests,
    });
    error.metadata = RawValue::from_string(facts.to_string()).ok();
    error
}
