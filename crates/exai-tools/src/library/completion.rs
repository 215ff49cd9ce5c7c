//! Completion: what may stand where somebody is typing, the likeliest first.

use super::{
    Library, Reader, invalid, may, prompts,
    resources::{MODELS_TOOL, THREADS_TOOL},
    text,
};
use exai_engine::ports::threads::{ListQuery, workspace};
use exai_engine::surface::INVOKE;
use exai_protocol::control::McpError;
use serde_json::{Value, json};

/// MCP's own bound.
const MOST: usize = 100;

pub(super) async fn complete(
    library: &Library,
    reader: &dyn Reader,
    params: &Value,
) -> Result<Value, McpError> {
    let reference = params.get("ref").unwrap_or(&Value::Null);
    let argument = params.get("argument").unwrap_or(&Value::Null);
    let name = text(argument, "name")?;
    let begun = argument["value"]
        .as_str()
        .unwrap_or_default()
        .to_lowercase();
    let all = match text(reference, "type")? {
        "ref/prompt" => {
            let prompt = text(reference, "name")?;
            let own = enumerated(reader, prompt, name);
            match name {
                _ if !own.is_empty() => own,
                "model" | "judge" if may(reader, MODELS_TOOL) => models(library),
                "name" if prompt == INVOKE => named(reader),
                "continuation_id" => threads(library, reader).await,
                _ => Vec::new(),
            }
        }
        "ref/resource" => match text(reference, "uri")? {
            uri if name == "id" && uri.starts_with(super::resources::THREADS) => {
                threads(library, reader).await
            }
            _ => Vec::new(),
        },
        other => return Err(invalid(format!("there is no completion for '{other}'"))),
    };
    let mut fitting: Vec<String> = all
        .into_iter()
        .filter(|value| value.to_lowercase().contains(&begun))
        .collect();
    // What begins so comes before what only holds it.
    fitting.sort_by_key(|value| !value.to_lowercase().starts_with(&begun));
    let total = fitting.len();
    fitting.truncate(MOST);
    Ok(json!({
        "completion": { "values": fitting, "total": total, "hasMore": total > MOST },
    }))
}

fn enumerated(reader: &dyn Reader, prompt: &str, argument: &str) -> Vec<String> {
    let tools = reader.tools();
    let found = tools.iter().find(|(entry, _)| entry.name == prompt);
    let arguments = found.map(|(entry, _)| prompts::arguments(entry));
    let property = arguments
        .unwrap_or_default()
        .into_iter()
        .find(|(name, _, _)| name == argument);
    let words = property.and_then(|(_, property, _)| property["enum"].as_array().cloned());
    let words = words.unwrap_or_default().into_iter();
    words
        .filter_map(|word| word.as_str().map(str::to_owned))
        .collect()
}

/// The tools that can be reached.
fn named(reader: &dyn Reader) -> Vec<String> {
    let tools = reader.tools().into_iter();
    tools
        .map(|(entry, _)| entry.name)
        .filter(|name| name != INVOKE)
        .collect()
}

/// Those that can be asked now before the others.
fn models(library: &Library) -> Vec<String> {
    let listing = library.models.listing();
    let ready = listing.models.iter().filter(|row| row.ready);
    let others = listing
        .models
        .iter()
        .filter(|row| !row.ready && row.described);
    let mut names: Vec<String> = Vec::new();
    for row in ready.chain(others) {
        if !names.contains(&row.id) {
            names.push(row.id.clone());
        }
    }
    names
}

async fn threads(library: &Library, reader: &dyn Reader) -> Vec<String> {
    if !may(reader, THREADS_TOOL) {
        return Vec::new();
    }
    let query = ListQuery {
        workspaces: reader.roots().iter().map(|root| workspace(root)).collect(),
        most: MOST,
    };
    let listed = library.threads.list(reader.principal(), query).await;
    let rows = listed.map(|listed| listed.rows).unwrap_or_default();
    rows.into_iter().map(|row| row.id).collect()
}
