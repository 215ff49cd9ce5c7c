//! A named key's calls: proven over TCP, carried through a hand-over, and ended with the key.

use super::{asked, claiming, key, welcome};
use crate::{
    editor::{by_hand, ok_text, reached},
    link::{frames, tapped},
};
use exai_testkit::{Must as _, PATIENCE, Sandbox, eventually};
use serde_json::{Value, json};

/// A port with a tap before it: the key is proven, in both directions, and never shown.
#[tokio::test]
async fn s11_a_key_is_proven_over_tcp_and_is_not_on_the_wire() {
    let mut inside = by_hand();
    let (port, said, _tap) = tapped(inside.port()).await;
    inside
        .set("EXAI_WS_UNIX_SOCKET", "false")
        .set("EXAI_WS_ALLOWED_HOSTS", format!("127.0.0.1:{port}"));
    inside.write(
        "config/profiles.toml",
        "[keys.far]\nallow = [\"version\"]\n",
    );
    let _daemon = inside.daemon().await;
    let far = key(&inside, "far").await;
    let mut outside = Sandbox::on_port(port);
    outside
        .set("EXAI_WS_HOST", "127.0.0.1")
        .set("EXAI_WS_TOKEN", &far)
        .set("EXAI_SHIM_CONNECT_WAIT", "2");
    let mut shim = outside.shim();
    shim.initialize("2025-11-25").await;
    reached(&mut shim).await;
    let bytes = said.lock().must("read the tap").clone();
    assert!(!String::from_utf8_lossy(&bytes).contains(&far));
    let said = frames(&bytes);
    assert!(said[0].contains(r#""op":"prove""#), "{said:?}");
    assert!(said.iter().all(|frame| !frame.contains(&far)), "{said:?}");
    // It is that key's client: its rights hold, and it is nobody else.
    let id = shim.call("chat", json!({ "prompt": "x" })).await;
    let refused = shim.answer_within(id, PATIENCE).await;
    assert!(refused.to_string().contains("switched off"), "{refused}");
    let refused = outside.cli(&["token", "rotate"]).await;
    assert_ne!(refused.code, Some(0), "{}", refused.all());
    // Another secret of the same form proves nothing.
    outside.set("EXAI_WS_TOKEN", format!("exai-key-{}", "0".repeat(64)));
    let stranger = outside.cli(&["call", "version"]).await;
    assert_ne!(stranger.code, Some(0), "{}", stranger.all());
}

/// Where a key may do what its calls of this test do.
const COUNTS: &str = "[keys.ci]\nallow = [\"version\", \"test_*\", \"threads\"]\n";

#[cfg(unix)]
#[tokio::test]
async fn s11_a_keys_call_outlives_a_restart_and_is_still_that_keys() {
    let mut sandbox = by_hand();
    sandbox.write("config/profiles.toml", COUNTS);
    sandbox.cli(&["start"]).await.ok();
    let token = sandbox.token().must("read the token");
    let ci = key(&sandbox, "ci").await;
    sandbox.set("EXAI_WS_TOKEN", &ci);
    let mut shim = sandbox.shim();
    shim.initialize("2025-11-25").await;
    reached(&mut shim).await;
    sandbox.unset("EXAI_WS_TOKEN");
    let gate = sandbox.gate("ran");
    let call = gate.holds(json!({ "file": sandbox.work().join("ran") }));
    let id = shim.call("test_count_once", call.clone()).await;
    // And one whose client comes back by itself.
    let mut raw = welcome(&sandbox, &ci, "raw").await;
    raw.call_as("k-1", "test_count_once", call).await;
    let runs = || sandbox.counted("ran") == 2;
    eventually(PATIENCE, "both calls to run", runs).await;
    let before = sandbox.daemon_pid();
    sandbox.cli(&["restart"]).await.ok();
    assert_ne!(before, sandbox.daemon_pid());
    assert_eq!(raw.closed().await.map(|(code, _)| code), Some(1001));
    let mut raw = welcome(&sandbox, &ci, "raw").await;
    raw.send(&json!({ "op": "attach", "request_id": "k-1" }))
        .await;
    // The same words from the owner's client find nothing: the call is the key's.
    let mut owner = welcome(&sandbox, &token, "raw").await;
    let attach = json!({ "op": "attach", "request_id": "k-1" });
    assert_eq!(asked(&mut owner, attach).await["state"], "unknown");
    gate.open();
    let result = raw.result("k-1").await;
    assert_eq!(result["outputs"][0]["text"], "counted", "{result}");
    let answer = shim.answer_within(id, PATIENCE).await;
    assert_eq!(ok_text(&answer["result"]), "counted");
    assert_eq!(sandbox.counted("ran"), 2);
    let id = shim.call("chat", json!({ "prompt": "x" })).await;
    let refused = shim.answer_within(id, PATIENCE).await;
    assert!(refused.to_string().contains("switched off"), "{refused}");
    sandbox.cli(&["stop"]).await.ok();
}

/// What runs for whoever may not be here any more, costs money for nobody.
#[tokio::test]
async fn s12_the_calls_of_a_revoked_key_end_with_it() {
    let sandbox = by_hand();
    let _daemon = sandbox.daemon().await;
    let token = sandbox.token().must("read the token");
    let (ci, other) = (key(&sandbox, "ci").await, key(&sandbox, "other").await);
    let long = json!({ "ms": 60_000 });
    let mut of_ci = welcome(&sandbox, &ci, "x").await;
    let mut of_other = welcome(&sandbox, &other, "x").await;
    let mut owner = welcome(&sandbox, &token, "x").await;
    for ws in [&mut of_ci, &mut of_other, &mut owner] {
        ws.call_as("long", "test_sleep_once", long.clone()).await;
        ws.recv_op("call_tool_ack").await;
    }
    // One that nobody waits for any more, too.
    let mut gone = welcome(&sandbox, &ci, "y").await;
    gone.call_as("left", "test_sleep_once", long).await;
    gone.recv_op("call_tool_ack").await;
    drop(gone);
    sandbox.cli(&["token", "revoke", "ci"]).await.ok();
    let ended = async || {
        let failed = sandbox.cli(&["calls", "--failed", "--json"]).await.ok();
        let calls: Value = serde_json::from_str(&failed.stdout).unwrap_or_default();
        let calls = calls.as_array().or(calls["calls"].as_array()).cloned();
        let why = "the key 'ci' it was made with was revoked";
        let of_key = |call: &&Value| call.to_string().contains(why);
        calls.iter().flatten().filter(of_key).count()
    };
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while ended().await < 2 {
        let failed = sandbox.cli(&["calls", "--failed", "--json"]).await.ok();
        assert!(tokio::time::Instant::now() < deadline, "{}", failed.all());
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let open = sandbox.cli(&["calls", "--open", "--json"]).await.ok();
    assert_eq!(
        open.stdout.matches("test_sleep_once").count(),
        2,
        "{}",
        open.all()
    );
    for ws in [&mut of_other, &mut owner] {
        ws.send(&json!({ "op": "cancel", "request_id": "long" }))
            .await;
        let ended = ws.result("long").await;
        assert_eq!(ended["error"]["code"], "CANCELLED", "{ended}");
        assert!(!ended.to_string().contains("revoked"), "{ended}");
    }
}

/// What a client may not call it does not read by another door.
#[tokio::test]
async fn s11_resources_ask_the_lists_that_tools_ask() {
    let sandbox = by_hand();
    sandbox.write(
        "config/profiles.toml",
        "[keys.ci]\nallow = [\"version\", \"planner\"]\n[keys.all]\n",
    );
    let _daemon = sandbox.daemon().await;
    for (name, may) in [("ci", false), ("all", true)] {
        let secret = key(&sandbox, name).await;
        let mut ws = exai_testkit::Ws::connect(sandbox.port()).await;
        ws.hello(&claiming(&secret, "x")).await;
        let plan = json!({
            "step": "A CANARY plan", "step_number": 1, "total_steps": 2,
            "next_step_required": true,
        });
        let planned = ws.call_and_wait("planner", plan).await;
        let words = planned.to_string();
        let at = words.find("continuation_id").must("begin a conversation");
        let id: String = words[at + "continuation_id".len()..]
            .chars()
            .skip_while(|c| !c.is_ascii_alphanumeric())
            .take_while(|c| c.is_ascii_alphanumeric() || *c == '-')
            .collect();
        let mut mcp = async |method: &str, params: Value| {
            let frame = json!({
                "op": "mcp", "request_id": format!("{method}{params}"), "method": method,
                "params": params,
            });
            asked(&mut ws, frame).await
        };
        let listed = mcp("resources/list", json!({})).await.to_string();
        assert_eq!(listed.contains("exai://models"), may, "{listed}");
        assert_eq!(listed.contains("CANARY"), may, "{listed}");
        let templates = mcp("resources/templates/list", json!({})).await.to_string();
        assert_eq!(templates.contains("exai://threads/"), may, "{templates}");
        assert!(templates.contains("exai://answers/"), "{templates}");
        for uri in [format!("exai://threads/{id}"), "exai://models".to_owned()] {
            let read = mcp("resources/read", json!({ "uri": uri })).await;
            assert_eq!(read["error"].is_null(), may, "{uri}: {read}");
            if !may {
                let words = read["error"]["message"].as_str().unwrap_or_default();
                assert!(words.contains("switched off") && words.contains("Nothing was read"));
            }
        }
        let typed = json!({
            "ref": { "type": "ref/resource", "uri": "exai://threads/{id}" },
            "argument": { "name": "id", "value": "" },
        });
        let found = mcp("completion/complete", typed).await.to_string();
        assert_eq!(found.contains(&id), may, "{found}");
    }
}
