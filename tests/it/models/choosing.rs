//! A model that was named is used, under exactly the name it was given, or the call fails; and
//! from one model to another leads only a declared chain, which the result names.

use super::{Stage, ask, at, failed, ms, said, told};
use exai_testkit::provider::{At, Cut, Reply};
use serde_json::json;

const CHAIN: &str = "[chains]\n\"parrot\" = [\"gpt-5-mini\", \"claude-haiku-4-5\"]\n\
     [[models]]\nid = \"parrot\"\nendpoint = \"custom\"\n";

fn one_try(stage: &Stage) {
    stage.providers("[providers.custom]\nlimits = { retries = 0 }\n[providers.openai]\nlimits = { retries = 0 }\n");
}

#[tokio::test]
async fn ids_arrive_unchanged() {
    let stage = Stage::new().await;
    stage.provider.otherwise(Reply::text("yes"));
    let _daemon = stage.daemon().await;
    let mut ws = stage.caller().await;
    for (number, (name, sent)) in [
        ("qwen3:32b@ollama", "qwen3:32b"),
        ("vendor/model:free@openrouter", "vendor/model:free"),
        ("Vendor/Model:Free@custom", "Vendor/Model:Free"),
        ("odd@name@custom", "odd@name"),
        ("gpt-5-mini", "gpt-5-mini"),
    ]
    .into_iter()
    .enumerate()
    {
        ask(&mut ws, name, name).await;
        let result = ws.result(name).await;
        assert_eq!(said(&result), "yes", "{name}");
        assert!(
            told(&result).contains(&format!("[{sent} at ")),
            "{}",
            told(&result)
        );
        assert_eq!(stage.provider.chats()[number].model(), Some(sent));
    }
}

#[tokio::test]
async fn a_named_model_is_used_or_the_call_fails() {
    let stage = Stage::new().await;
    one_try(&stage);
    stage.provider.always(at("custom"), Reply::status(500));
    stage.provider.otherwise(Reply::text("somebody else"));
    let _daemon = stage.daemon().await;
    let mut ws = stage.caller().await;
    ask(&mut ws, "fails", "parrot@custom").await;
    let result = ws.result("fails").await;
    assert_eq!(failed(&result).0, "UNAVAILABLE", "{result}");
    assert_eq!(stage.provider.chats().len(), 1, "nobody else was asked");
    ask(&mut ws, "unknown", "no-such-model-anywhere").await;
    let result = ws.result("unknown").await;
    let (code, message) = failed(&result);
    assert_eq!(code, "INVALID_ARGUMENT", "{message}");
    assert!(
        message.contains("no-such-model-anywhere") && message.contains("listmodels"),
        "{message}"
    );
    // One that is known, at an endpoint whose key is not set.
    ask(&mut ws, "keyless", "deepseek-v4-flash@deepseek").await;
    let result = ws.result("keyless").await;
    let (_, message) = failed(&result);
    assert!(message.contains("DEEPSEEK_API_KEY"), "{message}");
    assert_eq!(stage.provider.chats().len(), 1, "nobody else was asked");
}

#[tokio::test]
async fn a_declared_chain_is_followed_in_order_and_named() {
    let stage = Stage::new().await;
    one_try(&stage);
    stage.models(CHAIN);
    stage.provider.always(at("custom"), Reply::status(500));
    stage.provider.always(at("openai"), Reply::status(503));
    stage
        .provider
        .always(at("anthropic"), Reply::text("here I am"));
    let _daemon = stage.daemon().await;
    let mut ws = stage.caller().await;
    ask(&mut ws, "falls", "parrot").await;
    let result = ws.result("falls").await;
    assert_eq!(said(&result), "here I am");
    let words = told(&result);
    for part in [
        "claude-haiku-4-5 at anthropic",
        "parrot@custom failed (server)",
        "gpt-5-mini@openai failed (overloaded)",
    ] {
        assert!(words.contains(part), "no {part:?} in {words}");
    }
    let models: Vec<_> = stage
        .provider
        .chats()
        .iter()
        .filter_map(|chat| chat.model().map(str::to_owned))
        .collect();
    assert_eq!(models, ["parrot", "gpt-5-mini", "claude-haiku-4-5"]);
    let attempts = result["usage"]["attempts"].as_array().map_or(0, Vec::len);
    assert_eq!(attempts, 3, "{result}");
}

#[tokio::test]
async fn no_chain_leads_on_once_text_reached_the_caller() {
    let stage = Stage::new().await;
    one_try(&stage);
    stage.models(CHAIN);
    let cut = Reply::text("I begin and")
        .chunks(4)
        .every(ms(50))
        .cut(At::Piece(2), Cut::Short);
    stage.provider.always(at("custom"), cut);
    stage.provider.otherwise(Reply::text("another answer"));
    let _daemon = stage.daemon().await;
    let mut ws = stage.caller().await;
    ask(&mut ws, "begun", "parrot").await;
    let result = ws.result("begun").await;
    assert_eq!(failed(&result).0, "EXEC_ERROR", "{result}");
    assert_eq!(stage.provider.chats().len(), 1, "nobody else was asked");
}

/// Without a name somebody who can be asked answers, and the answer says why it was that one.
#[tokio::test]
async fn auto_takes_who_can_be_asked_and_says_why() {
    let stage = Stage::new().await;
    stage.provider.otherwise(Reply::text("me"));
    let _daemon = stage.daemon().await;
    let mut ws = stage.caller().await;
    for (id, arguments) in [
        ("none", json!({"prompt": "hi"})),
        ("auto", json!({"prompt": "hi", "model": "auto"})),
    ] {
        ws.call_as(id, "chat", arguments).await;
        let result = ws.result(id).await;
        assert_eq!(said(&result), "me");
        let facts = &result["outputs"][0]["_meta"]["exai/answer"];
        assert!(
            facts["chosen"].as_str().is_some_and(|why| !why.is_empty()),
            "{result}"
        );
    }
}
