//! Prompts: one for each tool a client may call, and `continue`. Each is a task for the model
//! that reads it: which tool to call and with what, in words that hold where the tool is not in
//! its list too.

use super::{Reader, invalid, page, properties, text};
use exai_engine::surface::INVOKE;
use exai_protocol::{RawValue, control::McpError, tool::ToolEntry};
use serde_json::{Map, Value, json};
use std::fmt::Write as _;

/// Goes on with a conversation.
const CONTINUE: &str = "continue";
/// What the model fills in by itself as it works, and no person types.
const BY_MODEL: [&str; 6] = [
    "step_number",
    "total_steps",
    "next_step_required",
    "findings",
    "confirm_cost",
    "num_files_documented",
];
/// What a person may want to say of any tool.
const BY_PERSON: [&str; 11] = [
    "arguments",
    "model",
    "files",
    "relevant_files",
    "images",
    "continuation_id",
    "path",
    "compare_to",
    "focus_on",
    "agent",
    "query",
];

/// Every client's shim has this tool, and adds it to the daemon's list by itself.
fn of_the_shim() -> Option<ToolEntry> {
    let schema =
        r#"{"type":"object","required":["handle"],"properties":{"handle":{"type":"string"}}}"#;
    Some(ToolEntry {
        name: "exai_continue".to_owned(),
        description: "Takes up a call that is still at work, or reads on in a long answer."
            .to_owned(),
        input_schema: RawValue::from_string(schema.to_owned()).ok()?,
        title: None,
        annotations: None,
        meta: None,
    })
}

/// All that a model behind this client can call.
pub(super) fn tools(reader: &dyn Reader) -> Vec<(ToolEntry, bool)> {
    let mut tools = reader.tools();
    tools.extend(of_the_shim().map(|entry| (entry, true)));
    tools
}

/// What a person may give with a prompt.
pub(super) fn arguments(entry: &ToolEntry) -> Vec<(String, Value, bool)> {
    let mut all = properties(entry);
    all.retain(|(name, property, needed)| {
        let kind = property["type"].as_str().unwrap_or_default();
        let typed = matches!(
            kind,
            "string" | "integer" | "number" | "boolean" | "array" | "object"
        );
        let known = BY_PERSON.contains(&name.as_str());
        let wanted = *needed || known || property.get("enum").is_some();
        typed && wanted && !BY_MODEL.contains(&name.as_str())
    });
    all
}

pub(super) fn list(reader: &dyn Reader) -> Value {
    let tools = tools(reader);
    let mut prompts: Vec<Value> = tools.iter().map(|(entry, _)| prompt(entry)).collect();
    if chats(&tools) {
        prompts.push(json!({
            "name": CONTINUE,
            "description": "Goes on with an earlier conversation, or with the last one of this \
                            project.",
            "arguments": [
                { "name": "prompt", "description": "What to ask next." },
                { "name": "continuation_id", "description": "Which one." },
            ],
        }));
    }
    prompts.sort_by(|a, b| a["name"].as_str().cmp(&b["name"].as_str()));
    page("prompts", prompts)
}

fn chats(tools: &[(ToolEntry, bool)]) -> bool {
    tools.iter().any(|(entry, _)| entry.name == "chat")
}

fn prompt(entry: &ToolEntry) -> Value {
    let arguments = arguments(entry)
        .into_iter()
        .map(|(name, property, needed)| {
            let mut argument = json!({ "name": name });
            // Absent means no, and a menu of many is read by programs that count bytes.
            if needed {
                argument["required"] = json!(true);
            }
            if let Some(description) = description(&property) {
                argument["description"] = json!(description);
            }
            argument
        });
    let mut prompt = json!({
        "name": entry.name,
        "description": in_short(&entry.description),
    });
    let arguments: Vec<Value> = arguments.collect();
    if !arguments.is_empty() {
        prompt["arguments"] = json!(arguments);
    }
    // No title: people type the name, and the description says the rest.
    prompt
}

fn description(property: &Value) -> Option<String> {
    let said = property["description"].as_str().map(str::to_owned);
    let words = property["enum"].as_array().map(|words| {
        let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
        words.join(", ")
    });
    said.or(words)
}

/// The first sentence, as far as it is one thought: a menu has no room for more.
fn in_short(text: &str) -> &str {
    let sentence = text.find(". ").map_or(text, |at| &text[..=at]);
    sentence.split("; ").next().unwrap_or(sentence)
}

pub(super) fn get(reader: &dyn Reader, params: &Value) -> Result<Value, McpError> {
    let name = text(params, "name")?;
    let none = Map::new();
    let given = match params.get("arguments") {
        None | Some(Value::Null) => &none,
        Some(Value::Object(given)) => given,
        Some(_) => return Err(invalid("params.arguments must be an object of strings")),
    };
    let tools = tools(reader);
    let words = if name == CONTINUE && chats(&tools) {
        go_on(given)
    } else {
        let found = tools.iter().find(|(entry, _)| entry.name == name);
        let (entry, listed) = found.ok_or_else(|| {
            invalid(format!(
                "there is no prompt '{name}'; prompts/list names all of them"
            ))
        })?;
        task(entry, *listed, given)?
    };
    Ok(json!({
        "messages": [{ "role": "user", "content": { "type": "text", "text": words } }],
    }))
}

fn said<'a>(given: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    let text = given.get(name)?.as_str()?.trim();
    (!text.is_empty()).then_some(text)
}

fn task(entry: &ToolEntry, listed: bool, given: &Map<String, Value>) -> Result<String, McpError> {
    let name = &entry.name;
    let mut words = format!("Call the exai tool `{name}`.");
    if !listed && name != INVOKE {
        let _ = write!(
            words,
            " If it is not in your list, call `{INVOKE}` with its name and its arguments."
        );
    }
    let mut lines = String::new();
    for (argument, property, needed) in arguments(entry) {
        match said(given, &argument) {
            Some(text) => {
                let many = match property["type"].as_str() {
                    Some("array") => " (a list)",
                    Some("object") => " (an object)",
                    _ => "",
                };
                let _ = write!(lines, "\n- `{argument}`{many}: {text}");
            }
            None if needed => {
                return Err(invalid(format!(
                    "the prompt '{name}' needs the argument '{argument}'"
                )));
            }
            None => {}
        }
    }
    if !lines.is_empty() {
        let _ = write!(words, " Its arguments, as the user gave them:{lines}");
    }
    let in_steps = properties(entry)
        .iter()
        .any(|(property, _, _)| property == "step_number");
    if in_steps {
        words.push_str(
            "\nBegin with `step_number` 1, do what `required_actions` of each answer says, and go \
             on with its `next_call` until it is done.",
        );
    }
    words.push_str("\nThen tell the user what came of it.");
    Ok(words)
}

fn go_on(given: &Map<String, Value>) -> String {
    let mut words = match said(given, "continuation_id") {
        Some(id) => format!(
            "Go on with the exai conversation `{id}`: call `chat` with this `continuation_id`"
        ),
        None => "Go on with the last exai conversation of this project: call `threads` with \
                 `action` list and `limit` 1, then `chat` with its id as `continuation_id`"
            .to_owned(),
    };
    match said(given, "prompt") {
        Some(prompt) => {
            let _ = write!(words, " and this `prompt`: {prompt}");
        }
        None => words
            .push_str(" and, as `prompt`, the next question that follows from what we are doing"),
    }
    words.push_str(".\nThen tell the user what came of it.");
    words
}
