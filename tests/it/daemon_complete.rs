//! The record is complete: what was refused before it became a call, and what a tool said
//! between two messages that its client saw.

use exai_testkit::{Must as _, PATIENCE, Sandbox, eventually};
use serde_json::{Value, json};

/// The lines of `progress.log` that are about one call.
fn said(sandbox: &Sandbox, id: &str) -> Vec<String> {
    let about = format!(" id={id} ");
    let log = sandbox.log("progress.log");
    let lines = log.lines().filter(|line| line.contains(&about));
    lines.map(str::to_owned).collect()
}

#[tokio::test]
async fn i05_every_message_of_a_tool_is_in_the_progress_log() {
    let sandbox = Sandbox::new();
    let _daemon = sandbox.daemon().await;
    let (mut ws, _) = sandbox.modern("reader", &["progress"]).await;
    ws.call_as("many", "test_flood", json!({ "count": 300, "ms": 1 }))
        .await;
    let mut seen = Vec::new();
    loop {
        let frame = ws.recv().await;
        match frame["op"].as_str() {
            Some("progress") => seen.extend(frame["message"].as_str().map(str::to_owned)),
            Some("call_tool_res") => break,
            _ => {}
        }
    }
    let lines = eventually(PATIENCE, "the last word is recorded", || {
        let lines = said(&sandbox, "many");
        let last = lines.last()?;
        last.contains("message 300 of 300").then_some(lines)
    })
    .await;
    assert_eq!(lines.len(), 300);
    for (at, line) in lines.iter().enumerate() {
        let message = format!(": message {} of 300 (tool=test_flood", at + 1);
        assert!(line.contains(&message), "{message:?} is not {line:?}");
    }
    assert!(!seen.is_empty() && seen.len() < 100, "{seen:?}");
    for message in &seen {
        let sent = format!(": {message} (");
        assert!(lines.iter().any(|line| line.contains(&sent)), "{message}");
    }
}

#[tokio::test]
async fn i05_a_flood_is_recorded_up_to_a_bound_and_the_rest_is_counted() {
    let sandbox = Sandbox::new();
    let mut daemon = sandbox.daemon().await;
    let mut ws = sandbox.ws().await;
    let count = 100_000;
    ws.call_as("flood", "test_flood", json!({ "count": count }))
        .await;
    ws.result("flood").await;
    let lines = eventually(PATIENCE, "the end is recorded", || {
        let lines = said(&sandbox, "flood");
        lines
            .last()
            .is_some_and(|line| line.contains("left out"))
            .then_some(lines)
    })
    .await;
    let (last, messages) = lines.split_last().must("have lines");
    assert!(
        messages
            .last()
            .is_some_and(|line| line.contains("message 100000 of 100000")),
        "the final word is there: {:?}",
        messages.last()
    );
    assert!(messages.len() < 2000, "{}", messages.len());
    let left_out = count - messages.len();
    assert!(
        last.contains(&format!(": {left_out} more messages were left out")),
        "{last}"
    );
    daemon.terminate();
    assert!(daemon.wait(PATIENCE).await.success());
}

#[tokio::test]
async fn i05_a_call_that_is_stopped_leaves_its_last_word() {
    let sandbox = Sandbox::new();
    let _daemon = sandbox.daemon().await;
    let mut ws = sandbox.ws().await;
    ws.send(
        &json!({ "op": "call_tool", "request_id": "late", "name": "test_flood",
        "arguments": { "count": 10_000, "ms": 40 }, "timeout_ms": 1500 }),
    )
    .await;
    let end = ws.result("late").await;
    assert_eq!(end["error"]["code"], "TIMEOUT", "{end}");
    // The last of many, which it said faster than anybody is told.
    let words = end["error"]["message"].as_str().unwrap_or_default();
    let last = words.find("message ").map(|at| &words[at..]);
    let last = last.unwrap_or_else(|| panic!("what it said last: {end}"));
    assert!(
        last.ends_with(" of 10000") && last != "message 1 of 10000",
        "{last}"
    );
    eventually(PATIENCE, "it is recorded", || {
        let lines = said(&sandbox, "late");
        lines.iter().rev().any(|line| line.contains(last))
    })
    .await;
}

/// Frames that mean a call and cannot be one; what their refusal says.
fn broken_calls() -> Vec<(String, &'static str)> {
    let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
    let call = |id: &str, rest: &str| format!(r#"{{"op":"call_tool","request_id":"{id}",{rest}}}"#);
    vec![
        (call("b-nameless", r#""arguments":{}"#), "'name'"),
        (call("b-number", r#""name":7"#), "'name'"),
        (
            call("b-array", r#""name":"version","arguments":[]"#),
            "JSON object",
        ),
        (
            call("b-patience", r#""name":"version","timeout_ms":-1"#),
            "timeout_ms",
        ),
        (call("b-roots", r#""name":"version","roots":5"#), "roots"),
        (
            call(
                "b-deep",
                &format!(r#""name":"version","arguments":{{"a":{deep}}}"#),
            ),
            "nested deeper",
        ),
        (
            call("b-twice", r#""name":"version","name":"status""#),
            "duplicate key",
        ),
    ]
}

#[tokio::test]
async fn r40_a_call_refused_before_it_was_one_is_in_every_file() {
    let sandbox = Sandbox::new();
    let mut daemon = sandbox.daemon().await;
    let mut ws = sandbox.ws().await;
    for (frame, words) in broken_calls() {
        ws.send_text(&frame).await;
        let refused = ws.recv_op("error").await;
        let said = refused["message"].as_str().unwrap_or_default();
        assert!(said.contains(words), "{frame}: {refused}");
    }
    // Without an id that can be read: recorded under one of the daemon's own.
    ws.send_text(r#"{"op":"call_tool","request_id":7,"name":"version"}"#)
        .await;
    ws.recv_op("error").await;
    // No call, whatever it is: a line of the log, and no record.
    for garbage in ["{", r#"{"op":"dance","request_id":"b-dance"}"#, "[]"] {
        ws.send_text(garbage).await;
        ws.recv_op("error").await;
    }
    daemon.terminate();
    assert!(daemon.wait(PATIENCE).await.success());
    for name in [
        "tool_failures.jsonl",
        "tool_calls_all.jsonl",
        "ws_daemon.metrics.jsonl",
    ] {
        let lines = sandbox.jsonl(name);
        for id in [
            "b-nameless",
            "b-number",
            "b-array",
            "b-patience",
            "b-roots",
            "b-deep",
            "b-twice",
        ] {
            let found: Vec<&Value> = lines
                .iter()
                .filter(|line| line["request_id"] == id)
                .collect();
            assert_eq!(found.len(), 1, "{id} in {name}");
            assert_eq!(found[0]["outcome"], "invalid_argument", "{}", found[0]);
        }
        assert_eq!(lines.len(), 8, "{name}: {lines:?}");
    }
    let array = &sandbox.records_of("b-array")[0];
    assert_eq!(
        (&array["tool"], &array["args_bytes"]),
        (&json!("version"), &json!(2))
    );
    let log = sandbox.log("ws_daemon.log");
    assert!(log.contains("Unknown op: dance"), "{log}");
    let check = sandbox.cli(&["logs", "check"]).await.ok();
    assert_eq!(check.code, Some(0), "{}", check.all());
}

/// A disk that stands still: the file of failures is a pipe that nobody reads.
#[cfg(unix)]
#[tokio::test]
async fn r40_a_disk_that_stands_still_loses_no_call_and_the_daemon_says_so() {
    const CALLS: usize = 8_700;
    let mut sandbox = Sandbox::new();
    sandbox.set("EXAI_WS_QUEUE_CALLS", "100");
    let mut daemon = sandbox.daemon().await;
    let pipe = sandbox.log_path("tool_failures.jsonl");
    std::fs::remove_file(&pipe).must("remove the file");
    #[expect(
        clippy::disallowed_methods,
        reason = "the system's own way to make a pipe with a name; nothing of ours"
    )]
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.must("run mkfifo").success());
    let (mut ws, mut other) = (sandbox.ws().await, sandbox.ws().await);
    ws.call_as("stall", "no_such_tool", json!({})).await;
    ws.result("stall").await;
    for n in 0..CALLS {
        ws.call_as(&format!("n{n}"), "version", json!({})).await;
    }
    let begin = std::time::Instant::now();
    loop {
        other.send(&json!({ "op": "health" })).await;
        let health = other.recv_op("health_res").await;
        if health.to_string().contains("100 calls wait for room") {
            break;
        }
        assert!(begin.elapsed() < PATIENCE, "{health}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    sandbox.cli(&["status"]).await.ok();
    let drained = tokio::task::spawn_blocking(move || std::fs::read(pipe));
    let mut ends = 0;
    while ends < CALLS {
        let frame = ws.recv().await;
        if frame["op"] == "call_tool_res" {
            assert!(frame.get("error").is_none(), "{frame}");
            ends += 1;
        }
    }
    daemon.terminate();
    assert!(daemon.wait(PATIENCE).await.success());
    let failures = drained.await.must("read along").must("read the pipe");
    assert_eq!(failures.iter().filter(|byte| **byte == b'\n').count(), 1);
    assert_eq!(sandbox.calls().len(), CALLS + 1);
    let check = sandbox.cli(&["logs", "check"]).await.ok();
    assert_eq!(check.code, Some(0), "{}", check.all());
}
