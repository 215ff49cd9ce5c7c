//! A tool with steps: the caller does what each says and sends what it found; after the last one
//! the model is asked, with all of it. What was found is in the conversation, nowhere else.

use super::Own;
use crate::args::Args;
use exai_engine::{
    ports::threads::{Open, Said},
    tool::{ToolError, ToolOutput},
};
use serde_json::{Map, Value, json};

/// Where a call stands.
pub(super) struct At {
    number: usize,
    steps: usize,
    findings: Option<String>,
}

/// The first step asks for what is to be done; the one after the last asks the model.
pub(super) fn at(own: &Own, args: &Args) -> Result<At, ToolError> {
    let steps = own.definition.steps.len();
    let most = steps as u64 + 1;
    let number = args.number("step_number", 1, 1..=most)?;
    // An empty text says that nothing was found.
    let findings = args.text("findings")?;
    if number > 1 && findings.is_none() {
        return Err(ToolError::invalid(format!(
            "'findings' is missing; step {number} of {most} is what was found in the one before"
        )));
    }
    if number > 1
        && args
            .text("continuation_id")?
            .is_none_or(|id| id.trim().is_empty())
    {
        return Err(ToolError::invalid(
            "'continuation_id' is missing; it stands in the answer to the step before",
        ));
    }
    Ok(At {
        number: usize::try_from(number).unwrap_or(usize::MAX),
        steps,
        findings: findings
            .filter(|text| !text.trim().is_empty())
            .map(str::to_owned),
    })
}

impl At {
    /// The model's turn.
    pub(super) fn is_last(&self) -> bool {
        self.number > self.steps
    }

    /// Those of this call; earlier ones are turns of the conversation.
    pub(super) fn with_findings(&self, prompt: String) -> String {
        match &self.findings {
            Some(findings) => format!("{prompt}\n\nFound out last:\n{findings}"),
            None => prompt,
        }
    }
}

/// Keeps a step, and says what is to be done now, in the form of all tools with steps. The next
/// call can be sent as it stands: it holds all that this one was given.
pub(super) async fn keep(
    own: &Own,
    open: &Open,
    at: &At,
    prompt: &str,
    given: Map<String, Value>,
) -> Result<ToolOutput, ToolError> {
    let said = Said {
        tool: own.name.to_owned(),
        question: prompt.to_owned(),
        findings: at.findings.clone(),
        ..Said::default()
    };
    let turn = own.ports.threads.append(open, said).await?;
    let actions = own.definition.steps.get(at.number - 1);
    let mut arguments = given;
    arguments.insert("step_number".to_owned(), json!(at.number + 1));
    arguments.insert("continuation_id".to_owned(), json!(&*open.id));
    arguments.insert("findings".to_owned(), json!(""));
    ToolOutput::json(&json!({
        "status": "working",
        "tool": own.name,
        "step": at.number,
        "step_number": at.number,
        "total_steps": at.steps + 1,
        "next_step_required": true,
        "continuation_id": &*open.id,
        "turn": turn,
        "expert": { "ran": false, "model": null, "status": "not_yet", "usage": null },
        "required_actions": Vec::from_iter(actions),
        "next_steps": "Do what 'required_actions' says first, yourself and with your own tools; \
             then send 'next_call' with what you found in 'findings'.",
        "next_call": { "tool": own.name, "arguments": arguments },
    }))
}
