//! A shim whose daemon cannot be started: the window is told what the starter found, and does not
//! wait once that is put right. And one whose daemon stands still: nothing is said of a call that
//! nobody knows.

use crate::editor::{by_hand, failure, ok_text, window as reached_window};
use exai_testkit::{Must as _, Sandbox, Shim, pause_pid, resume_pid};
use serde_json::json;
use std::{fs, time::Instant};
use tokio::{net::TcpListener, task::JoinSet};

async fn refused(shim: &mut Shim, parts: &[&str]) {
    let result = shim.call_tool("version", json!({})).await;
    let (code, text) = failure(&result);
    assert_eq!(code, "UNAVAILABLE", "{text}");
    for part in parts {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("exit status"), "{text}");
}

async fn window(sandbox: &Sandbox) -> Shim {
    let mut shim = sandbox.shim();
    shim.initialize("2025-11-25").await;
    shim
}

#[tokio::test]
async fn r17_a_window_is_told_who_has_the_port_of_the_daemon_it_cannot_start() {
    let mut sandbox = Sandbox::new();
    sandbox.set("EXAI_SHIM_CONNECT_WAIT", "4");
    let taken = TcpListener::bind(("127.0.0.1", sandbox.port()))
        .await
        .must("take the port");
    let mut owner = JoinSet::new();
    owner.spawn(async move { while taken.accept().await.is_ok() {} });
    let mut shim = window(&sandbox).await;
    let port = format!("port {}", sandbox.port());
    let parts = [&*port, "taken", "EXAI_WS_PORT", "not run"];
    refused(&mut shim, &parts).await;
    #[cfg(target_os = "linux")]
    refused(&mut shim, &[&format!("pid {}", std::process::id())]).await;
}

/// Failed starts are made ever more rarely; what they failed of is told all the same, and once it
/// is put right nobody waits for the next of them.
#[tokio::test]
async fn r17_a_token_file_of_garbage_is_told_and_its_removal_is_enough() {
    let mut sandbox = Sandbox::new();
    sandbox.set("EXAI_SHIM_CONNECT_WAIT", "4");
    sandbox.cli(&["start"]).await.ok();
    sandbox.cli(&["stop"]).await.ok();
    let token = sandbox.write(".exai/run/token", "gar bage\n");
    fs::remove_file(sandbox.run_path("stopped")).must("let shims start it");
    let mut shim = window(&sandbox).await;
    let began = Instant::now();
    while began.elapsed().as_secs() < 8 {
        refused(&mut shim, &["holds no token", "remove it", "not run"]).await;
    }
    fs::remove_file(&token).must("remove the token");
    ok_text(&shim.call_tool("version", json!({})).await);
    sandbox.cli(&["stop"]).await.ok();
}

#[cfg(unix)]
#[tokio::test]
async fn r14_a_call_that_a_frozen_daemon_never_took_is_not_said_to_be_at_work() {
    let mut sandbox = by_hand();
    sandbox.set("EXAI_CLIENT_CALL_SECS", "4");
    let daemon = sandbox.daemon().await;
    let mut shim = reached_window(&sandbox).await;
    pause_pid(daemon.id());
    let call = json!({ "file": sandbox.work().join("ran"), "ms": 1 });
    let result = shim.call_tool("test_count_once", call).await;
    let text = Shim::text_of(&result).to_owned();
    assert!(text.contains("has not answered for"), "{text}");
    assert!(!text.contains("at work"), "{text}");
    let state = &result["_meta"]["exai/continue"];
    assert_eq!(state["state"], "not_known", "{result}");
    let handle = state["handle"].clone();
    resume_pid(daemon.id());
    let end = shim
        .call_tool("exai_continue", json!({ "handle": handle }))
        .await;
    assert_eq!(ok_text(&end), "counted");
    assert_eq!(sandbox.counted("ran"), 1);
}
