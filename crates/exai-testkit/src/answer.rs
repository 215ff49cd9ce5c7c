//! A model's answer alone, out of a result that tells more.

use serde_json::Value;

/// What the model said, as a frame's or an MCP result's facts say where it ends.
///
/// # Panics
/// When there is no such answer.
#[must_use]
pub fn answer(result: &Value) -> &str {
    let block = [&result["content"][0], &result["outputs"][0]]
        .into_iter()
        .find(|block| block.is_object());
    let end = block.and_then(|block| block["_meta"]["exai/answer"]["answer_bytes"].as_u64());
    let text = block.and_then(|block| block["text"].as_str());
    let cut = end
        .zip(text)
        .and_then(|(end, text)| text.get(..usize::try_from(end).ok()?));
    cut.unwrap_or_else(|| panic!("no answer: {result}"))
}
