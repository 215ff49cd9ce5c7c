//! Native web search, to each provider's contract where it is more than a field: Kimi wants
//! its own arguments back unchanged, GLM has parameters, a search door of its own, and models
//! that write the call into the text.

mod glm;
mod kimi;
#[cfg(test)]
mod tests;

pub(crate) use glm::glm_tool;
pub use glm::{GlmSearch, glm_answer, glm_search};
pub use kimi::{Echo, KIMI_SEARCH, MOST_ECHO_ROUNDS, echo};
pub(crate) use kimi::{found_tokens, kimi_tool};

use crate::chat::WebSearch;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// OpenRouter's plugin.
pub(crate) fn openrouter_plugins(wish: &WebSearch) -> Value {
    let mut plugin = json!({"id": "web"});
    if let Some(count) = wish.count {
        plugin["max_results"] = json!(count.clamp(1, 10));
    }
    if !wish.domains.is_empty() {
        plugin["include_domains"] = json!(wish.domains);
    }
    json!([plugin])
}

/// A cache key of bounded length that tells nothing of what it was made from.
pub(crate) fn short_key(key: &str) -> String {
    let digest = Sha256::digest(key.as_bytes());
    digest
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Gateways answer 400 to longer headers, and control characters end a header.
pub(crate) fn fits_header(value: &str) -> bool {
    value.len() <= 4096 && value.bytes().all(|byte| (0x20..0x7f).contains(&byte))
}
