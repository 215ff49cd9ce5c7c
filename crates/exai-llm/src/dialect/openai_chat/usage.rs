//! Usage, wherever a server puts it: beside the choices, in the choice (Kimi), under a name
//! of its own (Groq), with the thoughts counted in or beside the output (xAI).

use crate::{chat::Usage, dialect::json::count};
use serde_json::Value;

pub(super) fn find(event: &Value, choice: Option<&Value>) -> Option<Usage> {
    let usage = event
        .get("usage")
        .filter(|usage| usage.is_object())
        .or_else(|| choice?.get("usage").filter(|usage| usage.is_object()))
        .or_else(|| event.pointer("/x_groq/usage"))?;
    Some(read(usage))
}

fn read(usage: &Value) -> Usage {
    let under = |group: &str, field: &str| count(usage.get(group)?, field);
    let input = count(usage, "prompt_tokens");
    let written = count(usage, "completion_tokens");
    let reasoning = under("completion_tokens_details", "reasoning_tokens");
    let total = count(usage, "total_tokens");
    let output = match (input, written, reasoning, total) {
        (Some(input), Some(written), Some(thought), Some(total))
            if thought > 0 && total == input + written + thought =>
        {
            Some(written + thought)
        }
        _ => written,
    };
    let cost = usage
        .get("cost")
        .and_then(Value::as_f64)
        .filter(|cost| cost.is_finite() && *cost >= 0.0);
    Usage {
        input,
        cached: under("prompt_tokens_details", "cached_tokens")
            .or_else(|| count(usage, "cached_tokens"))
            .or_else(|| count(usage, "prompt_cache_hit_tokens")),
        cache_written: under("prompt_tokens_details", "cache_write_tokens"),
        output,
        reasoning,
        searches: under("server_tool_use", "web_search_requests")
            .or_else(|| count(usage, "num_server_side_tools_used")),
        stated_micros: cost.map(|cost| (cost * 1e6).round() as u64),
        timing: None,
    }
}
