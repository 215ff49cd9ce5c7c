//! A shim whose daemon cannot be started: the window is told what the starter found, and does not
//! wait once that is put right.

use crate::editor::{failure, ok_text};
use exai_testkit::{Must as _, Sandbox, Shim};
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
    let token = sandbox.run_path("token");
    fs::write(&token, "gar bage\n").must("spoil the token");
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
