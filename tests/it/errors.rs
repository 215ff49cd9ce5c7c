//! What people and models read when something goes wrong.

use exai_testkit::{Sandbox, Ws};
use serde_json::{Value, json};

const RICH: &[&str] = &["progress", "rich_results"];

fn code(frame: &Value) -> &str {
    frame["error"]["code"].as_str().unwrap_or("none")
}

/// Provokes an error, and takes it apart: what, where, what next.
async fn words_of(ws: &mut Ws, id: &str) -> (String, String) {
    let end = ws.result(id).await;
    let error = &end["error"];
    assert!(error["ran"].is_string(), "whether it ran: {error}");
    (
        code(&end).to_owned(),
        error["message"].as_str().unwrap_or_default().to_owned(),
    )
}

#[tokio::test]
async fn i09_every_error_says_what_happened_where_and_what_to_do() {
    let mut sandbox = Sandbox::new();
    sandbox
        .set("EXAI_WS_GLOBAL_MAX_INFLIGHT", "1")
        .set("EXAI_WS_QUEUE_CALLS", "1")
        .set("EXAI_WS_RETAINED_RESULTS", "1")
        .set("EXAI_JOURNAL", "off")
        .set("EXAI_WS_MAX_BYTES", "65536");
    let _daemon = sandbox.daemon().await;
    let (mut ws, _) = sandbox.modern("window", RICH).await;
    let slow = json!({ "op": "call_tool", "request_id": "slow", "name": "test_sleep",
        "arguments": { "ms": 60_000 }, "timeout_ms": 100 });
    // Code, the call, and the words that name the thing, the place and the next step.
    let table: [(&str, Value, &[&str]); 8] = [
        (
            "TOOL_NOT_FOUND",
            call("typo", "test_sleeep", json!({})),
            &["test_sleeep", "did you mean", "test_sleep"],
        ),
        (
            "TOOL_NOT_FOUND",
            call("none", "qqqqqqqqqqq", json!({})),
            &["qqqqqqqqqqq", "tools_search"],
        ),
        (
            "INVALID_ARGUMENT",
            call("kind", "test_sleep", json!({ "ms": "x" })),
            &["'ms'", "whole number", "3600000", "\"x\""],
        ),
        (
            "INVALID_ARGUMENT",
            call("missing", "test_count", json!({})),
            &["'file'"],
        ),
        (
            "EXEC_ERROR",
            call("disk", "test_count", json!({ "file": "/no/where" })),
            &["/no/where", "No such file"],
        ),
        (
            "INTERNAL",
            call("panic", "test_panic", json!({})),
            &["test_panic", "bug in exai", "ws_daemon.log"],
        ),
        ("TIMEOUT", slow, &["test_sleep", "0.1s", "timeout_ms"]),
        (
            "TOO_LARGE",
            call("large", "test_bulk", json!({ "bytes": 100_000 })),
            &["65536", "collect"],
        ),
    ];
    for (expected, frame, words) in table {
        ws.send(&frame).await;
        let id = frame["request_id"].as_str().unwrap_or_default();
        let (code, said) = words_of(&mut ws, id).await;
        assert_eq!(code, expected, "{said}");
        for word in words {
            assert!(said.contains(word), "{code} does not say {word:?}: {said}");
        }
    }
    // The results above pushed one another out.
    ws.send(&call("missing", "test_count", json!({}))).await;
    let (code, said) = words_of(&mut ws, "missing").await;
    assert!(
        code == "EXPIRED" && said.contains("request_id"),
        "{code}: {said}"
    );
    for id in ["run", "wait", "full"] {
        ws.call_as(id, "test_sleep", json!({ "ms": 60_000 })).await;
    }
    let (code, said) = words_of(&mut ws, "full").await;
    assert_eq!(code, "OVER_CAPACITY");
    assert!(
        said.contains("queue is full") && said.contains("retry in 1s"),
        "{said}"
    );
    ws.send(&json!({ "op": "cancel", "request_id": "run", "reason": "a person pressed stop" }))
        .await;
    let (code, said) = words_of(&mut ws, "run").await;
    assert!(
        code == "CANCELLED" && said.contains("a person pressed stop"),
        "{code}: {said}"
    );
}

fn call(id: &str, tool: &str, arguments: Value) -> Value {
    json!({ "op": "call_tool", "request_id": id, "name": tool, "arguments": arguments })
}

#[tokio::test]
async fn i09_bad_frames_name_the_field_echo_the_id_and_leave_the_connection_alone() {
    let sandbox = Sandbox::new();
    let _daemon = sandbox.daemon().await;
    let (mut ws, _) = sandbox.modern("window", RICH).await;
    let long = "x".repeat(300);
    let cases = [
        (
            json!({ "op": "call_tool", "request_id": "i", "arguments": {} }),
            "'name'",
        ),
        (
            json!({ "op": "call_tool", "request_id": "i", "name": 7 }),
            "'name'",
        ),
        (
            json!({ "op": "call_tool", "request_id": "i", "name": "version", "arguments": [] }),
            "arguments",
        ),
        (
            json!({ "op": "call_tool", "request_id": "i", "name": "version", "timeout_ms": -1 }),
            "timeout_ms",
        ),
        (
            json!({ "op": "call_tool", "request_id": "i", "name": "version", "roots": 5 }),
            "roots",
        ),
        (
            json!({ "op": "cancel", "request_id": "i", "mode": "maybe" }),
            "'stop' or 'detach'",
        ),
        (
            json!({ "op": "collect", "request_id": "i", "offset": "1" }),
            "offset",
        ),
        (
            json!({ "op": "subscribe", "request_id": "i", "topics": ["nonsense"] }),
            "events",
        ),
        (
            json!({ "op": "rotate_token", "request_id": "i", "old": 1, "new": 2 }),
            "'old' and 'new'",
        ),
        (json!({ "op": "dance", "request_id": "i" }), "dance"),
        (json!({ "request_id": "i" }), "'op'"),
    ];
    for (frame, word) in cases {
        ws.send(&frame).await;
        let refused = ws.recv_op("error").await;
        assert_eq!(refused["request_id"], "i", "{frame} → {refused}");
        assert!(
            refused["message"]
                .as_str()
                .is_some_and(|said| said.contains(word)),
            "{frame} → {refused}"
        );
    }
    for (frame, word) in [
        (json!({ "op": "cancel" }), "request_id"),
        (json!({ "op": "attach" }), "request_id"),
        (json!({ "op": "health", "request_id": 7 }), "request_id"),
        (json!({ "op": "health", "request_id": long }), "256"),
    ] {
        ws.send(&frame).await;
        let refused = ws.recv_op("error").await;
        assert!(
            refused["message"]
                .as_str()
                .is_some_and(|said| said.contains(word)),
            "{frame} → {refused}"
        );
    }
    ws.send(&json!({ "op": "mcp", "request_id": "m", "method": "unheard/of", "params": {} }))
        .await;
    let answer = ws.recv_op("mcp_res").await;
    assert_eq!(
        (&answer["request_id"], &answer["error"]["code"]),
        (&json!("m"), &json!(-32601))
    );
    assert!(
        ws.call_and_wait("version", json!({}))
            .await
            .get("error")
            .is_none()
    );
}
