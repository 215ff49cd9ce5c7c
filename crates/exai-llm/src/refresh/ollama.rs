//! `{"models": [{"name": "qwen3:32b", …}]}`: what is installed. Newer servers add what each
//! can do; how much it reads is in `/api/show`, which is not asked for here.

use super::Page;
use crate::catalogue::Discovered;
use serde_json::Value;

pub(super) fn page(body: &Value) -> Option<Page> {
    let rows = body.get("models")?.as_array()?;
    Some(Page {
        models: rows.iter().filter_map(model).collect(),
        more: None,
    })
}

fn model(row: &Value) -> Option<Discovered> {
    let id = row.get("model").or_else(|| row.get("name"))?.as_str()?;
    let abilities = row.get("capabilities").and_then(Value::as_array);
    let can = |word: &str| abilities.map(|list| list.iter().any(|known| known == word));
    if can("completion") == Some(false) {
        return None;
    }
    Some(Discovered {
        id: id.to_owned(),
        vision: can("vision"),
        tools: can("tools"),
        thinking: can("thinking"),
        ..Discovered::default()
    })
}
