//! GLM's web search: the tool beside a chat, and the search door for the models that write
//! the call into their text instead of making it.

use crate::{
    chat::{Recency, Searched, Source, WebSearch},
    fault::Fault,
};
use serde_json::{Value, json};

/// The engine where none is named.
const ENGINE: &str = "search_pro_jina";

fn recency(recency: Recency) -> &'static str {
    match recency {
        Recency::Any => "noLimit",
        Recency::Day => "oneDay",
        Recency::Week => "oneWeek",
        Recency::Month => "oneMonth",
        Recency::Year => "oneYear",
    }
}

/// The tool, for `/chat/completions`.
pub(crate) fn glm_tool(wish: &WebSearch, engine: Option<&str>) -> Value {
    let mut web_search = json!({
        "enable": true,
        "search_engine": engine.unwrap_or(ENGINE),
        "search_recency_filter": recency(wish.recency),
        "content_size": "medium",
        "result_sequence": "after",
        "search_result": true,
    });
    if let Some(count) = wish.count {
        web_search["count"] = json!(count.clamp(1, 50));
    }
    // One site only: the parameter is one name, not a list.
    if let [domain] = wish.domains.as_slice() {
        web_search["search_domain_filter"] = json!(domain);
    }
    json!({"type": "web_search", "web_search": web_search})
}

/// A request to GLM's search door.
#[derive(Debug, Clone, PartialEq)]
pub struct GlmSearch {
    /// What follows the base URL.
    pub path: String,
    /// The body.
    pub body: Value,
    /// What is looked for.
    pub query: String,
}

/// The search that a textual call's arguments ask for; `None` when they ask for nothing.
#[must_use]
pub fn glm_search(arguments: &str, wish: &WebSearch, engine: Option<&str>) -> Option<GlmSearch> {
    let asked: Value = serde_json::from_str(arguments).ok()?;
    let query = ["query", "search_query", "q", "keywords", "input"]
        .iter()
        .find_map(|field| asked.get(field)?.as_str())
        .map(str::trim)
        .filter(|query| !query.is_empty())?;
    let mut body = json!({
        "search_engine": engine.unwrap_or(ENGINE),
        "search_query": query,
        "count": wish.count.unwrap_or(10).clamp(1, 50),
        "search_recency_filter": recency(wish.recency),
    });
    if let [domain] = wish.domains.as_slice() {
        body["search_domain_filter"] = json!(domain);
    }
    Some(GlmSearch {
        path: "/web_search".into(),
        body,
        query: query.to_owned(),
    })
}

/// What the search door found, and the text that tells the model.
///
/// # Errors
/// [`crate::fault::FaultClass::Malformed`] when it is no search result.
pub fn glm_answer(query: &str, body: &Value) -> Result<(Searched, String), Fault> {
    let Some(results) = body.get("search_result").and_then(Value::as_array) else {
        return Err(Fault::malformed("the search gave no search_result"));
    };
    let mut told = Vec::new();
    for result in results {
        told.push(json!({
            "title": result.get("title"),
            "link": result.get("link"),
            "content": result.get("content"),
            "publish_date": result.get("publish_date"),
        }));
    }
    let searched = Searched {
        queries: vec![query.to_owned()],
        sources: glm_sources(results),
    };
    Ok((searched, Value::Array(told).to_string()))
}

/// GLM's list of results, in chats and from the search door.
pub(crate) fn glm_sources(results: &[Value]) -> Vec<Source> {
    results
        .iter()
        .filter_map(|result| {
            let url = result.get("link")?.as_str()?;
            let title = result.get("title").and_then(Value::as_str);
            (!url.is_empty()).then(|| Source {
                title: title.unwrap_or_default().to_owned(),
                url: url.to_owned(),
            })
        })
        .collect()
}
