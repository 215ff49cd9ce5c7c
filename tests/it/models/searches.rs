//! Web search to each provider's contract: asked for only when it was wanted, done to the end,
//! and the result says whether one ran.

use super::{EACH, Stage, ask_with, at, said, told};
use exai_testkit::{
    Must as _,
    provider::{Reply, Route},
};
use serde_json::{Value, json};

fn facts(result: &Value) -> &Value {
    &result["outputs"][0]["_meta"]["exai/answer"]["search"]
}

/// Kimi's own tool is answered with its own arguments, unchanged, and stays in every request.
#[tokio::test]
async fn kimis_search_is_echoed_unchanged() {
    let stage = Stage::new().await;
    let arguments = r#"{"search_result": {"search_id":"s-1"} ,  "usage":{"total_tokens":3}}"#;
    stage.provider.when(
        at("kimi"),
        [
            Reply::text("").builtin_call("c-1", "$web_search", arguments),
            Reply::text("It is raining."),
        ],
    );
    let _daemon = stage.daemon().await;
    let mut ws = stage.caller().await;
    ask_with(
        &mut ws,
        "a",
        "kimi-k2-0905-preview",
        json!({ "use_websearch": true }),
    )
    .await;
    let result = ws.result("a").await;
    assert_eq!(said(&result), "It is raining.");
    assert_eq!(facts(&result)["ran"], true, "{result}");
    assert!(
        told(&result).contains("A web search ran"),
        "{}",
        told(&result)
    );
    let chats = stage.provider.chats();
    assert_eq!(chats.len(), 2);
    for chat in &chats {
        let tools = chat.json("/tools").must("find the tools");
        assert_eq!(tools[0]["type"], "builtin_function", "{tools}");
        assert_eq!(tools[0]["function"]["name"], "$web_search", "{tools}");
    }
    let messages = chats[1].json("/messages").and_then(Value::as_array);
    let messages = messages.must("read the messages");
    let echo = messages.last().must("find the echo");
    assert_eq!(
        (&echo["role"], &echo["tool_call_id"]),
        (&json!("tool"), &json!("c-1"))
    );
    assert_eq!(echo["content"], arguments, "not a character differs");
    let asked = &messages[messages.len() - 2]["tool_calls"][0];
    assert_eq!(asked["function"]["arguments"], arguments, "{asked}");
}

/// GLM sometimes writes the search into its text: it is run at GLM's own door, and the model
/// is told what was found. The caller never sees the call.
#[tokio::test]
async fn glms_textual_search_is_run_and_hidden() {
    let stage = Stage::new().await;
    stage
        .provider
        .finds(&[("Rain", "https://weather.example/rain")]);
    let call =
        r#"<tool_call>{"name":"web_search","arguments":{"query":"weather today"}}</tool_call>"#;
    stage.provider.when(
        at("glm"),
        [Reply::text(call).chunks(6), Reply::text("It is raining.")],
    );
    let _daemon = stage.daemon().await;
    let mut ws = stage.caller().await;
    ask_with(&mut ws, "a", "glm-4.6", json!({ "use_websearch": true })).await;
    let result = ws.result("a").await;
    assert_eq!(said(&result), "It is raining.");
    let search = facts(&result);
    assert_eq!(search["ran"], true, "{result}");
    assert_eq!(search["queries"], json!(["weather today"]));
    assert_eq!(search["sources"][0]["url"], "https://weather.example/rain");
    let mut requests = stage.provider.requests();
    // The daemon's own look at what is there.
    requests.retain(|request| !matches!(request.route, Route::Models | Route::Tags));
    let doors: Vec<Route> = requests.iter().map(|request| request.route).collect();
    assert_eq!(doors, [Route::Chat, Route::WebSearch, Route::Chat]);
    assert_eq!(
        requests[1].json("/search_query"),
        Some(&json!("weather today"))
    );
    assert!(
        requests[2].text().contains("weather.example"),
        "the model is told"
    );
    let first = requests[0].json("/tools/0/type");
    assert_eq!(first, Some(&json!("web_search")), "offered as GLM wants it");
}

/// The same text without the wish is text, and no search runs.
#[tokio::test]
async fn a_search_nobody_wished_for_is_not_run() {
    let stage = Stage::new().await;
    let call = r#"<tool_call>{"name":"web_search","arguments":{"query":"x"}}</tool_call>"#;
    stage
        .provider
        .otherwise(Reply::text(&format!("I would: {call}")));
    let _daemon = stage.daemon().await;
    let mut ws = stage.caller().await;
    ask_with(&mut ws, "a", "glm-4.6", json!({ "use_websearch": false })).await;
    let result = ws.result("a").await;
    assert!(said(&result).starts_with("I would:"), "{result}");
    assert_eq!(facts(&result)["ran"], false, "{result}");
    assert_eq!(stage.provider.chats().len(), 1);
}

#[tokio::test]
async fn without_the_wish_no_search_is_sent_anywhere() {
    let stage = Stage::new().await;
    stage.provider.otherwise(Reply::text("no need"));
    let _daemon = stage.daemon().await;
    let mut ws = stage.caller().await;
    let named = [
        "kimi-k2-0905-preview",
        "glm-4.6",
        "openai/gpt-oss-120b@openrouter",
        "gpt-4o-mini@openai-chat",
    ];
    let all = named.into_iter().chain(EACH.map(|(_, _, model)| model));
    for (number, model) in all.enumerate() {
        let id = format!("s-{number}");
        ask_with(&mut ws, &id, model, json!({ "use_websearch": false })).await;
        let result = ws.result(&id).await;
        assert_eq!(said(&result), "no need", "{model}");
        assert_eq!(facts(&result)["ran"], false, "{result}");
        let sent = stage.provider.chats().pop().must("find it").text();
        let sent = sent.to_lowercase();
        for word in ["search", "plugins", "\"tools\""] {
            assert!(!sent.contains(word), "{model} was sent {word:?}: {sent}");
        }
    }
}

/// Each in its own words, and what it found is listed.
#[tokio::test]
async fn with_the_wish_each_is_asked_in_its_own_words() {
    let stage = Stage::new().await;
    let found = [("News", "https://news.example/1")];
    stage
        .provider
        .otherwise(Reply::text("Found.").searched("what is new", &found));
    let _daemon = stage.daemon().await;
    let mut ws = stage.caller().await;
    for (model, word) in [
        ("glm-4.6", "\"web_search\""),
        ("gpt-5-mini@openai", "\"web_search\""),
        ("claude-haiku-4-5@anthropic", "web_search_20250305"),
        ("gemini-2.5-flash@gemini", "googleSearch"),
    ] {
        ask_with(&mut ws, model, model, json!({ "use_websearch": true })).await;
        let result = ws.result(model).await;
        let sent = stage.provider.chats().pop().must("find it").text();
        assert!(sent.contains(word), "{model}: {sent}");
        assert_eq!(facts(&result)["ran"], true, "{model}: {result}");
        assert!(
            told(&result).contains("https://news.example/1"),
            "{model}: {}",
            told(&result)
        );
    }
    // A server that cannot search is asked without, and the answer says so.
    ask_with(
        &mut ws,
        "o",
        "qwen3:32b@ollama",
        json!({ "use_websearch": true }),
    )
    .await;
    let result = ws.result("o").await;
    if result.get("error").is_none() {
        assert!(
            told(&result).contains("NO web search ran"),
            "{}",
            told(&result)
        );
    }
}
