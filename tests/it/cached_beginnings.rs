//! A conversation's requests begin alike, and providers that keep beginnings are told which
//! belong together, by a key that tells nothing of what was said.

use crate::models::{Stage, ask, said};
use exai_testkit::{Must as _, Ws, provider::Reply};
use serde_json::{Value, json};

/// The next question of a conversation that began with `first`.
async fn goes_on(ws: &mut Ws, id: &str, model: &str, first: &str) {
    let arguments = json!({
        "prompt": "And then?",
        "model": model,
        "turns": [{ "asked": first, "answered": "Yes." }],
    });
    ws.send(
        &json!({ "op": "operate", "request_id": id, "name": "chat_session", "arguments": arguments }),
    )
    .await;
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
        ask(&mut ws, model, model).await;
        ws.result(model).await;
        assert_eq!(key(), None, "{model}: nothing of one question comes again");
        goes_on(&mut ws, &format!("{model}-1"), model, "The canary sings?").await;
        let first = key().must("send a key");
        goes_on(&mut ws, &format!("{model}-2"), model, "The canary sings?").await;
        assert_eq!(key(), Some(first.clone()), "{model}");
        goes_on(&mut ws, &format!("{model}-3"), model, "Something else?").await;
        assert_ne!(key(), Some(first.clone()), "{model}");
        assert!(!first.to_string().contains("canary"), "{first}");
    }
}
