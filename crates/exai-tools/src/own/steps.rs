//! A tool with steps: the caller does what each says and sends what it found; after the last one
//! the model is asked, with all of it. Its steps are those of every investigation
//! ([`crate::workflow`]); here they are read by the owner's schema.

use super::{Definition, Files, Own, fields};
use crate::{
    args::Args,
    workflow::{Sent, Written, WrittenTool},
};
use exai_engine::{
    ports::models::{Category, Effort},
    tool::{ToolCall, ToolError, ToolOutput},
};
use serde_json::{Map, Value};

/// The steps of a definition; `None` where the model is asked at once.
pub(super) fn of(
    definition: &Definition,
    name: &'static str,
    (category, effort): (Category, Option<Effort>),
) -> Option<WrittenTool> {
    if definition.steps.is_empty() {
        return None;
    }
    Some(WrittenTool::new(Written {
        name,
        steps: definition.steps.clone(),
        persona: definition.persona.clone(),
        model: definition.model.clone(),
        category,
        effort,
        files: (
            definition.files != Files::None,
            definition.files == Files::Required,
        ),
    }))
}

/// Takes the step that a call is.
pub(super) async fn take(
    own: &Own,
    steps: &WrittenTool,
    call: &ToolCall,
    args: Args,
    given: Map<String, Value>,
) -> Result<ToolOutput, ToolError> {
    let files = match own.definition.files {
        Files::None => Vec::new(),
        _ => args.texts("files")?,
    };
    let sent = Sent {
        question: fields::filled(&own.definition, &given),
        number: number(own, &args)?,
        fields: given,
        files,
    };
    let ports = (&*own.ports.models, &*own.ports.threads);
    steps.step(ports, call, args, sent).await
}

/// The first step asks for what is to be done; the one after the last asks the model.
fn number(own: &Own, args: &Args) -> Result<u32, ToolError> {
    let most = own.definition.steps.len() as u64 + 1;
    let number = args.number("step_number", 1, 1..=most)?;
    // An empty text says that nothing was found.
    if number > 1 && !args.has("findings") {
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
    Ok(u32::try_from(number).unwrap_or(u32::MAX))
}
