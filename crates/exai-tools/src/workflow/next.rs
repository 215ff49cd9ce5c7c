//! The next call, ready to be sent as it stands: with the conversation's id and everything the
//! tool wants to know. What the caller found out goes into it first.

use super::{kind::Kind, place::Place, step::Step};
use serde_json::{Map, Value, json};

/// The step after this one, which may be the last.
pub(super) fn step(kind: &Kind, place: &Place, step: &Step, last: bool) -> Value {
    let number = step.number.max(place.all.last_number()) + 1;
    let total = if last { number } else { step.total.max(number) };
    let mut arguments = base(place, number, total);
    arguments.insert(
        "step".to_owned(),
        json!(format!("Step {number} of {total}: ")),
    );
    arguments.insert("next_step_required".to_owned(), json!(number < total));
    arguments.insert("findings".to_owned(), json!(""));
    call(kind, place, arguments)
}

/// A step's words without the heading that [`step`] puts there for the caller to go on from.
pub(super) fn without_heading(words: &str) -> &str {
    let heading = words.split_once(':').filter(|(heading, _)| {
        let numbers = heading.strip_prefix("Step ");
        let numbers = numbers.and_then(|numbers| numbers.split_once(" of "));
        let is_number = |text: &str| text.parse::<u32>().is_ok();
        numbers.is_some_and(|(number, total)| is_number(number) && is_number(total))
    });
    heading.map_or(words, |(_, words)| words).trim()
}

/// This step once more, with what was missing.
pub(super) fn again(kind: &Kind, place: &Place, step: &Step, more: Map<String, Value>) -> Value {
    let mut arguments = base(place, step.number, step.total);
    arguments.insert("step".to_owned(), json!(step.text));
    arguments.insert("next_step_required".to_owned(), json!(step.more));
    arguments.insert("findings".to_owned(), json!(step.findings));
    if step.number == 1 {
        // Step 1 would begin anew.
        arguments.insert("is_step_revision".to_owned(), json!(true));
    }
    // They count as long as the step does, and it is about to be replaced.
    for (field, values) in [
        ("files_checked", &step.files_checked),
        (kind.files_field(), &step.relevant_files),
        ("relevant_context", &step.relevant_context),
        ("images", &step.images),
    ] {
        if !values.is_empty() {
            arguments.insert(field.to_owned(), json!(values));
        }
    }
    if !step.issues.is_empty() {
        arguments.insert("issues_found".to_owned(), json!(step.issues));
    }
    for (field, value) in [
        ("confidence", &step.confidence),
        ("hypothesis", &step.hypothesis),
    ] {
        if let Some(value) = value {
            arguments.insert(field.to_owned(), json!(value));
        }
    }
    let mut whole = call(kind, place, arguments);
    if let Some(Value::Object(arguments)) = whole.get_mut("arguments") {
        arguments.extend(more);
    }
    whole
}

fn base(place: &Place, number: u32, total: u32) -> Map<String, Value> {
    let mut arguments = Map::new();
    arguments.insert("step".to_owned(), Value::Null);
    arguments.insert("step_number".to_owned(), json!(number));
    arguments.insert("total_steps".to_owned(), json!(total));
    arguments.insert("continuation_id".to_owned(), json!(place.next_id()));
    if let Some(branch) = &place.all.branch {
        arguments.insert("branch_id".to_owned(), json!(branch));
    }
    arguments
}

fn call(kind: &Kind, place: &Place, mut arguments: Map<String, Value>) -> Value {
    if kind.written.is_some() {
        // Its schema has none of them.
        for field in ["step", "total_steps", "next_step_required"] {
            arguments.remove(field);
        }
    }
    for (field, value) in place.all.own().into_iter().chain(place.all.wishes()) {
        arguments.entry(field).or_insert(value);
    }
    json!({ "tool": kind.name, "arguments": arguments })
}
