//! A restart belongs to who asked for it: windows that are attached wait for its daemon, and
//! none of them slips in one of its own.

use crate::editor::{ok_text, window};
use exai_testkit::{Sandbox, Stopwatch};
use serde_json::json;
use std::time::Duration;

#[tokio::test]
async fn r26_no_attached_window_gets_ahead_of_a_restart() {
    let mut sandbox = Sandbox::new();
    sandbox.set("EXAI_WS_AUTOSTART", "true");
    sandbox.cli(&["start"]).await.ok();
    let mut windows = Vec::new();
    for _ in 0..3 {
        windows.push(window(&sandbox).await);
    }
    for shim in &mut windows {
        ok_text(&shim.call_tool("version", json!({})).await);
    }
    for _ in 0..4 {
        let began = Stopwatch::start();
        let restarted = sandbox.cli(&["restart"]).await;
        assert_eq!(restarted.code, Some(0), "{}", restarted.all());
        assert!(
            restarted.stdout.contains("ws_daemon: started"),
            "another was quicker: {}",
            restarted.all()
        );
        assert!(
            began.elapsed() < Duration::from_secs(15),
            "{:?}",
            began.elapsed()
        );
        for shim in &mut windows {
            ok_text(&shim.call_tool("version", json!({})).await);
        }
    }
}
