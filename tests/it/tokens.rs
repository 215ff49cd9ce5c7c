//! The token: replaced while everyone works, kept over restarts, and never written anywhere
//! but where it belongs.

use exai_testkit::{Frame, Handshake, Must as _, PATIENCE, Sandbox, Ws, eventually};
use serde_json::json;
use std::{fs, path::Path};

async fn admits(sandbox: &Sandbox, token: &str) -> bool {
    let mut ws = Ws::connect(sandbox.port()).await;
    match ws.hello(&Handshake::v1(token)).await {
        Frame::Json(ack) => ack["ok"] == true,
        other => panic!("neither welcome nor refused: {other:?}"),
    }
}

#[tokio::test]
async fn s12_a_rotation_over_the_wire_persists_and_keeps_its_overlap() {
    let mut sandbox = Sandbox::new();
    sandbox.set("EXAI_WS_TOKEN_OVERLAP_SECS", "600");
    let mut daemon = sandbox.daemon().await;
    let old = sandbox.token().must("read the token");
    let mut ws = sandbox.ws().await;
    for (from, to, error) in [
        ("wrong", "new-token", "unauthorized"),
        ("", "x", "missing_params"),
        (&*old, "", "missing_params"),
    ] {
        ws.send(&json!({ "op": "rotate_token", "request_id": "r", "old": from, "new": to }))
            .await;
        let refused = ws.recv_op("rotate_token_res").await;
        assert_eq!(
            (&refused["ok"], &refused["error"]),
            (&json!(false), &json!(error)),
            "{refused}"
        );
    }
    ws.send(&json!({ "op": "rotate_token", "request_id": "r", "old": old, "new": "two words" }))
        .await;
    assert_eq!(
        ws.recv_op("rotate_token_res").await["ok"],
        false,
        "no token has blanks"
    );
    assert_eq!(sandbox.token(), Some(old.clone()));
    ws.send(
        &json!({ "op": "rotate_token", "request_id": "r", "old": old, "new": "the-new-token-of-today" }),
    )
    .await;
    let replaced = ws.recv_op("rotate_token_res").await;
    assert_eq!(
        (&replaced["ok"], &replaced["request_id"]),
        (&json!(true), &json!("r"))
    );
    assert_eq!(sandbox.token().as_deref(), Some("the-new-token-of-today"));
    // Who is inside stays; both tokens open.
    assert!(
        ws.call_and_wait("version", json!({}))
            .await
            .get("error")
            .is_none()
    );
    assert!(admits(&sandbox, "the-new-token-of-today").await && admits(&sandbox, &old).await);
    daemon.kill().await;
    let _daemon = sandbox.daemon().await;
    assert!(admits(&sandbox, "the-new-token-of-today").await && admits(&sandbox, &old).await);
    assert!(!admits(&sandbox, "wrong").await);
}

#[tokio::test]
async fn s12_without_an_overlap_the_old_token_ends_at_once() {
    let mut sandbox = Sandbox::new();
    sandbox.set("EXAI_WS_TOKEN_OVERLAP_SECS", "0");
    let _daemon = sandbox.daemon().await;
    let old = sandbox.token().must("read the token");
    sandbox.cli(&["token", "rotate"]).await.ok();
    let new = sandbox.token().must("read the token");
    assert_ne!(old, new);
    assert!(admits(&sandbox, &new).await && !admits(&sandbox, &old).await);
}

#[tokio::test]
async fn s12_the_command_rotates_with_and_without_a_daemon() {
    let sandbox = Sandbox::new();
    let none = sandbox.cli(&["token", "show"]).await;
    assert_eq!(none.code, Some(1), "{}", none.all());
    assert!(none.stderr.contains("exai-daemon start"), "{}", none.all());
    sandbox.cli(&["start"]).await.ok();
    let first = sandbox
        .cli(&["token", "show"])
        .await
        .ok()
        .stdout
        .trim()
        .to_owned();
    assert_eq!(Some(&first), sandbox.token().as_ref());
    assert!(first.len() >= 32);
    let rotated = sandbox.cli(&["token", "rotate"]).await.ok();
    let second = sandbox.token().must("read the token");
    assert_ne!(first, second);
    assert!(
        !rotated.all().contains(&second) && !rotated.all().contains(&first),
        "{}",
        rotated.all()
    );
    assert!(admits(&sandbox, &first).await && admits(&sandbox, &second).await);
    sandbox.cli(&["restart"]).await.ok();
    assert!(admits(&sandbox, &first).await && admits(&sandbox, &second).await);
    sandbox.cli(&["stop"]).await.ok();
    sandbox.cli(&["token", "rotate"]).await.ok();
    let third = sandbox.token().must("read the token");
    sandbox.cli(&["start"]).await.ok();
    assert!(admits(&sandbox, &third).await && admits(&sandbox, &second).await);
    assert!(
        !admits(&sandbox, &first).await,
        "only the last one has its overlap"
    );
    sandbox.cli(&["stop"]).await.ok();
}

#[tokio::test]
async fn s12_a_shim_learns_the_new_token_by_itself() {
    let mut sandbox = Sandbox::new();
    sandbox.set("EXAI_WS_TOKEN_OVERLAP_SECS", "0");
    let mut daemon = sandbox.daemon().await;
    let mut shim = sandbox.shim();
    shim.initialize("2025-06-18").await;
    assert_ne!(shim.call_tool("version", json!({})).await["isError"], true);
    sandbox.cli(&["token", "rotate"]).await.ok();
    daemon.kill().await;
    let _daemon = sandbox.daemon().await;
    let result = shim.call_tool("version", json!({})).await;
    assert_ne!(result["isError"], true, "{result}");
}

#[tokio::test]
async fn s12_a_token_of_the_environment_is_not_rotated_here() {
    let mut sandbox = Sandbox::new();
    sandbox.set("EXAI_WS_TOKEN", "given-by-the-environment");
    let _daemon = sandbox.daemon_with_token("given-by-the-environment").await;
    let refused = sandbox.cli(&["token", "rotate"]).await;
    assert_eq!(refused.code, Some(1), "{}", refused.all());
    assert!(
        refused.stderr.contains("EXAI_WS_TOKEN"),
        "{}",
        refused.all()
    );
    assert!(!refused.all().contains("given-by-the-environment"));
    assert!(sandbox.token().is_none(), "no file is made beside it");
}

/// Every text below a folder that holds one of these words.
fn holding(folder: &Path, words: &[&str], found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).must("read a folder") {
        let path = entry.must("read a folder").path();
        if path.is_dir() {
            holding(&path, words, found);
            continue;
        }
        let bytes = fs::read(&path).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        for word in words.iter().filter(|word| text.contains(**word)) {
            found.push(format!("{word} in {}", path.display()));
        }
    }
}

const CANARY: &str = "canary-token-0123456789abcdef";
const NEXT: &str = "canary-next-0123456789abcdef";
const GUESS: &str = "canary-guess-0123456789abcdef";
const ARGUMENT: &str = "canary-argument-0123456789";

/// Walks the secrets through everything that could write them down.
async fn use_the_secrets(sandbox: &Sandbox) -> Vec<String> {
    let mut ws = Ws::connect(sandbox.port()).await;
    ws.hello(&Handshake::modern(
        CANARY,
        "canary",
        &["events", "rich_results"],
    ))
    .await;
    ws.send(&json!({ "op": "subscribe", "request_id": "s" }))
        .await;
    ws.call_as("said", "challenge", json!({ "prompt": ARGUMENT }))
        .await;
    ws.result("said").await;
    ws.call_as(
        "wrong",
        "test_sleep",
        json!({ "ms": { "x": "soon" }, "other": ARGUMENT }),
    )
    .await;
    ws.result("wrong").await;
    let mut thief = Ws::connect(sandbox.port()).await;
    thief.hello(&Handshake::v1(GUESS)).await;
    thief.closed().await;
    for (old, new) in [(GUESS, NEXT), (CANARY, NEXT)] {
        ws.send(&json!({ "op": "rotate_token", "request_id": "r", "old": old, "new": new }))
            .await;
        ws.recv_op("rotate_token_res").await;
    }
    ws.send_text(&format!(
        "{{\"op\":\"rotate_token\",\"old\":\"{CANARY}\",\"new\":[\"{NEXT}\"]}}"
    ))
    .await;
    ws.send_text(&format!("{{\"op\":\"hello\",\"token\":\"{CANARY}\"}}"))
        .await;
    ws.send_text(&format!("{CANARY} is no json")).await;
    let mut heard = Vec::new();
    for tool in [
        "status",
        "health",
        "activity",
        "toolcall_log_tail",
        "self-check",
        "version",
        "provider_capabilities",
    ] {
        heard.push(ws.call_and_wait(tool, json!({})).await.to_string());
    }
    while let Frame::Json(frame) = ws.next(std::time::Duration::from_millis(300)).await {
        heard.push(frame.to_string());
    }
    heard
}

#[tokio::test]
async fn s13_secrets_are_in_the_token_file_and_nowhere_else() {
    let mut sandbox = Sandbox::new();
    sandbox
        .set("LOG_LEVEL", "TRACE")
        .set("EXAI_HEALTH_WRITER_INTERVAL", "0.2");
    sandbox.write(".exai/run/token", CANARY);
    let mut daemon = sandbox.daemon().await;
    let heard = use_the_secrets(&sandbox).await;
    let secrets = [CANARY, NEXT, GUESS];
    for frame in &heard {
        assert!(
            !secrets.iter().any(|secret| frame.contains(secret)),
            "{frame}"
        );
    }
    for words in [
        &["status", "--json"][..],
        &["doctor"],
        &["config", "--origin"],
        &["sessions"],
        &["events"],
        &["logs"],
        &["call", "status"],
    ] {
        let output = sandbox.cli(words).await;
        assert!(
            !secrets.iter().any(|secret| output.all().contains(secret)),
            "{words:?}: {}",
            output.all()
        );
    }
    daemon.terminate();
    daemon.wait(PATIENCE).await;
    let mut found = Vec::new();
    holding(
        &sandbox.home(),
        &[CANARY, NEXT, GUESS, ARGUMENT],
        &mut found,
    );
    holding(&sandbox.work(), &secrets, &mut found);
    found.retain(|place| !place.ends_with("/run/token") && !place.ends_with("/run/token.previous"));
    assert!(found.is_empty(), "{found:?}");
    assert!(!daemon.said().contains(CANARY));
    let log = sandbox.log("ws_daemon.log");
    let said = log
        .lines()
        .find(|line| line.contains("received") && line.contains(" id=said "))
        .must("find the call");
    assert!(
        said.contains(" args=") && said.contains("B sha="),
        "size and hash: {said}"
    );
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn s13_a_given_token_is_in_no_file_and_in_no_command_line() {
    let mut sandbox = Sandbox::new();
    sandbox
        .set("EXAI_WS_TOKEN", CANARY)
        .set("LOG_LEVEL", "TRACE");
    sandbox.cli(&["start"]).await.ok();
    sandbox.cli(&["call", "version"]).await.ok();
    sandbox.cli(&["restart"]).await.ok();
    for pid in sandbox.processes("exai-daemon") {
        let words = fs::read(format!("/proc/{pid}/cmdline")).must("read a command line");
        assert!(!String::from_utf8_lossy(&words).contains(CANARY));
    }
    let mut shim = sandbox.shim();
    shim.initialize("2025-06-18").await;
    shim.call_tool("version", json!({})).await;
    sandbox.cli(&["stop"]).await.ok();
    let mut found = Vec::new();
    holding(&sandbox.home(), &[CANARY], &mut found);
    assert!(found.is_empty(), "{found:?}");
}

#[tokio::test]
async fn s13_argument_values_are_logged_only_where_their_owner_asks() {
    let mut sandbox = Sandbox::new();
    sandbox.set("EXAI_LOG_ARGUMENTS", "1");
    let _daemon = sandbox.daemon().await;
    let mut ws = sandbox.ws().await;
    ws.call_and_wait("test_sleep", json!({ "ms": 1, "note": ARGUMENT }))
        .await;
    eventually(PATIENCE, "the argument is in the record", || {
        sandbox.log("ws_daemon.log").contains(ARGUMENT)
            && sandbox
                .calls()
                .iter()
                .any(|call| call["arguments"]["note"] == ARGUMENT)
    })
    .await;
    assert!(
        !sandbox
            .log("ws_daemon.log")
            .contains(&sandbox.token().must("read the token"))
    );
}

/// Whoever tidies the run directory under a living daemon locks nobody out.
#[tokio::test]
async fn a_token_file_that_is_removed_is_written_again_as_it_was() {
    let sandbox = Sandbox::new();
    let _daemon = sandbox.daemon().await;
    let token = sandbox.token();
    assert!(token.is_some());
    fs::remove_file(sandbox.run_path("token")).must("remove the token's file");
    eventually(PATIENCE, "it is there again", || sandbox.token() == token).await;
    let call = sandbox.cli(&["call", "version"]).await;
    assert_eq!(call.code, Some(0), "{}", call.all());
}
