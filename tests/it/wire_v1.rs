//! The predecessor's clients, replayed from their own bytes against the real daemon.

use exai_testkit::{Daemon, Frame, Must as _, PATIENCE, Sandbox, Ws};
use serde_json::{Value, json};
use std::{fs, path::PathBuf, time::Duration};

/// The token that stands in the recorded hello.
const TOKEN: &str = "secret";

fn golden(name: &str) -> String {
    let folder =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../crates/exai-protocol/tests/frames");
    let text = fs::read_to_string(folder.join(name)).must(format_args!("read {name}"));
    text.trim_end().to_owned()
}

fn keys(text: &str) -> Vec<String> {
    let value: Value = serde_json::from_str(text).must("read a frame");
    value
        .as_object()
        .must("read an object")
        .keys()
        .cloned()
        .collect()
}

async fn served() -> (Sandbox, Daemon) {
    let mut sandbox = Sandbox::new();
    sandbox
        .set("EXAI_WS_TOKEN", TOKEN)
        .set("EXAI_WS_PROGRESS_INTERVAL_SECS", "0.3");
    let daemon = sandbox.daemon_with_token(TOKEN).await;
    (sandbox, daemon)
}

async fn welcome(sandbox: &Sandbox) -> Ws {
    let mut ws = Ws::connect(sandbox.port()).await;
    ws.send_text(&golden("v1/client_hello_with_token.json"))
        .await;
    let ack = ws.recv().await.to_string();
    assert_eq!(
        keys(&ack),
        keys(&golden("v1/daemon_hello_ack_ok.json")),
        "{ack}"
    );
    ws
}

#[tokio::test]
async fn i08_a_recorded_v1_session_gets_v1s_frames_in_v1s_order() {
    let (sandbox, _daemon) = served().await;
    let mut ws = welcome(&sandbox).await;
    // The very next frame answers; nothing unsolicited comes before it.
    ws.send_text(&golden("v1/client_list_tools.json")).await;
    let list = ws.recv().await;
    assert_eq!(
        keys(&list.to_string()),
        keys(&golden("v1/daemon_list_tools_res.json"))
    );
    let names: Vec<&str> = list["tools"]
        .as_array()
        .must("read the tools")
        .iter()
        .filter_map(|tool| tool["name"].as_str())
        .collect();
    assert!(names.is_sorted() && names.contains(&"version"), "{names:?}");
    for tool in list["tools"].as_array().must("read the tools") {
        assert!(
            tool["description"].is_string() && tool["inputSchema"]["type"] == "object",
            "{tool}"
        );
    }
    ws.send_text(&golden("v1/client_health.json")).await;
    let health = ws.recv().await;
    assert_eq!(health["op"], "health_res");
    assert!(health["ok"] == true && health.get("request_id").is_none());
    for name in ["t", "sessions", "global_capacity"] {
        assert!(health["health"][name].is_number(), "{name}: {health}");
    }
    // The note, the ack, heartbeats, the result.
    let gate = sandbox.gate("long");
    ws.call_as("long", "test_sleep", gate.holds(json!({})))
        .await;
    let (note, ack) = (ws.recv().await, ws.recv().await);
    assert_eq!(
        keys(&note.to_string()),
        keys(&golden("v1/daemon_progress_admission.json"))
    );
    let recorded: Value =
        serde_json::from_str(&golden("v1/daemon_progress_admission.json")).must("read");
    assert_eq!(note["note"], recorded["note"]);
    assert_eq!(
        keys(&ack.to_string()),
        keys(&golden("v1/daemon_call_tool_ack.json"))
    );
    assert!(ack["accepted"] == true && ack["timeout"] == 600, "{ack}");
    let mut beats = 0;
    let end = loop {
        let frame = ws.recv().await;
        if frame["op"] != "progress" {
            break frame;
        }
        assert_eq!(
            keys(&frame.to_string()),
            keys(&golden("v1/daemon_progress_heartbeat.json"))
        );
        beats += 1;
        if beats == 2 {
            gate.open();
        }
    };
    assert!(beats >= 2, "{beats}");
    assert_eq!(
        keys(&end.to_string()),
        keys(&golden("v1/daemon_call_tool_res_ok.json"))
    );
    assert_eq!(
        end["outputs"],
        json!([{ "type": "text", "text": "let go" }])
    );
    assert_eq!(end["text"], "let go");
    assert_eq!(ws.next(Duration::from_millis(200)).await, Frame::Silence);
}

#[tokio::test]
async fn i08_every_recorded_client_frame_is_answered() {
    let (sandbox, _daemon) = served().await;
    let mut ws = welcome(&sandbox).await;
    // A tool of another time, a model nobody has a key for, a decorated name, an id of either
    // spelling, and none at all.
    let recorded = golden("v1/client_call_tool.json");
    let of_another_time = recorded.replace("kimi_upload_and_extract", "kimi_intent_analysis");
    assert_ne!(recorded, of_another_time);
    for (frame, id, code, beginning) in [
        (
            of_another_time,
            "6194a1f0-52c1-4f7e-9f1b-0d6a3c9b8e11",
            "TOOL_NOT_FOUND",
            "Unknown tool: ",
        ),
        // Under an id of its own: a later frame has the recorded one, for another call.
        (
            recorded.replace("8e11", "8e12"),
            "6194a1f0-52c1-4f7e-9f1b-0d6a3c9b8e12",
            "INVALID_ARGUMENT",
            "none of the files could be read:",
        ),
        (
            golden("v1/client_call_tool_hex_id.json"),
            "6194a1f052c14f7e9f1b0d6a3c9b8e11",
            "UNAVAILABLE",
            "the model 'glm-4.5-flash' cannot be asked: ",
        ),
    ] {
        ws.send_text(&frame).await;
        let end = ws.result(id).await;
        assert_eq!(
            keys(&end.to_string()),
            keys(&golden("v1/daemon_call_tool_res_not_found.json"))
        );
        assert_eq!(end["error"]["code"], code, "{end}");
        let words = end["error"]["message"].as_str().unwrap_or_default();
        assert!(words.starts_with(beginning), "{words}");
        assert!(
            end["error"].get("ran").is_none(),
            "V1 has no such field: {end}"
        );
    }
    let mut minted = Vec::new();
    for _ in 0..2 {
        ws.send_text(&golden("v1/client_call_tool_no_id.json"))
            .await;
        let end = ws.recv_op("call_tool_res").await;
        assert!(
            end["text"]
                .as_str()
                .is_some_and(|text| text.contains("exai-daemon")),
            "{end}"
        );
        minted.push(end["request_id"].to_string());
    }
    assert_ne!(minted[0], minted[1], "calls without an id never share one");
    ws.send_text(&golden("v2/client_call_tool_null_arguments.json"))
        .await;
    assert!(ws.recv_op("call_tool_res").await.get("error").is_none());
    ws.send_text(&golden("v2/client_list_tools_with_extras.json"))
        .await;
    assert_eq!(ws.recv_op("list_tools_res").await["request_id"], "l-1");
    // The token is its owner's, so there is nothing to rotate; and not by this old one.
    ws.send_text(&golden("v1/client_rotate_token.json")).await;
    let refused = ws.recv_op("rotate_token_res").await.to_string();
    assert_eq!(
        refused,
        golden("v1/daemon_rotate_token_res_unauthorized.json")
    );
    ws.send(&json!({ "op": "rotate_token", "old": "", "new": "b" }))
        .await;
    let refused = ws.recv_op("rotate_token_res").await.to_string();
    assert_eq!(
        refused,
        golden("v1/daemon_rotate_token_res_missing_params.json")
    );
}

#[tokio::test]
async fn i08_v1s_refusals_come_byte_for_byte() {
    let (sandbox, _daemon) = served().await;
    let mut ws = welcome(&sandbox).await;
    for (text, answer) in [
        ("not json", "error_invalid_json"),
        ("[1]", "error_not_an_object"),
        ("{\"x\":1}", "error_no_op"),
        ("{\"op\":7}", "error_no_op"),
        ("{\"op\":\"call_tool\"}", "error_no_name"),
        ("{\"op\":\"call_tool\",\"name\":\"\"}", "error_no_name"),
        (
            "{\"op\":\"call_tool\",\"name\":\"x\",\"request_id\":1}",
            "error_request_id",
        ),
        (
            "{\"op\":\"call_tool\",\"name\":\"x\",\"arguments\":[]}",
            "error_arguments",
        ),
        (
            "{\"op\":\"rotate_token\",\"old\":1,\"new\":2}",
            "error_rotate_token",
        ),
        ("{\"op\":\"dance\"}", "error_unknown_op"),
    ] {
        ws.send_text(text).await;
        let refused = ws.recv().await.to_string();
        assert_eq!(
            refused,
            golden(&format!("v1/daemon_{answer}.json")),
            "{text}"
        );
    }
    ws.send_text("{\"op\":\"hello\"}").await;
    assert_eq!(ws.recv().await["message"], "Unknown op: hello");
    for (text, answer) in [
        ("no json", "hello_ack_invalid_hello"),
        ("{\"op\":\"health\"}", "hello_ack_missing_hello"),
        (&*golden("v1/client_hello.json"), "hello_ack_unauthorized"),
        (
            &*golden("v2/client_hello_v4.json"),
            "hello_ack_unauthorized",
        ),
    ] {
        let mut ws = Ws::connect(sandbox.port()).await;
        ws.send_text(text).await;
        assert_eq!(
            ws.recv().await.to_string(),
            golden(&format!("v1/daemon_{answer}.json")),
            "{text}"
        );
    }
}

/// V1's clients ask for the text twice unless told that nobody needs it.
#[tokio::test]
async fn i08_the_copy_of_the_text_can_be_switched_off() {
    let mut sandbox = Sandbox::new();
    sandbox.set("EXAI_WS_COMPAT_TEXT", "false");
    let _daemon = sandbox.daemon().await;
    let mut ws = sandbox.ws().await;
    let end = ws.call_and_wait("test_sleep", json!({})).await;
    assert_eq!(keys(&end.to_string()), ["op", "request_id", "outputs"]);
}

#[tokio::test]
async fn i08_names_as_clients_decorate_them_are_understood() {
    let sandbox = Sandbox::new();
    let _daemon = sandbox.daemon().await;
    let mut ws = sandbox.ws().await;
    for name in [
        "version",
        "version_EXAI-WS",
        "version-EXAI_WS",
        "version_exai",
        "mcp__exai__version",
    ] {
        let end = ws.call_and_wait(name, json!({})).await;
        assert!(end.get("error").is_none(), "{name}: {end}");
    }
    for name in ["Version", "versions", "exai", "mcp__other__version_"] {
        let end = ws.call_and_wait(name, json!({})).await;
        assert_eq!(end["error"]["code"], "TOOL_NOT_FOUND", "{name}: {end}");
        assert!(
            end["error"]["message"]
                .as_str()
                .is_some_and(|words| words.contains(name)),
            "{end}"
        );
    }
}

#[tokio::test]
async fn two_clients_at_once_list_and_call() {
    let sandbox = Sandbox::new();
    let _daemon = sandbox.daemon().await;
    let (mut one, mut two) = (sandbox.ws().await, sandbox.ws().await);
    for _ in 0..20 {
        for ws in [&mut one, &mut two] {
            ws.send(&json!({ "op": "list_tools" })).await;
            ws.call_as("same-id", "test_sleep", json!({ "ms": 5 }))
                .await;
        }
        for ws in [&mut one, &mut two] {
            assert!(ws.recv_op("list_tools_res").await["tools"].is_array());
            assert_eq!(ws.result("same-id").await["text"], "slept 5 ms");
        }
    }
    // Neither client has an id of its own, so the one name is two calls; the rest are repeats.
    let ok = |sandbox: &Sandbox| {
        sandbox
            .records_of("same-id")
            .iter()
            .filter(|record| record["outcome"] == "ok")
            .count()
    };
    exai_testkit::eventually(PATIENCE, "each ran once", || ok(&sandbox) == 2).await;
}
