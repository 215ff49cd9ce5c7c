//! Everything that is no model call, with a memory: lists of models, files, GLM's search,
//! Ollama's management. A test that wants something else says so with a rule.

mod files;
mod models;
mod ollama;

pub use files::Upload;
pub use ollama::{Ollama, OllamaModel};

use super::{Reply, Request, Route};
use files::Files;
use serde_json::{Value, json};

/// What the doors remember.
#[derive(Default)]
pub(super) struct Memory {
    pub(super) models: Vec<String>,
    /// Title and address of what a search finds.
    pub(super) finds: Vec<(String, String)>,
    pub(super) files: Files,
    pub(super) ollama: Ollama,
}

pub(super) fn reply(memory: &mut Memory, request: &Request) -> Reply {
    match request.route {
        Route::Models => models::list(request.dialect, &memory.models),
        Route::Files | Route::FileContent => memory.files.reply(request),
        Route::WebSearch => Reply::json(search(request, &memory.finds)),
        Route::Chat | Route::Unknown => {
            let (method, path) = (&request.method, &request.path);
            Reply::status(404).message(&format!("nothing is at {method} {path}"))
        }
        _ => memory.ollama.reply(request),
    }
}

/// A chat loads the model, as Ollama does.
pub(super) fn loads(memory: &mut Memory, request: &Request) {
    if let Some(model) = request.model() {
        memory.ollama.load(model, request.json("/options/num_ctx"));
    }
}

/// Written on 2026-11-21 from <https://docs.z.ai/api-reference/tools/web-search> and
/// <https://docs.bigmodel.cn/api-reference>.
fn search(request: &Request, found: &[(String, String)]) -> Value {
    let query = request.json("/search_query").unwrap_or(&Value::Null);
    let results: Vec<Value> = found
        .iter()
        .enumerate()
        .map(|(index, (title, url))| {
            json!({
                "title": title,
                "content": format!("About {title}"),
                "link": url,
                "media": "",
                "icon": "",
                "refer": format!("ref_{}", index + 1),
                "publish_date": "2026-11-20",
            })
        })
        .collect();
    json!({
        "id": format!("search-{}", request.index),
        "created": 1_795_219_200,
        "request_id": format!("request-{}", request.index),
        "search_intent": [{"query": query, "intent": "SEARCH_ALL", "keywords": query}],
        "search_result": results,
    })
}
