//! How an ask that failed is told: the fault in words with the next step, and as facts every
//! request that was made, so that the record names endpoint, model, attempt and cause.

use super::tally::Tally;
use crate::{
    choice::Candidate,
    dialect::Dialect,
    endpoint::Live,
    fault::{Fault, FaultClass, Place},
};
use exai_engine::{
    ports::{models::Spent, purse::Refusal},
    tool::ToolError,
};
use exai_protocol::{Code, RawValue};
use serde::Serialize;
use std::sync::Arc;

#[derive(Serialize)]
struct Facts<'a> {
    cause: &'a str,
    #[serde(flatten)]
    spent: Spent,
    /// Characters of the answer that came before it broke off.
    #[serde(skip_serializing_if = "Option::is_none")]
    received_chars: Option<usize>,
}

/// A provider's failure.
pub(super) fn fault(
    live: &Live,
    candidate: &Candidate,
    fault: &Fault,
    received: usize,
    tally: &Tally,
) -> ToolError {
    let key_from = live.resolved().key_from();
    let place = Place {
        endpoint: &candidate.model.endpoint,
        model: &candidate.model.id,
        key_from: &key_from,
    };
    let told = fault.tell(&place);
    let mut message = told.message;
    if received > 0 {
        message.push_str(&format!(
            " {received} characters of the answer had come before it broke off."
        ));
    }
    let resolved = live.resolved();
    let no_responses = fault.class == FaultClass::NotFound
        && resolved.endpoint.dialect == Dialect::OpenaiResponses
        && resolved.base_url_from.is_some();
    if no_responses {
        let model = &candidate.model.id;
        message.push_str(&format!(
            " If that server speaks chat completions only, ask '{model}@openai-chat'."
        ));
    }
    let requests = tally.requests();
    if requests > 1 {
        message.push_str(&format!(" {requests} requests were made."));
    }
    let mut error = ToolError::new(told.code, message);
    error.retry_after = told.retry_after;
    error.metadata = facts(fault.class.as_str(), candidate, received, tally);
    error
}

/// The purse's no: nothing was sent for it.
pub(super) fn refusal(candidate: &Candidate, refusal: &Refusal, tally: &Tally) -> ToolError {
    let (code, cause) = match refusal {
        Refusal::OverBudget(_) => (Code::OverBudget, "over_budget"),
        Refusal::Confirm(_) => (Code::OverBudget, "confirm_cost"),
        Refusal::Unavailable(_) => (Code::Unavailable, "budget_unavailable"),
    };
    let mut error = ToolError::new(code, refusal.to_string());
    error.metadata = facts(cause, candidate, 0, tally);
    error
}

fn facts(
    cause: &str,
    candidate: &Candidate,
    received: usize,
    tally: &Tally,
) -> Option<Arc<RawValue>> {
    let facts = Facts {
        cause,
        spent: tally.spent(&candidate.model),
        received_chars: (received > 0).then_some(received),
    };
    let json = serde_json::to_string(&facts).ok()?;
    RawValue::from_string(json).ok().map(Arc::from)
}

/// Whether another model of the chain may succeed where this one failed.
pub(super) fn worth_another(class: FaultClass) -> bool {
    class.blames_endpoint()
        || matches!(
            class,
            FaultClass::NotFound | FaultClass::Forbidden | FaultClass::NotInstalled
        )
}
