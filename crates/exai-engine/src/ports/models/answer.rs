//! A model's answer with everything a result, a record and a person want to know of it.

use super::{Applied, AssistantTurn, DoneReason, SearchReport, Usage};
use serde::{Deserialize, Serialize};

/// An endpoint and a model of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Pin {
    /// The endpoint's name.
    pub endpoint: String,
    /// The model, as its provider names it.
    pub model: String,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Where it came from.
    pub endpoint: String,
    /// The model that answered, as sent.
    pub model: String,
    /// Why this one.
    pub chosen: String,
    /// What it said.
    pub turn: AssistantTurn,
    /// Why it stopped.
    pub reason: DoneReason,
    /// What became of the wish.
    pub applied: Applied,
    /// Whether a search ran, and what it found.
    pub search: SearchReport,
    /// The agent's own session, where it was an errand that can be gone on with.
    pub session: Option<String>,
    /// What it used and cost; also in the record.
    pub spent: Spent,
    /// Budgets that are nearly used up, a sentence each.
    pub warnings: Vec<String>,
}

/// What asking cost, in tokens, money and time, over all attempts. This is the `usage` of a
/// result and of its record.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Spent {
    /// Where the answer came from.
    pub endpoint: String,
    /// The model that gave it.
    pub model: String,
    /// As the provider counted, over all requests of this answer.
    pub tokens: Option<Usage>,
    /// What it cost.
    pub price: Price,
    /// Every request, the failed ones too.
    pub attempts: Vec<Attempt>,
    /// Waited for a place at the endpoint.
    pub queued_ms: u64,
    /// From the first request to the first piece of the answer.
    pub first_delta_ms: Option<u64>,
    /// From the first request to the end.
    pub total_ms: u64,
}

/// What something cost, or why nobody can say.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Price {
    /// US dollars.
    pub usd: Option<f64>,
    /// Why `usd` is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unknown: Option<String>,
    /// Counted by us, because the provider did not report.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub estimated: bool,
}

/// One request to a provider.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Attempt {
    /// Counts from one within the call.
    pub attempt: u32,
    /// Where it went.
    pub endpoint: String,
    /// The model, as sent.
    pub model: String,
    /// How long it took.
    pub took_ms: u64,
    /// What went wrong, a word (`rate_limited`, `timeout`, …); absent for the one that answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// The HTTP status, where there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The failure in words, without keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}
