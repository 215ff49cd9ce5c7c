//! `{"models": [{"name": "models/…"}], "nextPageToken": …}`.

use super::Page;
use crate::catalogue::Discovered;
use serde_json::Value;

pub(super) fn page(body: &Value) -> Option<Page> {
    let rows = body.get("models")?.as_array()?;
    let more = body.get("nextPageToken").and_then(Value::as_str);
    Some(Page {
        models: rows
            .iter()
            .filter(|row| is_chat(row))
            .filter_map(model)
            .collect(),
        more: more.filter(|token| !token.is_empty()).map(str::to_owned),
    })
}

fn is_chat(row: &Value) -> bool {
    let methods = row
        .get("supportedGenerationMethods")
        .and_then(Value::as_array);
    methods.is_none_or(|methods| methods.iter().any(|method| method == "generateContent"))
}

fn model(row: &Value) -> Option<Discovered> {
    let name = row.get("name")?.as_str()?;
    Some(Discovered {
        id: name.strip_prefix("models/").unwrap_or(name).to_owned(),
        context: row.get("inputTokenLimit").and_then(Value::as_u64),
        output: row.get("outputTokenLimit").and_then(Value::as_u64),
        thinking: row.get("thinking").and_then(Value::as_bool),
        ..Discovered::default()
    })
}
