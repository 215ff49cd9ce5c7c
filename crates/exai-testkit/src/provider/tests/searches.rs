//! A search the provider ran, as each one reports it, and the call Kimi wants echoed.

use super::client::{ask, send_json};
use crate::provider::{Dialect, Provider, Reply};
use serde_json::{Value, json};

const FOUND: (&str, &str) = ("A title", "https://example.org/a");

fn searched() -> Reply {
    Reply::text("Found.").searched("what is new", &[FOUND])
}

#[tokio::test]
async fn every_dialect_names_its_sources() {
    for stream in [true, false] {
        for dialect in Dialect::ALL {
            let provider = Provider::start().await;
            provider.script([searched()]);
            let text = ask(&provider, dialect, stream).await.text();
            let named = text.contains(FOUND.1);
            assert_eq!(named, dialect != Dialect::Ollama, "{dialect:?}: {text}");
        }
    }
}

#[tokio::test]
async fn the_shapes_are_those_of_the_documentation() {
    let provider = Provider::start().await;
    provider.otherwise(searched());
    let glm = json!({"model": "glm", "stream": false});
    let path = "/api/paas/v4/chat/completions";
    let glm = send_json(&provider, "POST", path, glm).await.json();
    assert_eq!(glm["web_search"][0]["link"], FOUND.1);

    let whole = ask(&provider, Dialect::Responses, false).await.json();
    assert_eq!(whole["output"][0]["action"]["query"], "what is new");
    let cited = &whole["output"][1]["content"][0]["annotations"][0];
    assert_eq!(
        (&cited["type"], &cited["url"]),
        (&json!("url_citation"), &json!(FOUND.1))
    );

    let whole = ask(&provider, Dialect::Anthropic, false).await.json();
    assert_eq!(whole["content"][0]["input"]["query"], "what is new");
    assert_eq!(whole["content"][1]["content"][0]["url"], FOUND.1);
    assert_eq!(whole["content"][2]["citations"][0]["title"], FOUND.0);
    assert_eq!(whole["usage"]["server_tool_use"]["web_search_requests"], 1);

    let whole = ask(&provider, Dialect::Gemini, false).await.json();
    let grounding = &whole["candidates"][0]["groundingMetadata"];
    assert_eq!(grounding["webSearchQueries"][0], "what is new");
    assert_eq!(grounding["groundingChunks"][0]["web"]["uri"], FOUND.1);
}

#[tokio::test]
async fn kimis_own_tool_is_called_by_its_type() {
    let provider = Provider::start().await;
    let arguments = r#"{"search_result":{"search_id":"s-1"},"usage":{"total_tokens":3}}"#;
    provider.otherwise(Reply::text("").builtin_call("c-1", "$web_search", arguments));
    let streamed = ask(&provider, Dialect::OpenAiChat, true).await.payloads();
    let calls: Vec<&Value> = streamed
        .iter()
        .filter_map(|chunk| chunk.pointer("/choices/0/delta/tool_calls/0"))
        .collect();
    assert_eq!(calls[0]["type"], "builtin_function");
    let text: String = calls
        .iter()
        .filter_map(|call| call["function"]["arguments"].as_str())
        .collect();
    assert_eq!(text, arguments);
    let whole = ask(&provider, Dialect::OpenAiChat, false).await.json();
    let call = &whole["choices"][0]["message"]["tool_calls"][0];
    assert_eq!(call["function"]["arguments"], arguments);
    assert_eq!(whole["choices"][0]["finish_reason"], "tool_calls");
}
