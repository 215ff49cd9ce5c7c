//! What an MCP client may ask for beside tools: prompts, which are slash commands where it shows
//! them, resources, and completion for the arguments of both. Pure answers to requests of MCP,
//! in the words of MCP; who asks is a [`Reader`].

mod completion;
mod prompts;
mod resources;

#[cfg(test)]
mod tests;

use exai_engine::ports::{
    models::{ModelFuture, Models},
    threads::Threads,
};
use exai_protocol::{Principal, control::McpError, tool::ToolEntry};
use serde_json::{Value, json};
use std::sync::Arc;

/// The parameters do not fit, or name what there is not.
const INVALID_PARAMS: i32 = -32602;
/// No such method.
const NOT_FOUND: i32 = -32601;

/// Whoever asks: what is theirs, and what they may see.
pub trait Reader: Send + Sync {
    /// Whose conversations they may read.
    fn principal(&self) -> &Principal;
    /// The folders they have open.
    fn roots(&self) -> Vec<String>;
    /// The tools they may call, sorted by name, each with whether their list shows it.
    fn tools(&self) -> Vec<(ToolEntry, bool)>;
    /// The text of an earlier call's result, by the call's id.
    ///
    /// # Errors
    /// Why there is none, and what to do.
    fn result<'a>(&'a self, id: &'a str) -> ModelFuture<'a, Result<String, String>>;
}

/// See the module.
#[derive(Clone)]
pub struct Library {
    models: Arc<dyn Models>,
    threads: Arc<dyn Threads>,
}

impl Library {
    /// A library over these.
    #[must_use]
    pub fn new(models: Arc<dyn Models>, threads: Arc<dyn Threads>) -> Self {
        Self { models, threads }
    }

    /// Answers one request.
    ///
    /// # Errors
    /// JSON-RPC's error object.
    pub async fn answer(
        &self,
        reader: &dyn Reader,
        method: &str,
        params: &Value,
    ) -> Result<Value, McpError> {
        match method {
            "prompts/list" => one_page(params).map(|()| prompts::list(reader)),
            "prompts/get" => prompts::get(reader, params),
            "resources/list" => {
                one_page(params)?;
                resources::list(self, reader).await
            }
            "resources/templates/list" => one_page(params).map(|()| resources::templates(reader)),
            "resources/read" => resources::read(self, reader, params).await,
            "completion/complete" => completion::complete(self, reader, params).await,
            _ => Err(McpError {
                code: NOT_FOUND,
                message: format!("method not found: {method}"),
            }),
        }
    }
}

/// Whether they may call a tool: what they may not call they do not read by another door.
fn may(reader: &dyn Reader, tool: &str) -> bool {
    reader.tools().iter().any(|(entry, _)| entry.name == tool)
}

fn one_page(params: &Value) -> Result<(), McpError> {
    match params.get("cursor") {
        None | Some(Value::Null) => Ok(()),
        Some(_) => Err(invalid("this cursor is not known; the list has one page")),
    }
}

fn invalid(message: impl Into<String>) -> McpError {
    McpError {
        code: INVALID_PARAMS,
        message: message.into(),
    }
}

/// A parameter that must be some text.
fn text<'a>(params: &'a Value, name: &str) -> Result<&'a str, McpError> {
    match params.get(name).and_then(Value::as_str) {
        Some(text) if !text.is_empty() => Ok(text),
        _ => Err(invalid(format!("params.{name} must be a non-empty string"))),
    }
}

/// What a tool takes: its properties as MCP writes them, the required ones first.
fn properties(entry: &ToolEntry) -> Vec<(String, Value, bool)> {
    let schema: Value = serde_json::from_str(entry.input_schema.get()).unwrap_or_default();
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    let is_required = |name: &str| required.iter().any(|one| one == name);
    let all = schema["properties"]
        .as_object()
        .cloned()
        .unwrap_or_default();
    let mut all: Vec<(String, Value, bool)> = all
        .into_iter()
        .map(|(name, property)| {
            let needed = is_required(&name);
            (name, property, needed)
        })
        .collect();
    let place = |name: &str| required.iter().position(|one| one == name);
    all.sort_by_key(|(name, _, needed)| (!needed, place(name).unwrap_or(usize::MAX)));
    all
}

fn page(key: &str, items: Vec<Value>) -> Value {
    json!({ key: items })
}
