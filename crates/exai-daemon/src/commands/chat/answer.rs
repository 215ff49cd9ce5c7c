//! An answer for a person or a program: the model's text to standard output, the rest beside it.

use super::verdict::Verdict;
use crate::{
    commands::call::{follow, live::Live},
    exit::Code,
    output::{self, Tone},
};
use anyhow::Result;
use exai_protocol::call::CallToolRes;
use serde::Deserialize;
use serde_json::{Value, json};

/// Where the answer's facts are.
const FACTS: &str = "exai/answer";

/// The same of an investigation.
const WORKFLOW: &str = "exai/workflow";

/// One block of a result.
#[derive(Deserialize)]
struct Block {
    #[serde(default)]
    text: String,
    #[serde(default, rename = "_meta")]
    meta: Value,
}

/// An answer that was shown.
pub(super) struct Told {
    /// The conversation it is part of, if it could be kept.
    pub(super) thread: Option<String>,
}

/// Shows an answer; returns what a conversation needs of it, if there was one.
pub(super) fn tell(
    result: &CallToolRes,
    mut live: Live,
    quiet: bool,
) -> Result<(Code, Option<Told>)> {
    let mut blocks = read(result).into_iter();
    let Some(first) = blocks.next().filter(|_| result.error.is_none()) else {
        live.pause()?;
        return Ok((follow::code(result.error.as_ref()), None));
    };
    live.finish(&first.text)?;
    let mut thread = None;
    for block in blocks {
        if let Some(facts) = block.meta.get(FACTS) {
            let id = facts["continuation_id"].as_str();
            thread = id.map(str::to_owned).or(thread);
        }
        if !quiet {
            let words = block.text.trim_start_matches("---\n");
            output::hint(output::paint(Tone::Quiet, output::tame(words)));
        }
    }
    Ok((follow::code(None), Some(Told { thread })))
}

/// What the model said, and then everything else.
fn read(result: &CallToolRes) -> Vec<Block> {
    let blocks = blocks(result);
    let [only] = blocks.as_slice() else {
        return blocks;
    };
    let apart = if only.meta.get(WORKFLOW).is_some() {
        verdict(only)
    } else {
        answer(only)
    };
    apart.unwrap_or(blocks)
}

/// An answer, and what was told beside it, as two blocks.
fn answer(block: &Block) -> Option<Vec<Block>> {
    let bytes = block.meta.get(FACTS)?.get("answer_bytes")?.as_u64()?;
    let (text, words) = block.text.split_at_checked(usize::try_from(bytes).ok()?)?;
    let said = |text: &str, meta| Block {
        text: text.to_owned(),
        meta,
    };
    let words = words.trim_start();
    Some(vec![
        said(text, Value::Null),
        said(words, block.meta.clone()),
    ])
}

/// The same with what stands beside it as a block of its own; for a program that is all of it.
fn verdict(block: &Block) -> Option<Vec<Block>> {
    let verdict = Verdict::of(&block.text)?;
    let whole: Value = serde_json::from_str(&block.text).ok()?;
    let facts = json!({ FACTS: whole });
    let said = |text, meta| Block { text, meta };
    Some(vec![
        said(verdict.text, Value::Null),
        said(verdict.words, facts),
    ])
}

/// What a model said, alone; `None` when none was asked, or it wants something first.
pub(in crate::commands) fn words(result: &CallToolRes) -> Option<String> {
    let first = blocks(result).into_iter().next()?;
    if first.meta.get(WORKFLOW).is_none() {
        return read(result).into_iter().next().map(|block| block.text);
    }
    let verdict = Verdict::of(&first.text)?;
    verdict.judged.then_some(verdict.text)
}

/// The same as one JSON object.
pub(super) fn tell_json(result: &CallToolRes) -> Result<Code> {
    let blocks = read(result);
    let facts = blocks.iter().find_map(|block| block.meta.get(FACTS));
    let parsed =
        |raw: &exai_protocol::RawValue| -> Option<Value> { serde_json::from_str(raw.get()).ok() };
    output::json(&json!({
        "request_id": result.request_id,
        "text": blocks.first().map(|block| &block.text),
        "answer": facts,
        "usage": result.usage.as_deref().and_then(parsed),
        "timing": result.timing,
        "error": result.error,
    }))?;
    Ok(follow::code(result.error.as_ref()))
}

fn blocks(result: &CallToolRes) -> Vec<Block> {
    let outputs = result.outputs.as_deref().map_or("[]", |raw| raw.get());
    serde_json::from_str(outputs).unwrap_or_default()
}

/// Nothing was sent, because it costs more than is spent unasked.
pub(super) fn wants_consent(result: &CallToolRes) -> bool {
    #[derive(Deserialize)]
    struct Facts {
        cause: String,
    }
    let facts = result
        .error
        .as_ref()
        .and_then(|error| error.metadata.as_deref());
    facts
        .and_then(|raw| serde_json::from_str::<Facts>(raw.get()).ok())
        .is_some_and(|facts| facts.cause == "confirm_cost")
}

#[cfg(test)]
mod tests {
    use super::*;
    use exai_protocol::{Code as WireCode, RawValue, WireError};

    #[test]
    fn only_a_price_asks_for_consent() {
        let failed = |facts: &str| {
            let mut error = WireError::new(WireCode::OverBudget, "x");
            error.metadata = RawValue::from_string(facts.to_owned()).ok();
            CallToolRes::failed("r".into(), error)
        };
        assert!(wants_consent(&failed(
            r#"{"cause":"confirm_cost","attempts":[]}"#
        )));
        assert!(!wants_consent(&failed(r#"{"cause":"over_budget"}"#)));
        assert!(!wants_consent(&failed("[]")));
    }
}
