//! What a result says about search: whether it was wanted, asked for, and really ran. A model
//! that was given the tool and did not use it has not searched, whatever its text claims.

use super::{Applied, CallKind, ChatRequest, Collector, Source};
use serde::{Deserialize, Serialize};

/// Search, in a result.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchReport {
    /// The caller wanted it.
    pub requested: bool,
    /// The provider was asked to be able to.
    pub offered: bool,
    /// A search ran.
    pub ran: bool,
    /// What was looked for, as far as the provider says.
    pub queries: Vec<String>,
    /// What was found, as far as the provider says.
    pub sources: Vec<Source>,
    /// The model wrote a search into its text that nobody ran.
    pub only_written: bool,
}

impl SearchReport {
    /// From everything one answer took.
    #[must_use]
    pub fn of(request: &ChatRequest, applied: &Applied, answer: &Collector) -> Self {
        let searched = answer.searched.clone().unwrap_or_default();
        let billed = answer.usage.and_then(|usage| usage.searches).unwrap_or(0);
        let ran = answer.searched.is_some() || billed > 0;
        let written = answer
            .turn
            .tool_calls
            .iter()
            .any(|call| call.kind == CallKind::Textual && call.name == "web_search");
        Self {
            requested: request.search.is_some(),
            offered: applied.search,
            ran,
            queries: searched.queries,
            sources: searched.sources,
            only_written: written && !ran,
        }
    }
}
