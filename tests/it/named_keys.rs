//! Keys with names: who a client is comes from the key it shows or proves, what it may is said by
//! its owner, and what it says of itself changes nothing.

mod calls;
mod folders;

use crate::editor::{by_hand, names, reached};
use exai_testkit::{Frame, Handshake, Must as _, PATIENCE, Sandbox, Ws, eventually};
use serde_json::{Value, json};
use std::{fs, path::Path};

const UNAUTHORIZED: u16 = 4003;
const REFUSED: i32 = 10;
const RIGHTS: &str = r#"
[keys.ci]
allow = ["version", "test_*", "tools_search", "tool_invoke", "listmodels", "threads"]
deny = ["test_block", "listmodels"]
scope = "read"
"#;

/// Makes a key and returns it.
async fn key(sandbox: &Sandbox, name: &str) -> String {
    let made = sandbox.cli(&["token", "add", name]).await.ok();
    let file = fs::read_to_string(made.stdout.trim()).must("read the key that was made");
    assert!(
        !made.all().contains(file.trim()),
        "the key itself is not printed"
    );
    file.trim().to_owned()
}

/// A hello of one that claims whatever it likes.
fn claiming(token: &str, name: &str) -> Handshake {
    Handshake::of(json!({
        "op": "hello", "token": token, "protocol": "1.1", "principal": "owner",
        "features": ["rich_results", "events", "progress", "scopes"],
        "client": { "id": "the-same", "name": name, "principal": "owner", "profile": "full" },
    }))
}

async fn welcome(sandbox: &Sandbox, token: &str, name: &str) -> Ws {
    let mut ws = Ws::connect(sandbox.port()).await;
    match ws.hello(&claiming(token, name)).await {
        Frame::Json(ack) if ack["ok"] == true => ws,
        other => panic!("not welcome: {other:?}"),
    }
}

async fn admits(sandbox: &Sandbox, token: &str) -> bool {
    let mut ws = Ws::connect(sandbox.port()).await;
    matches!(ws.hello(&Handshake::v1(token)).await, Frame::Json(ack) if ack["ok"] == true)
}

async fn listed(ws: &mut Ws) -> Vec<String> {
    ws.send(&json!({ "op": "list_tools", "request_id": "l" }))
        .await;
    let list = ws.recv_op("list_tools_res").await;
    let tools = list["tools"].as_array().must("get a list");
    tools
        .iter()
        .map(|tool| tool["name"].as_str().unwrap_or_default().to_owned())
        .collect()
}

async fn asked(ws: &mut Ws, frame: Value) -> Value {
    ws.send(&frame).await;
    ws.recv_where(|answer| {
        answer["request_id"] == frame["request_id"] && answer["op"] != "progress"
    })
    .await
}

/// Every file of the home that holds this, but the key's own.
fn holders(folder: &Path, word: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).must("look through the home").flatten() {
        let path = entry.path();
        if path.is_dir() && !path.ends_with("keys") {
            found.extend(holders(&path, word));
        } else if fs::read(&path).is_ok_and(|bytes| {
            bytes
                .windows(word.len())
                .any(|window| window == word.as_bytes())
        }) {
            found.push(path.display().to_string());
        }
    }
    found
}

#[tokio::test]
async fn s11_a_key_sees_and_calls_what_it_may_whatever_its_client_says() {
    let sandbox = by_hand();
    sandbox.write("config/profiles.toml", RIGHTS);
    let _daemon = sandbox.daemon().await;
    let ci = key(&sandbox, "ci").await;
    for name in ["owner", "claude-code", "ci"] {
        let mut ws = welcome(&sandbox, &ci, name).await;
        let list = listed(&mut ws).await;
        assert!(list.iter().any(|tool| tool == "version"), "{list:?}");
        for tool in ["chat", "listmodels", "status", "threads"] {
            assert!(
                !list.iter().any(|listed| listed == tool),
                "{tool}: {list:?}"
            );
        }
        let found = ws
            .call_and_wait("tools_search", json!({ "query": "status" }))
            .await;
        assert!(!found["outputs"].to_string().contains("Status"), "{found}");
        assert!(
            ws.call_and_wait("version", json!({}))
                .await
                .get("error")
                .is_none_or(Value::is_null)
        );
        let invoked = json!({ "name": "version", "arguments": {} });
        let result = ws.call_and_wait("tool_invoke", invoked).await;
        assert!(result.get("error").is_none_or(Value::is_null), "{result}");
        // Not named, denied, over its reach, and of everybody's doings.
        for tool in [
            "chat",
            "listmodels",
            "threads",
            "test_sleep_once",
            "activity",
            "status",
        ] {
            let invoked = json!({ "name": tool, "arguments": {} });
            for result in [
                ws.call_and_wait(tool, json!({})).await,
                ws.call_and_wait("tool_invoke", invoked).await,
            ] {
                let words = result["error"]["message"].as_str().unwrap_or_default();
                assert!(
                    words.contains("switched off") && words.contains("did not run"),
                    "{tool}: {result}"
                );
            }
        }
    }
    let mut owner = welcome(&sandbox, &sandbox.token().unwrap_or_default(), "ci").await;
    assert!(listed(&mut owner).await.iter().any(|tool| tool == "chat"));
    let result = owner.call_and_wait("status", json!({})).await;
    assert!(result.get("error").is_none_or(Value::is_null), "{result}");
}

#[tokio::test]
async fn s11_everybodys_doings_are_the_owners_even_for_a_key_with_all_rights() {
    let sandbox = by_hand();
    let _daemon = sandbox.daemon().await;
    let free = key(&sandbox, "free").await;
    let mut ws = welcome(&sandbox, &free, "owner").await;
    assert!(listed(&mut ws).await.iter().any(|tool| tool == "chat"));
    for tool in [
        "activity",
        "health",
        "self-check",
        "status",
        "toolcall_log_tail",
    ] {
        let result = ws.call_and_wait(tool, json!({})).await;
        let words = result["error"]["message"].as_str().unwrap_or_default();
        assert!(words.contains("switched off"), "{tool}: {result}");
    }
    let health = asked(&mut ws, json!({ "op": "health", "request_id": "h" })).await;
    assert!(
        health["health"]["warnings"]
            .as_array()
            .is_none_or(Vec::is_empty),
        "{health}"
    );
    assert!(
        health["health"]["limits"].is_null() && health["health"]["pid"].is_u64(),
        "{health}"
    );
}

#[tokio::test]
async fn s11_administration_is_the_owners_key_alone() {
    let sandbox = by_hand();
    let mut daemon = sandbox.daemon().await;
    let token = sandbox.token().must("read the token");
    let ci = key(&sandbox, "ci").await;
    let mut owner = welcome(&sandbox, &token, "owner").await;
    let call = json!({ "ms": 60_000 });
    owner
        .call_as("running", "test_sleep_once", call.clone())
        .await;
    owner.recv_op("call_tool_ack").await;
    let mut ws = welcome(&sandbox, &ci, "owner").await;
    for op in [
        json!({ "op": "shutdown", "drain_ms": 0, "reason": "x" }),
        json!({ "op": "rotate_token", "old": token, "new": "taken-over-by-a-key" }),
        json!({ "op": "subscribe" }),
        json!({ "op": "operate", "name": "ollama_delete", "arguments": { "name": "m" } }),
        json!({ "op": "operate", "name": "version", "arguments": {} }),
        json!({ "op": "cancel", "scope": "client:the-same", "key": "owner" }),
    ] {
        let mut op = op;
        op["request_id"] = json!(format!("{}-{}", op["op"], op["name"]));
        let refused = asked(&mut ws, op.clone()).await;
        let words = format!("{}{}", refused["message"], refused["error"]);
        assert!(
            words.contains("for the owner alone") && words.contains("key 'ci'"),
            "{op}: {refused}"
        );
        assert!(
            words.contains("EXAI_WS_TOKEN") && words.contains("nothing was done"),
            "{words}"
        );
    }
    // The same client id and the same request id, and still another's: not there.
    for op in ["cancel", "attach", "collect"] {
        for scope in [Value::Null, json!("client:the-same")] {
            let answer = asked(
                &mut ws,
                json!({ "op": op, "request_id": "running", "scope": scope }),
            )
            .await;
            assert_eq!(answer["state"], "unknown", "{op}: {answer}");
        }
    }
    let seen = asked(&mut ws, json!({ "op": "sessions", "request_id": "s" })).await;
    let seen = seen["sessions"].as_array().must("list sessions").clone();
    assert_eq!((seen.len(), &seen[0]["key"]), (1, &json!("ci")), "{seen:?}");
    let all = asked(&mut owner, json!({ "op": "sessions", "request_id": "s" })).await;
    assert_eq!(all["sessions"].as_array().map(Vec::len), Some(2), "{all}");
    assert!(daemon.is_running() && sandbox.token().as_ref() == Some(&token));
    // And the owner stops what a key's client runs.
    ws.call_as("of-ci", "test_sleep_once", call).await;
    ws.recv_op("call_tool_ack").await;
    owner
        .send(&json!({ "op": "cancel", "request_id": "of-ci", "scope": "client:the-same", "key": "ci" }))
        .await;
    let ended = ws.result("of-ci").await;
    assert_eq!(ended["error"]["code"], "CANCELLED", "{ended}");
    let stopped = asked(
        &mut owner,
        json!({ "op": "cancel", "request_id": "running" }),
    )
    .await;
    assert!(
        stopped["op"] == "cancel_res" || stopped["op"] == "call_tool_res",
        "{stopped}"
    );
}

#[tokio::test]
async fn s11_a_keys_conversations_are_its_own() {
    let sandbox = by_hand();
    let _daemon = sandbox.daemon().await;
    let ci = key(&sandbox, "ci").await;
    let token = sandbox.token().must("read the token");
    let mut owner = welcome(&sandbox, &token, "x").await;
    let plan = json!({
        "step": "The owner's CANARY plan", "step_number": 1, "total_steps": 2,
        "next_step_required": true,
    });
    let result = owner.call_and_wait("planner", plan).await;
    assert!(result.get("error").is_none_or(Value::is_null), "{result}");
    let mine = owner.call_and_wait("threads", json!({})).await;
    assert!(mine.to_string().contains("CANARY"), "{mine}");
    let mut ws = welcome(&sandbox, &ci, "x").await;
    for arguments in [json!({}), json!({ "action": "search", "text": "CANARY" })] {
        let theirs = ws.call_and_wait("threads", arguments).await;
        assert!(!theirs["outputs"].to_string().contains("plan"), "{theirs}");
    }
}

#[tokio::test]
async fn s12_a_revoked_key_is_out_at_once_and_cannot_come_back() {
    let mut sandbox = by_hand();
    let mut daemon = sandbox.daemon().await;
    let (ci, other) = (key(&sandbox, "ci").await, key(&sandbox, "other").await);
    let token = sandbox.token().must("read the token");
    let mut inside = welcome(&sandbox, &ci, "x").await;
    let mut stays = welcome(&sandbox, &other, "x").await;
    let mut owner = welcome(&sandbox, &token, "x").await;
    let revoked = sandbox.cli(&["token", "revoke", "ci"]).await.ok();
    assert!(
        revoked.stdout.contains("nobody is in by it"),
        "{}",
        revoked.all()
    );
    let (code, reason) = inside.closed().await.must("be told why");
    assert_eq!(code, UNAUTHORIZED);
    assert!(reason.contains("revoked"), "{reason}");
    assert!(!admits(&sandbox, &ci).await && admits(&sandbox, &other).await);
    for ws in [&mut stays, &mut owner] {
        assert!(
            ws.call_and_wait("version", json!({}))
                .await
                .get("error")
                .is_none_or(Value::is_null)
        );
    }
    // Another key of the same name is another key; nothing brings the first one back.
    let next = key(&sandbox, "ci").await;
    assert!(next != ci && admits(&sandbox, &next).await && !admits(&sandbox, &ci).await);
    // A file that is removed by hand ends its connections too, when the daemon next looks.
    let mut by_next = welcome(&sandbox, &next, "x").await;
    fs::remove_file(sandbox.run_path("keys/ci")).must("remove the key's file");
    assert!(!admits(&sandbox, &next).await);
    assert_eq!(
        by_next.closed().await.map(|(code, _)| code),
        Some(UNAUTHORIZED)
    );
    daemon.kill().await;
    // A window that still has it starts a daemon: it has the key in its environment, and stays out.
    sandbox.set("EXAI_WS_TOKEN", &ci);
    let _daemon = sandbox.daemon_with_token(&token).await;
    assert!(!admits(&sandbox, &ci).await && !admits(&sandbox, &next).await);
    assert!(admits(&sandbox, &other).await && admits(&sandbox, &token).await);
    for secret in [&ci, &next, &other] {
        assert_eq!(holders(&sandbox.home(), secret), Vec::<String>::new());
    }
    let log = fs::read_to_string(sandbox.home().join("logs/ws_daemon.log")).must("read the log");
    for told in ["revoked", "named key"] {
        assert!(log.contains(told), "{told}: {log}");
    }
}

#[tokio::test]
async fn s11_a_window_with_a_key_proves_it_and_outlives_a_restart() {
    let mut sandbox = by_hand();
    sandbox.write(
        "config/profiles.toml",
        "[keys.window]\nallow = [\"version\", \"chat\"]\n",
    );
    let mut daemon = sandbox.daemon().await;
    let secret = key(&sandbox, "window").await;
    let token = sandbox.token().must("read the token");
    sandbox.set("EXAI_WS_TOKEN", &secret);
    // A token that is shown is never looked at here: the window proves its key, at the socket too.
    let mut shim = sandbox.shim();
    shim.initialize("2025-11-25").await;
    reached(&mut shim).await;
    for _life in 0..2 {
        assert_ne!(shim.call_tool("version", json!({})).await["isError"], true);
        let id = shim.call("threads", json!({})).await;
        let answer = shim.answer(id).await;
        assert!(answer.to_string().contains("switched off"), "{answer}");
        daemon.kill().await;
        daemon = sandbox.daemon_with_token(&token).await;
        reached(&mut shim).await;
    }
    let listed = names(&shim.ask("tools/list", json!({})).await);
    assert!(!listed.iter().any(|tool| tool == "threads"), "{listed:?}");
    // The command line, run with that key, is that key's client.
    let refused = sandbox.cli(&["token", "rotate"]).await;
    assert_ne!(refused.code, Some(0), "{}", refused.all());
    assert!(!refused.all().contains(&secret));
    sandbox.unset("EXAI_WS_TOKEN");
    sandbox.cli(&["token", "revoke", "window"]).await.ok();
    sandbox.set("EXAI_WS_TOKEN", &secret);
    let out = sandbox.cli(&["call", "version"]).await;
    assert_eq!(out.code, Some(REFUSED), "{}", out.all());
    assert!(!out.all().contains(&secret), "{}", out.all());
}

#[tokio::test]
async fn s11_garbage_among_the_keys_is_named_and_keeps_nobody_out() {
    let sandbox = by_hand();
    let _daemon = sandbox.daemon().await;
    let good = key(&sandbox, "good").await;
    // One file is a key that was put there by hand; it is as good as any.
    let theirs = format!("exai-key-{}", "0".repeat(64));
    for (name, text) in [
        ("bad", "exai-key-CANARY"),
        ("not a name", "x"),
        ("theirs", &*theirs),
    ] {
        let file = sandbox.write(format!(".exai/run/keys/{name}"), text);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            fs::set_permissions(file, fs::Permissions::from_mode(0o600)).must("close a key");
        }
    }
    assert!(admits(&sandbox, &good).await && !admits(&sandbox, "exai-key-CANARY").await);
    for name in ["owner", "a b", "../x", &"x".repeat(33)] {
        let refused = sandbox.cli(&["token", "add", name]).await;
        assert_ne!(refused.code, Some(0), "{}", refused.all());
        assert!(
            refused.stderr.contains("NAME") && refused.stderr.contains("32"),
            "{}",
            refused.all()
        );
    }
    let twice = sandbox.cli(&["token", "add", "good"]).await;
    assert!(
        twice.code != Some(0) && twice.stderr.contains("already"),
        "{}",
        twice.all()
    );
    let list = sandbox.cli(&["token", "list"]).await.ok();
    assert_eq!(
        list.stdout.lines().collect::<Vec<_>>(),
        ["good", "theirs"],
        "{}",
        list.all()
    );
    assert!(list.stderr.contains("\"bad\"") && list.stderr.contains("not a name"));
    let status = sandbox.cli(&["status"]).await.ok();
    assert!(status.all().contains("\"bad\""), "{}", status.all());
    let told = format!("{}{}", list.all(), status.all());
    assert!(!told.contains("CANARY") && !told.contains(&good), "{told}");
    assert_eq!(holders(&sandbox.home(), "CANARY"), Vec::<String>::new());
    assert!(admits(&sandbox, &theirs).await);
    let unknown = sandbox.cli(&["token", "revoke", "nobody"]).await;
    assert!(
        unknown.code != Some(0) && unknown.stderr.contains("token list"),
        "{}",
        unknown.all()
    );
}

#[cfg(unix)]
#[tokio::test]
async fn s11_a_key_that_others_may_read_is_refused_with_the_reason() {
    use std::os::unix::fs::PermissionsExt as _;
    let sandbox = by_hand();
    let _daemon = sandbox.daemon().await;
    let ci = key(&sandbox, "ci").await;
    let file = sandbox.run_path("keys/ci");
    let mode = |mode| {
        let mode = fs::Permissions::from_mode(mode);
        fs::set_permissions(sandbox.run_path("keys/ci"), mode).must("set a mode");
    };
    let meta = file.metadata().must("look at the key");
    assert_eq!(meta.permissions().mode() & 0o777, 0o600);
    let mut inside = welcome(&sandbox, &ci, "x").await;
    mode(0o644);
    assert!(!admits(&sandbox, &ci).await && !admits(&sandbox, &ci).await);
    assert_eq!(
        inside.closed().await.map(|(code, _)| code),
        Some(UNAUTHORIZED)
    );
    let log = sandbox.home().join("logs/ws_daemon.log");
    eventually(PATIENCE, "the reason is told", || {
        fs::read_to_string(&log).is_ok_and(|text| text.contains("other users could read it"))
    })
    .await;
    assert!(admits(&sandbox, &sandbox.token().unwrap_or_default()).await);
    mode(0o600);
    assert!(admits(&sandbox, &ci).await);
}
