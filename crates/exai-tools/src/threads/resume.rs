//! Going on with a conversation whose words are gone from the caller's memory: what was said
//! last, where it stands, and the call that goes on with it.

use super::lines;
use exai_engine::{
    ports::threads::{Thread, Turn},
    tool::ToolError,
};
use serde_json::{Map, Value, json};

/// All of it in one text.
pub(super) fn resume(thread: &Thread) -> Result<String, ToolError> {
    let shown = lines::show(thread, 0)?;
    let (stands, call) = match thread.turns.last() {
        Some(turn) => under_way(thread, turn).unwrap_or_else(|| with_words(thread, turn)),
        None => (String::new(), words(thread, "chat")),
    };
    Ok(format!("{shown}\n\n{stands}To go on, send\n{call}"))
}

/// An investigation in steps that is not over.
fn under_way(thread: &Thread, turn: &Turn) -> Option<(String, Value)> {
    let state = turn.said.state.as_ref()?.get("workflow")?;
    let status = state
        .get("status")?
        .as_str()
        .filter(|word| *word != "done")?;
    let number = |field: &str| state.get(field).and_then(Value::as_u64);
    let (at, total) = (number("number")?, number("total")?);
    let tool = &turn.said.tool;
    let mut arguments = Map::from_iter([("continuation_id".to_owned(), json!(thread.id))]);
    let mut put = |field: &str, value: Value| {
        arguments.insert(field.to_owned(), value);
    };
    if status == "working" {
        let (next, total) = (at + 1, total.max(at + 1));
        put("step", json!(format!("Step {next} of {total}: ")));
        put("step_number", json!(next));
        put("total_steps", json!(total));
        put("next_step_required", json!(next < total));
        put("findings", json!(""));
    } else {
        // It waits for something: the same step again, with that in it.
        put("step", json!(turn.said.question));
        put("step_number", json!(at));
        put("total_steps", json!(total));
        put("next_step_required", state.get("more")?.clone());
        put(
            "findings",
            json!(turn.said.findings.clone().unwrap_or_default()),
        );
        put("is_step_revision", json!(true));
        if let Some(files) = state.get("relevant_files") {
            put("relevant_files", files.clone());
        }
    }
    for more in ["own", "wishes"] {
        let fields = state.get(more).and_then(Value::as_object);
        for (field, value) in fields.into_iter().flatten() {
            put(field, value.clone());
        }
    }
    let stands = format!(
        "`{tool}` is at step {at} of {total}: {status}. `chat` with this continuation_id asks a \
         model about it.\n"
    );
    Some((stands, json!({ "tool": tool, "arguments": arguments })))
}

/// What ended is gone on with in words.
fn with_words(thread: &Thread, turn: &Turn) -> (String, Value) {
    let tool = match turn.said.tool.as_str() {
        tool @ ("clink" | "consensus") => tool,
        _ => "chat",
    };
    (String::new(), words(thread, tool))
}

fn words(thread: &Thread, tool: &str) -> Value {
    json!({ "tool": tool, "arguments": { "continuation_id": thread.id, "prompt": "" } })
}
