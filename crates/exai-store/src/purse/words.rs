//! What people and models are told about money: the numbers, and the next step.

use crate::{
    budget::{OverBudget, Standing},
    error::StoreError,
    money::{Cost, MicroUsd},
    who::ModelCall,
};

/// A ceiling stands in the way.
pub(super) fn over(over: &OverBudget) -> String {
    let (standing, left) = (&over.standing, over.standing.left());
    let scope = standing.ceiling.scope;
    let asked = match &over.asked {
        Cost::Known(cost) => format!("may cost up to {cost}"),
        Cost::Unknown(why) => format!("has no known cost ({why})"),
    };
    format!(
        "over budget: {standing}; {left} are left, and this request {asked}. Nothing was sent. \
         Choose a cheaper model, send less or allow fewer output tokens, or raise {}",
        scope.setting()
    )
}

/// It costs more than is spent without asking.
pub(super) fn confirm(call: &ModelCall, cost: MicroUsd, limit: MicroUsd) -> String {
    let (model, endpoint) = (&call.model, &call.endpoint);
    format!(
        "not confirmed: asking '{model}' at '{endpoint}' may cost up to {cost}, and more than \
         {limit} (EXAI_CONFIRM_ABOVE) is not spent unasked. Nothing was sent. If that price is \
         wanted, send the call again with `confirm_cost: true` (command line: `--yes`); else \
         choose a cheaper model, send less or allow fewer output tokens"
    )
}

/// Nobody knows its price, and the owner wants no such models.
pub(super) fn unpriced(call: &ModelCall, why: &str) -> String {
    let (model, endpoint) = (&call.model, &call.endpoint);
    format!(
        "over budget: nobody knows what asking '{model}' at '{endpoint}' costs ({why}), and \
         EXAI_BUDGET_REFUSE_UNKNOWN forbids such requests. Nothing was sent. Give the model a \
         price in config/models.toml of the home, or choose another"
    )
}

/// A ceiling is nearly reached.
pub(super) fn nearly(standing: &Standing) -> String {
    format!(
        "budget: {standing}, this request included; {} are left",
        standing.left()
    )
}

/// There are budgets, and this counts to none of them.
pub(super) fn uncounted(call: &ModelCall, why: &str) -> String {
    format!(
        "the cost of '{}' is not known ({why}), so budgets do not count it",
        call.model
    )
}

/// Ceilings cannot be kept.
pub(super) fn unavailable(error: &StoreError) -> String {
    format!(
        "a budget is set and cannot be kept now, so nothing was sent: {error}. \
         `exai-daemon doctor` says more"
    )
}

/// No ceiling is set, so the request goes out.
pub(super) fn unpromised(error: &StoreError) -> String {
    format!("what this request uses may not be recorded: {error}")
}
