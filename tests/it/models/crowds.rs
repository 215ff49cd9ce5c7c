//! Calls beside each other: they take as long as one, and nobody else notices them.

use super::{Stage, ask, at, ms};
use crate::{editor::answers, windows::editor};
use exai_testkit::{
    PATIENCE, Stopwatch, answer,
    provider::{At, Reply, Stall},
};
use serde_json::json;
use std::time::{Duration, Instant};

#[tokio::test]
async fn t06_three_calls_of_three_seconds_take_about_three_seconds() {
    let stage = Stage::new().await;
    stage
        .provider
        .otherwise(Reply::text("done").after(ms(3000)));
    let _daemon = stage.daemon().await;
    let mut shim = editor(&stage.sandbox).await;
    let (began, watch) = (Instant::now(), Stopwatch::start());
    let mut ids = Vec::new();
    for prompt in ["a", "b", "c"] {
        let asked = json!({ "prompt": prompt, "model": "parrot@custom" });
        ids.push(shim.call("chat", asked).await);
    }
    // Meanwhile the window is served.
    let pong = shim.ask("ping", json!({})).await;
    assert!(
        pong["result"].is_object() && watch.elapsed() < ms(2700),
        "{pong}"
    );
    for end in answers(&mut shim, &ids, PATIENCE).await.values() {
        assert_eq!(answer(&end["result"]), "done");
    }
    assert!(began.elapsed() >= ms(3000));
    let took = watch.elapsed();
    assert!(took < ms(6000), "{took:?}");
    assert_eq!(stage.provider.most_at_once(at("custom")), 3);
}

#[tokio::test]
async fn health_answers_in_under_a_tenth_of_a_second_while_24_calls_stall() {
    let stage = Stage::new().await;
    stage.providers("[providers.custom]\nlimits = { concurrency = 24 }\n");
    stage
        .provider
        .otherwise(Reply::text("").stall(At::FirstEvent, Stall::Forever));
    let _daemon = stage.daemon().await;
    let mut ws = stage.caller().await;
    for id in 0..24 {
        ask(&mut ws, &format!("s-{id}"), "parrot@custom").await;
    }
    stage.asked(24).await;
    let mut watcher = stage.sandbox.ws().await;
    let mut times: Vec<Duration> = Vec::new();
    for _ in 0..21 {
        let began = Stopwatch::start();
        watcher.send(&json!({ "op": "health" })).await;
        let health = watcher.recv_op("health_res").await;
        times.push(began.elapsed());
        assert_eq!(health["health"]["global_inflight"], 24, "{health}");
    }
    times.sort();
    // One may meet another test's moment on the same core; the promise is about each of ours.
    assert!(times[18] < ms(100), "{times:?}");
    for id in 0..24 {
        ws.send(&json!({ "op": "cancel", "request_id": format!("s-{id}") }))
            .await;
    }
    for id in 0..24 {
        let ended = ws.result(&format!("s-{id}")).await;
        assert_eq!(ended["error"]["code"], "CANCELLED", "{ended}");
    }
}
