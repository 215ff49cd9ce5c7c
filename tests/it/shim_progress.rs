//! Progress, as MCP wants it: only for who asked, rising, and over with the answer.

use crate::editor::{by_hand, connected, failure, nothing_more, ok_text, window};
use exai_testkit::{Must as _, Shim, Stopwatch};
use serde_json::{Value, json};
use std::time::Duration;

/// Everything that comes up to and with the answer.
async fn until_answered(shim: &mut Shim, id: u64) -> (Vec<Value>, Value) {
    let mut news = Vec::new();
    loop {
        let message = shim.recv().await;
        if message["id"] == id {
            return (news, message);
        }
        news.push(message);
    }
}

#[track_caller]
fn check(news: &[Value], token: &Value) -> usize {
    let mut last = f64::MIN;
    for message in news {
        assert_eq!(message["method"], "notifications/progress", "{message}");
        assert_eq!(&message["params"]["progressToken"], token);
        let value = message["params"]["progress"].as_f64().must("read a number");
        assert!(value > last, "{value} after {last}");
        last = value;
        let words = message["params"]["message"].as_str().must("read words");
        assert!(!words.is_empty());
    }
    news.len()
}

#[tokio::test]
async fn r10_progress_comes_at_once_rises_and_ends_with_the_answer() {
    let (_sandbox, _daemon, mut shim) = connected().await;
    for token in [json!(7), json!("a-token"), json!(0), json!("")] {
        let call = json!({ "count": 40, "ms": 30 });
        let asked = Stopwatch::start();
        let id = shim
            .call_with_progress("test_flood", call, token.clone())
            .await;
        let first = shim.recv().await;
        assert!(
            asked.elapsed() < Duration::from_secs(2),
            "{:?}",
            asked.elapsed()
        );
        let (mut news, answer) = until_answered(&mut shim, id).await;
        ok_text(&answer["result"]);
        news.insert(0, first);
        let told = check(&news, &token);
        // 1.2 s of flood, spaced by 250 ms.
        assert!((3..=12).contains(&told), "{news:?}");
        let flooding = |m: &&Value| {
            m["params"]["message"]
                .as_str()
                .unwrap()
                .contains("flooding")
        };
        assert!(news.iter().any(|m| flooding(&m)), "{news:?}");
        nothing_more(&mut shim).await;
        assert_eq!(shim.take_aside(), Vec::<Value>::new());
    }
}

#[tokio::test]
async fn r10_without_a_token_nothing_is_told() {
    let (_sandbox, _daemon, mut shim) = connected().await;
    let id = shim
        .call("test_flood", json!({ "count": 20, "ms": 30 }))
        .await;
    let (news, answer) = until_answered(&mut shim, id).await;
    ok_text(&answer["result"]);
    assert_eq!(news, Vec::<Value>::new());
}

#[tokio::test]
async fn r10_each_call_has_its_own_progress() {
    let (_sandbox, _daemon, mut shim) = connected().await;
    let call = || json!({ "count": 30, "ms": 20 });
    let one = shim
        .call_with_progress("test_flood", call(), json!("one"))
        .await;
    let two = shim
        .call_with_progress("test_flood", call(), json!("two"))
        .await;
    let mut news = Vec::new();
    let mut open = vec![(one, "one"), (two, "two")];
    while !open.is_empty() {
        let message = shim.recv().await;
        if let Some(at) = open.iter().position(|(id, _)| message["id"] == *id) {
            open.remove(at);
        } else {
            let token = message["params"]["progressToken"]
                .as_str()
                .unwrap()
                .to_owned();
            let waiting = open.iter().any(|(_, name)| *name == token);
            assert!(waiting, "progress after the answer: {message}");
            news.push(message);
        }
    }
    for token in ["one", "two"] {
        let of = |m: &&Value| m["params"]["progressToken"] == token;
        let own: Vec<Value> = news.iter().filter(of).cloned().collect();
        assert!(check(&own, &json!(token)) >= 2);
    }
}

/// A silent tool is not a silent wait: the daemon's own heartbeat is heard.
#[tokio::test]
async fn r10_a_tool_that_says_nothing_is_heard_of_all_the_same() {
    let mut sandbox = by_hand();
    sandbox.set("EXAI_WS_PROGRESS_INTERVAL_SECS", "0.3");
    let _daemon = sandbox.daemon().await;
    let mut shim = window(&sandbox).await;
    let id = shim
        .call_with_progress("test_sleep", json!({ "ms": 3000 }), json!(1))
        .await;
    let (news, answer) = until_answered(&mut shim, id).await;
    ok_text(&answer["result"]);
    assert!(check(&news, &json!(1)) >= 4, "{news:?}");
}

#[tokio::test]
async fn r10_waiting_for_a_daemon_is_progress_too() {
    let mut sandbox = by_hand();
    sandbox.set("EXAI_SHIM_CONNECT_WAIT", "2");
    let mut shim = sandbox.shim();
    shim.initialize("2025-11-25").await;
    let id = shim
        .call_with_progress("version", json!({}), json!("w"))
        .await;
    let (news, answer) = until_answered(&mut shim, id).await;
    failure(&answer["result"]);
    assert!(check(&news, &json!("w")) >= 2, "{news:?}");
    let words = news[0]["params"]["message"].as_str().unwrap();
    assert!(words.contains("waiting for the exai daemon"), "{words}");
}

#[tokio::test]
async fn r10_a_token_that_is_none_is_no_wish_and_the_call_runs() {
    let (_sandbox, _daemon, mut shim) = connected().await;
    for token in [json!(null), json!({}), json!([1]), json!(true)] {
        let id = shim
            .call_with_progress("test_flood", json!({ "count": 3, "ms": 10 }), token)
            .await;
        let (news, answer) = until_answered(&mut shim, id).await;
        ok_text(&answer["result"]);
        assert_eq!(news, Vec::<Value>::new());
    }
}

#[tokio::test]
async fn r10_the_new_era_hears_it_as_well() {
    let (sandbox, _daemon, _) = connected().await;
    let mut shim = sandbox.shim();
    let params = json!({ "name": "test_flood", "arguments": { "count": 20, "ms": 30 },
        "_meta": { "progressToken": "m" } });
    let id = shim.modern_request("tools/call", params).await;
    let (news, answer) = until_answered(&mut shim, id).await;
    ok_text(&answer["result"]);
    assert!(check(&news, &json!("m")) >= 2);
}
