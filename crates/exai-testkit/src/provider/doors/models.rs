//! Three lists of models at one place.
//!
//! Written on 2026-11-21 from <https://platform.openai.com/docs/api-reference/models/list>,
//! <https://platform.claude.com/docs/en/api/models-list> and
//! <https://ai.google.dev/api/models>.

use crate::provider::{Dialect, Reply};
use serde_json::{Value, json};

pub(super) fn list(dialect: Dialect, ids: &[String]) -> Reply {
    Reply::json(match dialect {
        Dialect::Anthropic => json!({
            "data": each(ids, anthropic),
            "has_more": false,
            "first_id": ids.first(),
            "last_id": ids.last(),
        }),
        Dialect::Gemini => json!({"models": each(ids, gemini)}),
        _ => json!({"object": "list", "data": each(ids, openai)}),
    })
}

fn each(ids: &[String], shape: fn(&String) -> Value) -> Value {
    ids.iter().map(shape).collect()
}

fn openai(id: &String) -> Value {
    json!({"id": id, "object": "model", "created": 1_795_219_200, "owned_by": "script"})
}

fn anthropic(id: &String) -> Value {
    let created = "2026-11-21T00:00:00Z";
    json!({"type": "model", "id": id, "display_name": id, "created_at": created})
}

fn gemini(id: &String) -> Value {
    json!({
        "name": format!("models/{id}"),
        "version": "001",
        "displayName": id,
        "description": "scripted",
        "inputTokenLimit": 1_048_576,
        "outputTokenLimit": 65_536,
        "supportedGenerationMethods": ["generateContent", "countTokens"],
    })
}
