//! A conversation's requests begin alike, and providers that keep beginnings are told which
//! belong together, by a key that tells nothing of what was said.

use crate::models::{Stage, said};
use exai_testkit::{Must as _, Ws, provider::Reply};
use serde_json::{Value, json};

/// A conversation of one turn.
async fn begun(ws: &mut Ws, id: &str, model: &str, first: &str) -> String {
    ws.call_as(id, "chat", json!({ "prompt": first, "model": model }))
        .await;
    let result = ws.result(id).await;
    let facts = &result["outputs"][0]["_meta"]["exai/answer"];
    facts["continuation_id"]
        .as_str()
        .must("begin one")
        .to_owned()
}

/// The next question of a conversation.
async fn goes_on(ws: &mut Ws, id: &str, thread: &str) {
    let arguments = json!({ "prompt": "And then?", "continuation_id": thread });
    ws.call_as(id, "chat", arguments).await;
    let result = ws.result(id).await;
    assert_eq!(said(&result), "Yes.", "{id}");
}

#[tokio::test]
async fn a_conversation_keeps_its_key_and_shares_it_with_no_other() {
    let stage = Stage::new().await;
    stage.provider.otherwise(Reply::text("Yes."));
    let _daemon = stage.daemon().await;
    let mut ws = stage.caller().await;
    let key = || -> Option<Value> {
        let last = stage.provider.chats().pop().must("find the request");
        last.json("/prompt_cache_key").cloned()
    };
    for model in ["kimi-k2-0905-preview", "gpt-5-mini@openai"] {
        let one = begun(&mut ws, &format!("{model}-1"), model, "The canary sings?").await;
        assert_eq!(key(), None, "{model}: nothing of one question comes again");
        goes_on(&mut ws, &format!("{model}-2"), &one).await;
        let first = key().must("send a key");
        goes_on(&mut ws, &format!("{model}-3"), &one).await;
        assert_eq!(key(), Some(first.clone()), "{model}");
        let other = begun(&mut ws, &format!("{model}-4"), model, "The canary sings?").await;
        goes_on(&mut ws, &format!("{model}-5"), &other).await;
        assert_ne!(key(), Some(first.clone()), "{model}");
        let told = first.to_string();
        assert!(
            !told.contains("canary") && !told.contains(&one[..8]),
            "{told}"
        );
    }
}
