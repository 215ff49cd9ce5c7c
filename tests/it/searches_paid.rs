//! Searches cost money of their own. Kimi and GLM do not count them in their usage, so the
//! result, the sums and the budget count what is seen to have run.

use crate::models::{Stage, ask_with, at, failed, said, told};
use exai_testkit::provider::Reply;
use serde_json::json;

const KIMI: &str = r#"{"search_result":{"search_id":"s-1"},"usage":{"total_tokens":50000}}"#;
const GLM: &str =
    r#"<tool_call>{"name":"web_search","arguments":{"query":"weather today"}}</tool_call>"#;

#[tokio::test]
async fn a_search_that_ran_is_paid_for() {
    let stage = Stage::new().await;
    stage.models(
        "[[models]]\nid='s'\nendpoint='kimi'\n\
         price={in=0.0,out=0.0,search=0.25,date='2026-01-01'}\n\
         [[models]]\nid='s'\nendpoint='glm'\n\
         price={in=0.0,out=0.0,search=0.25,date='2026-01-01'}\n",
    );
    let calls = Reply::text("").builtin_call("c-1", "$web_search", KIMI);
    let rains = || Reply::text("It is raining.");
    let found = [("Rain", "https://weather.example/rain")];
    stage.provider.finds(&found);
    stage.provider.when(at("kimi"), [calls, rains()]);
    stage.provider.when(
        at("glm"),
        [
            rains().searched("weather", &found),
            Reply::text(GLM),
            rains(),
        ],
    );
    let _daemon = stage.daemon().await;
    let mut ws = stage.caller().await;
    for (id, model) in [
        ("kimi", "s@kimi"),
        ("in the chat", "s@glm"),
        ("at the door", "s@glm"),
    ] {
        ask_with(
            &mut ws,
            id,
            model,
            json!({ "use_websearch": true, "confirm_cost": true }),
        )
        .await;
        let result = ws.result(id).await;
        assert_eq!(said(&result), "It is raining.", "{id}");
        assert!(told(&result).contains("A web search ran"), "{id}: {result}");
        assert!(told(&result).contains("$0.25"), "{id}: {}", told(&result));
    }
}

/// What Kimi found is read by the next request and billed with it; it says how much that is.
#[tokio::test]
async fn what_a_search_found_is_held_before_it_is_read() {
    let mut stage = Stage::new().await;
    stage.sandbox.set("EXAI_BUDGET_CALL", "0.40");
    stage.models(
        "[[models]]\nid='s'\nendpoint='kimi'\n\
         price={in=10.0,out=0.0,search=0.0,date='2026-01-01'}\n",
    );
    let calls = Reply::text("").builtin_call("c-1", "$web_search", KIMI);
    stage
        .provider
        .when(at("kimi"), [calls, Reply::text("It is raining.")]);
    let _daemon = stage.daemon().await;
    let mut ws = stage.caller().await;
    ask_with(&mut ws, "a", "s@kimi", json!({ "use_websearch": true })).await;
    let result = ws.result("a").await;
    assert_eq!(failed(&result).0, "OVER_BUDGET", "{result}");
    assert_eq!(stage.provider.chats().len(), 1, "the second is not sent");
}
