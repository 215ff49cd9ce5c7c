//! A provider that dies in the middle: its calls end typed, its breaker opens and says so
//! everywhere, nobody asks it meanwhile, and when it is back it is asked again. Others notice
//! nothing.

use super::{FEATURES, Stage, ask, chats, failed, ms, said};
use exai_testkit::{
    PATIENCE, Ws,
    provider::{Dialect, Provider, Reply},
};
use serde_json::{Value, json};
use std::time::Instant;

async fn provider_health(ws: &mut Ws, name: &str) -> Value {
    ws.send(&json!({ "op": "health" })).await;
    let health = ws.recv_op("health_res").await;
    let all = health["health"]["providers"].as_array().cloned();
    let all = all.unwrap_or_default();
    all.into_iter()
        .find(|one| one["name"] == name)
        .unwrap_or_default()
}

async fn change(ws: &mut Ws, name: &str, breaker: &str) -> Value {
    ws.recv_where(|frame| {
        let status = &frame["data"]["provider_status"];
        status["endpoint"] == name && status["breaker"] == breaker
    })
    .await
}

#[tokio::test]
async fn the_breaker_opens_is_seen_and_closes_again() {
    let mut stage = Stage::new().await;
    let mortal = Provider::start().await;
    stage.sandbox.set(
        "CUSTOM_API_URL",
        mortal.url_under("custom", Dialect::OpenAiChat),
    );
    stage.providers("[providers.custom]\nlimits = { retries = 0, concurrency = 8 }\n");
    mortal.otherwise(
        Reply::text("a long and slow answer")
            .chunks(20)
            .every(ms(300)),
    );
    stage.provider.otherwise(Reply::text("alive"));
    let _daemon = stage.daemon().await;
    let (mut watcher, _) = stage.sandbox.modern("watcher", &["events"]).await;
    let topics = json!({ "op": "subscribe", "request_id": "s", "topics": ["provider_status"] });
    watcher.send(&topics).await;
    watcher.recv_op("subscribe_res").await;

    let (mut ws, _) = stage.sandbox.modern("caller", &FEATURES).await;
    for id in ["a", "b", "c", "d", "e", "f"] {
        ask(&mut ws, id, "parrot@custom").await;
    }
    chats(&mortal, 6).await;
    ws.recv_op("partial").await;
    mortal.down().await;
    for id in ["a", "b", "c", "d", "e", "f"] {
        let result = ws.result(id).await;
        let (code, message) = failed(&result);
        assert!(["EXEC_ERROR", "UNAVAILABLE"].contains(&code), "{message}");
    }
    for number in 0..3 {
        let id = format!("g-{number}");
        ask(&mut ws, &id, "parrot@custom").await;
        assert_eq!(failed(&ws.result(&id).await).0, "UNAVAILABLE");
    }
    let event = change(&mut watcher, "custom", "open").await;
    let told = &event["data"]["provider_status"];
    assert!(
        told["cause"].is_string() && told["until"].is_number(),
        "{event}"
    );
    let health = provider_health(&mut ws, "custom").await;
    assert_ne!(health["breaker"], "closed", "{health}");
    assert!(health["cause"].is_string(), "{health}");
    let status = stage.sandbox.cli(&["status"]).await.ok();
    assert!(status.all().contains("custom"), "{}", status.all());

    // Others notice nothing.
    ask(&mut ws, "other", "claude-haiku-4-5@anthropic").await;
    assert_eq!(said(&ws.result("other").await), "alive");
    assert_eq!(
        provider_health(&mut ws, "anthropic").await["breaker"],
        "closed"
    );

    mortal.otherwise(Reply::text("back again"));
    mortal.up().await;
    let began = Instant::now();
    for number in 0.. {
        let id = format!("h-{number}");
        ask(&mut ws, &id, "parrot@custom").await;
        let result = ws.result(&id).await;
        if result.get("error").is_none() {
            assert_eq!(said(&result), "back again");
            break;
        }
        assert!(
            began.elapsed() < PATIENCE * 2,
            "never asked again: {result}"
        );
        // While it is shut, it is refused at once and told how long.
        assert!(result["error"]["retry_after"].is_number(), "{result}");
        tokio::time::sleep(ms(200)).await;
    }
    change(&mut watcher, "custom", "closed").await;
    assert_eq!(
        provider_health(&mut ws, "custom").await["breaker"],
        "closed"
    );
}

/// An open breaker costs nothing: no connection is tried.
#[tokio::test]
async fn while_it_is_open_nobody_asks() {
    let stage = Stage::new().await;
    stage.providers("[providers.custom]\nlimits = { retries = 0 }\n");
    stage
        .provider
        .otherwise(Reply::status(401).message("who are you?"));
    let _daemon = stage.daemon().await;
    let mut ws = stage.caller().await;
    ask(&mut ws, "first", "parrot@custom").await;
    let result = ws.result("first").await;
    assert!(failed(&result).1.contains("CUSTOM_API_KEY"), "{result}");
    for number in 0..5 {
        let id = format!("n-{number}");
        ask(&mut ws, &id, "parrot@custom").await;
        let result = ws.result(&id).await;
        assert_eq!(failed(&result).0, "UNAVAILABLE", "{result}");
        assert!(result["error"]["retry_after"].is_number(), "{result}");
    }
    assert_eq!(
        stage.provider.chats().len(),
        1,
        "asked although it was refused"
    );
}
