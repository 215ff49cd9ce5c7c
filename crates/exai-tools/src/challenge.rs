//! `challenge`: turns a statement into a task of examining it, for moments when agreeing is
//! the easy answer. No model is asked; the caller does the thinking.

use crate::{
    args::Args,
    kind::{self, Answer},
    spec::{self, Words},
};
use exai_engine::tool::{Tool, ToolCall, ToolOutput, ToolSpec};
use serde_json::json;
use std::sync::Arc;

const INSTRUCTIONS: &str = "Work through challenge_prompt before you answer, then give the \
     person your verdict and the reasons for it. Whoever made the statement, and how sure they \
     sounded, is no evidence.";

pub(crate) fn spec() -> ToolSpec {
    spec::instant(&Words {
        name: "challenge",
        title: "Challenge",
        description: "Use when a statement is questioned or sounds too agreeable: returns it \
             framed for critical examination, so that the answer rests on evidence.",
        schema: r#"{"type":"object","properties":{"prompt":{"type":"string","description":"The statement to examine, word for word."}},"required":["prompt"]}"#,
    })
}

pub(crate) fn tool() -> Arc<dyn Tool> {
    kind::from_memory(spec(), answer)
}

fn answer(call: &ToolCall) -> Answer {
    let args = Args::of(call)?;
    let statement = args.required_text("prompt")?;
    ToolOutput::json(&json!({
        "status": "challenge_accepted",
        "original_statement": statement,
        "challenge_prompt": frame(statement),
        "instructions": INSTRUCTIONS,
    }))
}

fn frame(statement: &str) -> String {
    format!(
        "Examine this statement as if you had to defend your verdict to an expert:\n\n\
         \"{statement}\"\n\n\
         1. Restate what exactly it claims, and what it takes for granted.\n\
         2. Look for what would make it false: a counter-example, a missing case, a wrong number, \
         a source that says otherwise. Check facts where you can.\n\
         3. Look for what supports it, by the same measure.\n\
         4. Say whether it is right, wrong, partly right or undecidable, how sure you are, and what \
         would change your mind.\n\n\
         Agree only if the evidence does; disagree only if the evidence does. Keep the verdict even \
         if it is not the welcome one."
    )
}
