//! From a definition's schema to the fields of a call and into its prompt.

use super::{Definition, Files};
use crate::workflow::ORDER;
use exai_engine::tool::{ToolCall, ToolError};
use serde_json::{Map, Value, json};
use std::fmt::Write as _;

/// Fields that every such tool understands, and no definition may take.
const OURS: [&str; 5] = [
    "continuation_id",
    "files",
    "model",
    "step_number",
    "findings",
];

/// The definition's own fields and ours.
pub(super) fn schema(definition: &Definition) -> Result<Value, String> {
    let mut schema = definition.input.clone();
    let Some(properties) = schema["properties"].as_object_mut() else {
        return Err("'input': it has no properties".to_owned());
    };
    let orders: &[&str] = match definition.steps.is_empty() {
        true => &[],
        false => &ORDER,
    };
    let mut ours = OURS.iter().chain(orders);
    if let Some(taken) = ours.find(|name| properties.contains_key(**name)) {
        return Err(format!(
            "'input': the field '{taken}' is there for every tool; leave it out"
        ));
    }
    let mut put = |name: &str, value: Value| {
        properties.insert(name.to_owned(), value);
    };
    if definition.files != Files::None {
        let list = json!({ "type": "array", "items": { "type": "string" } });
        put("files", list);
    }
    if !definition.steps.is_empty() {
        put("step_number", json!({ "type": "integer", "minimum": 1 }));
        put("findings", json!({ "type": "string" }));
    }
    put("continuation_id", json!({ "type": "string" }));
    put("model", json!({ "type": "string" }));
    Ok(schema)
}

/// Those that the definition names, and those that say where a step stands.
pub(super) fn names(definition: &Definition) -> Vec<&str> {
    let own = definition.input["properties"].as_object();
    let own = own.into_iter().flat_map(Map::keys).map(String::as_str);
    own.chain(["step", "total_steps", "next_step_required"])
        .collect()
}

/// The fields of a call, held to the schema's required ones and types.
pub(super) fn given(
    definition: &Definition,
    call: &ToolCall,
) -> Result<Map<String, Value>, ToolError> {
    let sent: Map<String, Value> = call.decode()?;
    let required = definition.input["required"]
        .as_array()
        .into_iter()
        .flatten();
    for name in required.filter_map(Value::as_str) {
        if sent.get(name).is_none_or(Value::is_null) {
            return Err(ToolError::invalid(format!(
                "'{name}' is missing; see the tool's inputSchema"
            )));
        }
    }
    let Some(properties) = definition.input["properties"].as_object() else {
        return Ok(Map::new());
    };
    let mut given = Map::new();
    for (name, field) in properties {
        let Some(value) = sent.get(name).filter(|value| !value.is_null()) else {
            continue;
        };
        if let Some(kind) = field["type"].as_str().filter(|kind| !is_a(value, kind)) {
            return Err(ToolError::invalid(format!(
                "'{name}' must be of type {kind}; got {value}"
            )));
        }
        if let Some(words) = field["enum"]
            .as_array()
            .filter(|words| !words.contains(value))
        {
            let words = Value::from(words.clone());
            return Err(ToolError::invalid(format!(
                "'{name}' must be one of {words}; got {value}"
            )));
        }
        given.insert(name.clone(), value.clone());
    }
    Ok(given)
}

fn is_a(value: &Value, kind: &str) -> bool {
    match kind {
        "string" => value.is_string(),
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => true,
    }
}

/// The prompt with its fields in their places, and those it does not name after it. What a field
/// holds is never looked into again, so that it cannot name another.
pub(super) fn filled(definition: &Definition, given: &Map<String, Value>) -> String {
    let mut text = String::new();
    let mut named = Vec::new();
    let mut rest = definition.prompt.as_str();
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((field, after)) = after.split_once("}}") else {
            break;
        };
        text.push_str(before);
        text.push_str(&given.get(field.trim()).map(words).unwrap_or_default());
        named.push(field.trim());
        rest = after;
    }
    text.push_str(rest);
    for (name, value) in given {
        if !named.contains(&name.as_str()) {
            let _ = write!(text, "\n\n{name}: {}", words(value));
        }
    }
    text
}

fn words(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
