//! How much at once and how often: who asks too much is told which limit and when to come back,
//! nobody else notices, and nothing that was promised is lost.

use exai_testkit::{Daemon, Must as _, PATIENCE, Sandbox, Stopwatch, Ws, eventually};
use serde_json::{Value, json};
use std::{collections::BTreeSet, time::Duration};

const RICH: &[&str] = &["rich_results", "progress", "brief"];

async fn health(sandbox: &Sandbox) -> Value {
    let (mut ws, _) = sandbox.modern("looks", &[]).await;
    ws.send(&json!({ "op": "health", "request_id": "h" })).await;
    let mut reply = ws.recv_op("health_res").await;
    reply["health"].take()
}

fn error_of(result: &Value) -> (&str, &str, u64, &str) {
    let error = &result["error"];
    (
        error["code"].as_str().unwrap_or("ok"),
        error["ran"].as_str().unwrap_or_default(),
        error["retry_after"].as_u64().unwrap_or_default(),
        error["message"].as_str().unwrap_or_default(),
    )
}

async fn limited(settings: &[(&str, &str)]) -> (Sandbox, Daemon) {
    let mut sandbox = Sandbox::new();
    for (name, value) in settings {
        sandbox.set(name, value);
    }
    let daemon = sandbox.daemon().await;
    (sandbox, daemon)
}

/// Calls that ended between the receipt of a call and its end, as recorded. One call runs at a
/// time, so these are the ones it waited for.
fn delays(log: &str, id: &str) -> usize {
    let lines: Vec<&str> = log.lines().collect();
    let at = |event: &str| {
        let is_it = |line: &&str| line.contains(event) && line.contains(&format!(" id={id} "));
        lines.iter().position(is_it).must("find the call's line")
    };
    let meanwhile = &lines[at(RECEIVED)..at(FINISHED)];
    let others = meanwhile.iter().filter(|line| line.contains(FINISHED));
    others.count()
}

const RECEIVED: &str = " calls: received ";
const FINISHED: &str = " calls: finished ";

#[tokio::test]
async fn r38_a_window_with_500_queued_calls_delays_another_by_two_at_most() {
    let (sandbox, _daemon) = limited(&[("EXAI_WS_GLOBAL_MAX_INFLIGHT", "1")]).await;
    let (mut greedy, _) = sandbox.modern("greedy", RICH).await;
    for n in 0..500 {
        greedy
            .call_as(&format!("g{n}"), "test_sleep", json!({ "ms": 300 }))
            .await;
    }
    greedy.result("g0").await;
    let (mut modest, _) = sandbox.modern("modest", RICH).await;
    let mut late = Vec::new();
    for n in 0..5 {
        let (id, watch) = (format!("m{n}"), Stopwatch::start());
        modest.call_as(&id, "test_sleep", json!({ "ms": 1 })).await;
        let result = modest.result(&id).await;
        assert_eq!(error_of(&result).0, "ok", "{result}");
        late.push(watch.stood_still().as_millis());
    }
    let queued = health(&sandbox).await["queued"].as_u64();
    assert!(queued.is_some_and(|queued| queued > 300), "{queued:?} wait");
    let log = || sandbox.log("ws_daemon.log");
    eventually(PATIENCE, "the last of them is recorded", || {
        let is_last = |line: &str| line.contains(FINISHED) && line.contains(" id=m4 ");
        log().lines().any(is_last)
    })
    .await;
    let log = log();
    for (n, late) in late.into_iter().enumerate() {
        let delays = delays(&log, &format!("m{n}"));
        // A machine that stood still after it was received lets one go that had begun.
        let most = if late < 100 { 2 } else { 3 };
        assert!(delays <= most, "m{n} waited for {delays} calls");
    }
}

#[tokio::test]
async fn one_client_cannot_fill_the_whole_line() {
    let settings = [
        ("EXAI_WS_GLOBAL_MAX_INFLIGHT", "1"),
        ("EXAI_WS_SESSION_QUEUE_CALLS", "3"),
    ];
    let (sandbox, _daemon) = limited(&settings).await;
    let (mut greedy, _) = sandbox.modern("greedy", RICH).await;
    let gate = sandbox.gate("line");
    for n in 0..4 {
        greedy
            .call_as(&format!("g{n}"), "test_sleep", gate.holds(json!({})))
            .await;
    }
    greedy.call_as("more", "test_sleep", json!({})).await;
    let refused = greedy.result("more").await;
    let (code, ran, retry_after, words) = error_of(&refused);
    assert_eq!((code, ran), ("OVER_CAPACITY", "no"), "{refused}");
    assert!(
        retry_after >= 1 && words.contains("3 of 3 calls"),
        "{refused}"
    );
    let (mut modest, _) = sandbox.modern("modest", RICH).await;
    let asked = modest.call("test_sleep", json!({})).await;
    modest
        .recv_where(|frame| frame["request_id"] == asked)
        .await;
    gate.open();
    let result = modest.result(&asked).await;
    assert_eq!(error_of(&result).0, "ok", "{result}");
    for n in 0..4 {
        let result = greedy.result(&format!("g{n}")).await;
        assert_eq!(error_of(&result).0, "ok", "{result}");
    }
    // By now it is known how long calls take.
    greedy.call_as("more", "test_sleep", json!({})).await;
    let result = greedy.result("more").await;
    assert_eq!(error_of(&result).0, "ok", "the same id may come again");
}

/// Results of two megabytes each, unread: far more than the kernel's buffers and the bound take.
const BULK: u64 = 2_000_000;

#[tokio::test]
async fn r08_a_slow_readers_calls_wait_more_are_refused_and_nothing_is_lost() {
    let (sandbox, _daemon) = limited(&[("EXAI_WS_SESSION_BYTES", "4 MiB")]).await;
    let (mut slow, _) = sandbox.modern("slow", RICH).await;
    for n in 0..60 {
        slow.call_as(&format!("b{n}"), "test_bulk", json!({ "bytes": BULK }))
            .await;
    }
    let stuck = |health: &Value| {
        let unread = health["limits"]["unread_bytes"]
            .as_u64()
            .unwrap_or_default();
        (unread > 4 << 20) && health["global_inflight"] == 0 && health["queued"] != 0
    };
    let mut seen = Value::Null;
    for _ in 0..600 {
        seen = health(&sandbox).await;
        if stuck(&seen) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(stuck(&seen), "{seen}");
    // Eight ran when the limit was passed; no more began.
    let unread = seen["limits"]["unread_bytes"].as_u64().unwrap_or_default();
    assert!(unread < (4 << 20) + 9 * 2_100_000, "{unread}");
    slow.call_as("more", "test_sleep", json!({})).await;
    let (mut other, _) = sandbox.modern("other", RICH).await;
    let served = other.call_and_wait("test_sleep", json!({})).await;
    assert_eq!(error_of(&served).0, "ok", "another window does not notice");
    let mut answered = BTreeSet::new();
    let mut refused = Value::Null;
    while answered.len() < 60 || refused.is_null() {
        let result = slow.recv_op("call_tool_res").await;
        let id = result["request_id"].as_str().must("read an id").to_owned();
        if id == "more" {
            refused = result;
            continue;
        }
        let text = result["outputs"][0]["text"].as_str().unwrap_or_default();
        assert_eq!(text.len() as u64, BULK, "{id}: {}", result["error"]);
        assert!(answered.insert(id), "answered once");
    }
    let (code, ran, retry_after, words) = error_of(&refused);
    assert_eq!((code, ran), ("OVER_CAPACITY", "no"), "{refused}");
    assert!(
        retry_after >= 1 && words.contains("has not read"),
        "{refused}"
    );
    slow.call_as("more", "test_sleep", json!({})).await;
    let result = slow.result("more").await;
    assert_eq!(error_of(&result).0, "ok", "the same id, once it has read");
    let after = health(&sandbox).await;
    assert_eq!(after["limits"]["refused"]["client_bytes"], 1, "{after}");
}

#[tokio::test]
async fn a_tools_rate_refuses_with_the_exact_wait_and_the_same_id_runs_once() {
    let (sandbox, _daemon) = limited(&[("EXAI_WS_TOOL_RATES", "test_count=12/min burst 2")]).await;
    let (mut watcher, _) = sandbox.modern("watcher", &["events"]).await;
    let topics = json!({ "op": "subscribe", "request_id": "s", "topics": ["limit_status"] });
    watcher.send(&topics).await;
    watcher.recv_op("subscribe_res").await;
    let (mut ws, _) = sandbox.modern("asks", RICH).await;
    let file = sandbox.work().join("count");
    let count = json!({ "file": file });
    for id in ["1", "2", "3", "4"] {
        ws.call_as(id, "test_count", count.clone()).await;
    }
    for id in ["1", "2"] {
        assert_eq!(error_of(&ws.result(id).await).0, "ok");
    }
    let mut wait = 0;
    for id in ["3", "4"] {
        let refused = ws.result(id).await;
        let (code, ran, retry_after, words) = error_of(&refused);
        assert_eq!((code, ran), ("OVER_CAPACITY", "no"), "{refused}");
        // One each five seconds; a part of the first has passed.
        assert!((1..=5).contains(&retry_after), "{refused}");
        wait = retry_after;
        assert!(
            words.contains("test_count may be called 12/min burst 2"),
            "{words}"
        );
    }
    let told = watcher.recv_op("event").await;
    let status = &told["data"]["limit_status"];
    assert_eq!(
        (&status["limit"], &status["subject"], &status["state"]),
        (
            &json!("tool_rate"),
            &json!("test_count"),
            &json!("shedding")
        ),
        "{told}"
    );
    let now = health(&sandbox).await;
    assert_eq!(now["limits"]["shedding"][0]["refused"], 2, "{now}");
    assert_eq!(now["limits"]["tool_rates"]["test_count"], "12/min burst 2");
    let said = sandbox.cli(&["status"]).await;
    assert!(
        said.stderr
            .contains("calls are refused: the limit tool_rate of test_count"),
        "{said:?}"
    );
    tokio::time::sleep(Duration::from_secs(wait)).await;
    ws.call_as("3", "test_count", count).await;
    let result = ws.result("3").await;
    assert_eq!(
        error_of(&result).0,
        "ok",
        "after the time it was told: {result}"
    );
    let lines = std::fs::read_to_string(file).must("read the count");
    assert_eq!(lines.lines().count(), 3, "what was refused has not run");
    let over = watcher.recv_op("event").await;
    let status = &over["data"]["limit_status"];
    assert_eq!(
        (&status["state"], &status["refused"]),
        (&json!("relieved"), &json!(2)),
        "{over}"
    );
}

#[tokio::test]
async fn p17_a_principals_rate_stops_a_runaway_and_leaves_looking_free() {
    let (sandbox, _daemon) = limited(&[("EXAI_WS_PRINCIPAL_RATE", "3/h")]).await;
    let (mut one, _) = sandbox.modern("one", RICH).await;
    let (mut two, _) = sandbox.modern("two", RICH).await;
    for n in 0..3 {
        let ws = if n == 1 { &mut two } else { &mut one };
        let result = ws.call_and_wait("test_sleep", json!({})).await;
        assert_eq!(error_of(&result).0, "ok", "{result}");
    }
    let refused = two.call_and_wait("test_sleep", json!({})).await;
    let (code, ran, retry_after, words) = error_of(&refused);
    assert_eq!((code, ran), ("OVER_CAPACITY", "no"), "{refused}");
    assert!((1195..=1200).contains(&retry_after), "{refused}");
    assert!(
        words.contains("3/h") && words.contains("did not run"),
        "{words}"
    );
    let looked = two.call_and_wait("version", json!({})).await;
    assert_eq!(error_of(&looked).0, "ok", "{looked}");
}

async fn comes_back(sandbox: &Sandbox) -> Ws {
    sandbox.modern("comes-back", RICH).await.0
}

#[tokio::test]
async fn what_was_answered_before_a_restart_is_no_new_call() {
    let (sandbox, mut daemon) = limited(&[("EXAI_WS_TOOL_RATES", "test_count_once=1/h")]).await;
    let file = sandbox.work().join("count");
    let count = json!({ "file": file });
    let mut ws = comes_back(&sandbox).await;
    ws.call_as("one", "test_count_once", count.clone()).await;
    assert_eq!(error_of(&ws.result("one").await).0, "ok");
    daemon.kill().await;
    drop(ws);
    let _daemon = sandbox.daemon().await;
    let mut ws = comes_back(&sandbox).await;
    for (id, code) in [("two", "ok"), ("three", "OVER_CAPACITY")] {
        ws.call_as(id, "test_count_once", count.clone()).await;
        assert_eq!(error_of(&ws.result(id).await).0, code, "{id}");
    }
    ws.call_as("one", "test_count_once", count).await;
    let result = ws.result("one").await;
    assert_eq!(
        (error_of(&result).0, &result["replayed"]),
        ("ok", &json!(true)),
        "{result}"
    );
    let lines = std::fs::read_to_string(file).must("read the count");
    assert_eq!(lines.lines().count(), 2);
}

#[tokio::test]
async fn rates_that_mean_nothing_are_named() {
    let mut sandbox = Sandbox::new();
    sandbox.set("EXAI_WS_TOOL_RATES", "chat=30");
    let failed = sandbox.cli(&["run"]).await;
    assert_eq!(failed.code, Some(3), "{failed:?}");
    assert!(
        failed.stderr.contains("EXAI_WS_TOOL_RATES") && failed.stderr.contains("chat=30/min"),
        "{failed:?}"
    );
    sandbox.set("EXAI_WS_TOOL_RATES", "chatt=30/min");
    let _daemon = sandbox.daemon().await;
    let said = sandbox.cli(&["status"]).await;
    assert!(said.stderr.contains("no tool is called that"), "{said:?}");
}
