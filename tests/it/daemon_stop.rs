//! The end of a daemon: what runs may finish, what waits is told, who asked gets an answer,
//! and nothing is lost on the way.

use exai_testkit::{
    Frame, Handshake, Must as _, PATIENCE, Process, Sandbox, Stopwatch, Ws, eventually, is_alive,
};
use serde_json::{Value, json};
use std::time::Duration;

fn code(frame: &Value) -> &str {
    frame["error"]["code"].as_str().unwrap_or("none")
}

/// A sandbox whose daemon runs one call at a time.
fn narrow() -> Sandbox {
    let mut sandbox = Sandbox::new();
    sandbox
        .set("EXAI_WS_GLOBAL_MAX_INFLIGHT", "1")
        .set("EXAI_WS_SESSION_MAX_INFLIGHT", "1");
    sandbox
}

async fn running(ws: &mut Ws, id: &str) {
    ws.recv_where(|frame| frame["op"] == "call_tool_ack" && frame["request_id"] == id)
        .await;
}

async fn nothing_is_left(sandbox: &Sandbox) {
    let check = sandbox.cli(&["logs", "check"]).await.ok();
    assert!(
        check.stdout.contains("open=0 violations=0"),
        "{}",
        check.all()
    );
    assert!(
        sandbox
            .log("ws_daemon.log")
            .contains("calls: shutdown boot=")
    );
}

#[tokio::test]
async fn r25_stop_lets_running_calls_finish_and_answers_the_rest() {
    let sandbox = narrow();
    let mut daemon = sandbox.daemon().await;
    let mut ws = sandbox.ws().await;
    let gate = sandbox.gate("runs");
    ws.call_as("runs", "test_sleep", gate.holds(json!({})))
        .await;
    running(&mut ws, "runs").await;
    ws.call_as("waits", "test_sleep", json!({ "ms": 1500 }))
        .await;
    ws.recv_where(|frame| frame["request_id"] == "waits" && frame["note"].is_string())
        .await;
    let mut stop = sandbox.command("exai-daemon");
    stop.arg("stop");
    let mut stop = sandbox.spawn(stop);
    // The queued one is told at once, not when the running one is done.
    let waited = ws.result("waits").await;
    assert_eq!(code(&waited), "SHUTTING_DOWN", "{waited}");
    assert_eq!(waited["error"]["retry_after"], 1, "{waited}");
    assert!(daemon.is_running() && stop.is_running());
    // A new one is refused while the old one runs, and other questions are answered.
    ws.call_as("late", "test_sleep", json!({ "ms": 0 })).await;
    assert_eq!(code(&ws.result("late").await), "SHUTTING_DOWN");
    ws.send(&json!({ "op": "health", "request_id": "h" })).await;
    assert_eq!(
        ws.recv_op("health_res").await["health"]["state"],
        "draining"
    );
    gate.open();
    let ran = ws.result("runs").await;
    assert_eq!(ran["text"], "let go", "{ran}");
    assert_eq!(ws.closed().await.map(|(code, _)| code), Some(1001));
    assert_eq!(stop.wait(PATIENCE).await.code(), Some(0), "{}", stop.said());
    assert!(
        stop.said().contains("ws_daemon: stopped"),
        "{}",
        stop.said()
    );
    // When `stop` has returned, the process is gone.
    assert!(!is_alive(daemon.id()));
    assert!(daemon.wait(PATIENCE).await.success());
    nothing_is_left(&sandbox).await;
    assert_eq!(sandbox.records_of("runs")[0]["outcome"], "ok");
    for id in ["waits", "late"] {
        assert_eq!(sandbox.records_of(id)[0]["outcome"], "unavailable", "{id}");
    }
}

#[tokio::test]
async fn r25_after_the_drain_the_rest_is_answered_and_the_daemon_ends() {
    let sandbox = Sandbox::new();
    let mut daemon = sandbox.daemon().await;
    let mut ws = sandbox.ws().await;
    for (id, tool) in [("sleeps", "test_sleep"), ("blocks", "test_block")] {
        ws.call_as(id, tool, json!({ "ms": 60_000 })).await;
        running(&mut ws, id).await;
    }
    let began = Stopwatch::start();
    let mut stop = sandbox.command("exai-daemon");
    stop.args(["stop", "--drain", "0.5"]);
    let mut stop = sandbox.spawn(stop);
    for id in ["sleeps", "blocks"] {
        let cut = ws.result(id).await;
        assert_eq!(code(&cut), "SHUTTING_DOWN", "{cut}");
    }
    assert_eq!(stop.wait(PATIENCE).await.code(), Some(0), "{}", stop.said());
    assert!(daemon.wait(PATIENCE).await.success());
    assert!(
        began.elapsed() < Duration::from_secs(10),
        "{:?}",
        began.elapsed()
    );
    nothing_is_left(&sandbox).await;
    for id in ["sleeps", "blocks"] {
        let records = sandbox.records_of(id);
        assert_eq!(records.len(), 1);
        assert_eq!(records[0]["code"], "SHUTTING_DOWN");
        assert!(
            records[0]["run_ms"].is_number(),
            "it did run: {}",
            records[0]
        );
    }
}

#[tokio::test]
async fn r25_the_request_to_stop_is_itself_answered() {
    let sandbox = Sandbox::new();
    let mut daemon = sandbox.daemon().await;
    let mut ws = sandbox.ws().await;
    let gate = sandbox.gate("runs");
    let id = ws.call("test_sleep", gate.holds(json!({}))).await;
    running(&mut ws, &id).await;
    ws.send(
        &json!({ "op": "shutdown", "request_id": "bye", "drain_ms": 60_000, "reason": "test" }),
    )
    .await;
    let reply = ws.recv_op("shutdown_res").await;
    assert_eq!(reply["request_id"], "bye");
    assert_eq!(reply["pid"], daemon.id());
    assert_eq!(reply["in_flight"], 1);
    gate.open();
    assert_eq!(ws.result(&id).await["text"], "let go");
    assert_eq!(ws.closed().await.map(|(code, _)| code), Some(1001));
    assert!(daemon.wait(PATIENCE).await.success());
    assert!(
        sandbox
            .log("ws_daemon.log")
            .contains("asked to end reason=test")
    );
}

#[cfg(unix)]
#[tokio::test]
async fn r25_a_signal_drains_too_and_a_second_one_hurries() {
    let sandbox = Sandbox::new();
    let mut daemon = sandbox.daemon().await;
    let mut ws = sandbox.ws().await;
    let gate = sandbox.gate("short");
    ws.call_as("short", "test_sleep", gate.holds(json!({})))
        .await;
    ws.call_as("long", "test_sleep", json!({ "ms": 60_000 }))
        .await;
    // Both: what has not begun when it is told to end does not begin any more.
    running(&mut ws, "short").await;
    running(&mut ws, "long").await;
    daemon.terminate();
    eventually(PATIENCE, "it drains", || {
        sandbox.log("ws_daemon.log").contains("asked to end")
    })
    .await;
    gate.open();
    assert_eq!(ws.result("short").await["text"], "let go");
    assert!(daemon.is_running(), "the long one has its time");
    let began = Stopwatch::start();
    daemon.interrupt();
    assert_eq!(code(&ws.result("long").await), "SHUTTING_DOWN");
    assert!(daemon.wait(PATIENCE).await.success());
    assert!(
        began.elapsed() < Duration::from_secs(8),
        "{:?}",
        began.elapsed()
    );
    nothing_is_left(&sandbox).await;
}

#[tokio::test]
async fn r25_nobody_new_is_let_in_while_it_drains() {
    let sandbox = Sandbox::new();
    let mut daemon = sandbox.daemon().await;
    let token = sandbox.token().must("read the token");
    let mut ws = sandbox.ws().await;
    let gate = sandbox.gate("runs");
    let id = ws.call("test_sleep", gate.holds(json!({}))).await;
    running(&mut ws, &id).await;
    daemon.terminate();
    eventually(PATIENCE, "it drains", || {
        sandbox.log("ws_daemon.log").contains("asked to end")
    })
    .await;
    eventually(PATIENCE, "its door is closed", || {
        std::net::TcpStream::connect(("127.0.0.1", sandbox.port())).is_err()
    })
    .await;
    if let Some(mut late) = Ws::try_connect(sandbox.port()).await {
        let heard = late.hello(&Handshake::v1(&token)).await;
        assert!(matches!(heard, Frame::Closed(_)), "{heard:?}");
    }
    gate.open();
    assert_eq!(ws.result(&id).await["text"], "let go");
    assert!(daemon.wait(PATIENCE).await.success());
}

#[tokio::test]
async fn r26_a_stop_is_noted_before_the_daemon_is_gone() {
    let sandbox = Sandbox::new();
    let mut daemon = sandbox.daemon().await;
    let mut ws = sandbox.ws().await;
    let gate = sandbox.gate("runs");
    let id = ws.call("test_sleep", gate.holds(json!({}))).await;
    running(&mut ws, &id).await;
    let mut stop = sandbox.command("exai-daemon");
    stop.arg("stop");
    let mut stop = sandbox.spawn(stop);
    eventually(PATIENCE, "the wish is noted", || {
        sandbox.run_path("stopped").exists()
    })
    .await;
    assert!(daemon.is_running(), "noted first, ended then");
    gate.open();
    assert!(stop.wait(PATIENCE).await.success());
    assert!(daemon.wait(PATIENCE).await.success());
    assert!(sandbox.run_path("stopped").exists());
}

#[tokio::test]
async fn r26_no_shim_brings_back_what_its_owner_stopped() {
    let sandbox = Sandbox::new();
    let mut shim = sandbox.shim();
    shim.initialize("2025-06-18").await;
    let result = shim.call_tool("version", json!({})).await;
    assert_ne!(result["isError"], true, "{result}");
    let first = sandbox.daemon_pid().must("read the record");
    sandbox.cli(&["stop"]).await.ok();
    assert!(!is_alive(first));
    let result = shim.call_tool("version", json!({})).await;
    assert_eq!(result["isError"], true, "{result}");
    let words = exai_testkit::Shim::text_of(&result);
    assert!(
        words.contains("stopped by you") && words.contains("exai-daemon start"),
        "{words}"
    );
    // Long enough for several of its attempts.
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert!(sandbox.processes("exai-daemon").is_empty());
    }
    sandbox.cli(&["start"]).await.ok();
    eventually(PATIENCE, "the shim is back", || shim.is_running()).await;
    let result = shim.call_tool("version", json!({})).await;
    assert_ne!(result["isError"], true, "{result}");
}

/// A while in which it does not end.
async fn while_it_runs(process: &mut Process, time: Duration) {
    tokio::time::sleep(time).await;
    assert!(process.is_running(), "{}", process.said());
}

#[tokio::test]
async fn r17_a_start_during_the_drain_waits_and_brings_up_the_next() {
    let sandbox = Sandbox::new();
    let mut daemon = sandbox.daemon().await;
    let mut ws = sandbox.ws().await;
    let gate = sandbox.gate("runs");
    let id = ws.call("test_sleep", gate.holds(json!({}))).await;
    running(&mut ws, &id).await;
    daemon.terminate();
    eventually(PATIENCE, "it drains", || {
        sandbox.log("ws_daemon.log").contains("asked to end")
    })
    .await;
    let mut start = sandbox.command("exai-daemon");
    start.arg("start");
    let mut start = sandbox.spawn(start);
    // It has begun to wait; let go of only then.
    while_it_runs(&mut start, Duration::from_secs(1)).await;
    gate.open();
    assert_eq!(
        ws.result(&id).await["text"],
        "let go",
        "the old one was not hurried"
    );
    assert_eq!(start.wait(PATIENCE).await.code(), Some(0));
    assert!(
        start.said().contains("ws_daemon: started"),
        "{}",
        start.said()
    );
    assert!(daemon.wait(PATIENCE).await.success());
    assert_ne!(sandbox.daemon_pid(), Some(daemon.id()));
    assert!(
        sandbox
            .ws()
            .await
            .call_and_wait("version", json!({}))
            .await
            .get("error")
            .is_none()
    );
}

#[tokio::test]
async fn r25_many_stops_at_once_all_end_well() {
    let sandbox = Sandbox::new();
    sandbox.cli(&["start"]).await.ok();
    let mut stops: Vec<_> = (0..5)
        .map(|_| {
            let mut stop = sandbox.command("exai-daemon");
            stop.args(["stop", "--drain", "5"]);
            sandbox.spawn(stop)
        })
        .collect();
    for stop in &mut stops {
        assert_eq!(stop.wait(PATIENCE).await.code(), Some(0), "{}", stop.said());
    }
    assert!(sandbox.processes("exai-daemon").is_empty());
    nothing_is_left(&sandbox).await;
}

#[tokio::test]
async fn r25_a_restart_lets_running_calls_finish_too() {
    let sandbox = Sandbox::new();
    sandbox.cli(&["start"]).await.ok();
    let first = sandbox.daemon_pid().must("read the record");
    let mut ws = sandbox.ws().await;
    let gate = sandbox.gate("runs");
    let id = ws.call("test_sleep", gate.holds(json!({}))).await;
    running(&mut ws, &id).await;
    let mut restart = sandbox.command("exai-daemon");
    restart.arg("restart");
    let mut restart = sandbox.spawn(restart);
    // The new daemon is there before the calls of the old one have ended.
    assert_eq!(
        restart.wait(PATIENCE).await.code(),
        Some(0),
        "{}",
        restart.said()
    );
    assert!(is_alive(first));
    gate.open();
    assert_eq!(ws.result(&id).await["text"], "let go");
    eventually(PATIENCE, "the first daemon to end", || !is_alive(first)).await;
    assert_ne!(sandbox.daemon_pid(), Some(first));
    assert!(!sandbox.run_path("stopped").exists());
}
