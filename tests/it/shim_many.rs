//! Many windows at once: one daemon between them, one log, and nobody in anybody's way.

use crate::editor::{by_hand, ok_text, reached, window};
use exai_testkit::{Must as _, Sandbox, Shim};
use serde_json::json;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);

fn boots(sandbox: &Sandbox) -> usize {
    let log = sandbox.log("ws_daemon.log");
    log.lines()
        .filter(|line| line.contains(" boot boot="))
        .count()
}

async fn twenty(sandbox: &Sandbox) -> Vec<Shim> {
    let mut shims: Vec<Shim> = (0..20).map(|_| sandbox.shim()).collect();
    for shim in &mut shims {
        // Sent to all before anybody waits for an answer.
        let hello = json!({ "protocolVersion": "2025-11-25", "capabilities": {},
            "clientInfo": { "name": "testkit", "version": "0" } });
        shim.request("initialize", hello).await;
    }
    shims
}

#[tokio::test]
async fn r11_twenty_windows_at_once_get_one_daemon_and_all_are_answered() {
    let mut sandbox = Sandbox::new();
    sandbox.set("EXAI_SHIM_CONNECT_WAIT", "60");
    let mut shims = twenty(&sandbox).await;
    // Some clients probe like that: they start a server and kill it at once.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let mut probed = shims.swap_remove(7);
    probed.kill().await;
    let mut calls = Vec::new();
    for shim in &mut shims {
        calls.push(shim.call("test_sleep", json!({ "ms": 10 })).await);
    }
    for (shim, id) in shims.iter_mut().zip(calls) {
        let answer = shim.answer_within(id, LIMIT).await;
        assert_eq!(ok_text(&answer["result"]), "slept 10 ms");
    }
    assert_eq!(boots(&sandbox), 1);
    // A starter that came too late may still be looking round.
    exai_testkit::eventually(LIMIT, "one process is left", || {
        sandbox.processes("exai-daemon").len() == 1
    })
    .await;
}

#[tokio::test]
async fn r11_twenty_windows_whose_daemon_is_killed_get_one_new_one() {
    let mut sandbox = Sandbox::new();
    sandbox.set("EXAI_SHIM_CONNECT_WAIT", "60");
    let mut shims = twenty(&sandbox).await;
    for shim in &mut shims {
        reached(shim).await;
    }
    let first = sandbox.daemon_pid().expect("no endpoint record");
    exai_testkit::kill_pid(first);
    let mut calls = Vec::new();
    for shim in &mut shims {
        calls.push(shim.call("test_sleep", json!({ "ms": 10 })).await);
    }
    for (shim, id) in shims.iter_mut().zip(calls) {
        let answer = shim.answer_within(id, LIMIT).await;
        assert_eq!(ok_text(&answer["result"]), "slept 10 ms");
    }
    assert_eq!(boots(&sandbox), 2);
    assert_eq!(sandbox.processes("exai-daemon").len(), 1);
}

/// A window that is only looked at starts nothing.
#[tokio::test]
async fn r11_a_probe_that_says_nothing_starts_no_daemon() {
    let sandbox = Sandbox::new();
    let mut shim = sandbox.shim();
    tokio::time::sleep(Duration::from_millis(500)).await;
    shim.kill().await;
    assert_eq!(boots(&sandbox), 0);
    assert_eq!(sandbox.processes("exai-daemon"), Vec::<u32>::new());
}

#[tokio::test]
async fn r48_ten_shims_write_whole_lines_with_their_own_id_into_one_log() {
    let mut sandbox = by_hand();
    sandbox
        .set("LOG_LEVEL", "DEBUG")
        .set("EXAI_LOG_MAX_BYTES", "16 KiB");
    let _daemon = sandbox.daemon().await;
    let mut shims = Vec::new();
    for _ in 0..10 {
        shims.push(window(&sandbox).await);
    }
    for round in 0..30 {
        for shim in &mut shims {
            shim.send_line(&format!("garbage {round}")).await;
        }
        for shim in &mut shims {
            assert_eq!(shim.recv().await["error"]["code"], -32700);
        }
    }
    let pids: Vec<String> = shims
        .iter()
        .map(|shim| format!("[{}]:", shim.id()))
        .collect();
    for shim in &mut shims {
        shim.close_stdin();
        shim.wait(LIMIT).await;
    }
    let lines = all_logs(&sandbox);
    let bad = lines.iter().filter(|line| line.contains("a bad line"));
    assert_eq!(bad.count(), 300);
    for line in lines {
        assert!(starts_like_a_line(&line), "not a whole line: {line:?}");
        let whose = pids
            .iter()
            .filter(|pid| line.contains(pid.as_str()))
            .count();
        assert_eq!(whose, 1, "whose is it? {line:?}");
    }
}

/// The log and what was rotated out of it.
fn all_logs(sandbox: &Sandbox) -> Vec<String> {
    let mut lines = Vec::new();
    let folder = std::fs::read_dir(sandbox.home().join("logs")).must("list the logs");
    for path in folder.filter_map(|entry| Some(entry.ok()?.path())) {
        let name = path.file_name().unwrap_or_default();
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("ws_shim.log") && !name.ends_with(".lock") {
            let text = std::fs::read_to_string(&path).must("read a log");
            assert!(
                text.is_empty() || text.ends_with('\n'),
                "{name} ends within a line"
            );
            lines.extend(text.lines().map(str::to_owned));
        }
    }
    lines
}

fn starts_like_a_line(line: &str) -> bool {
    let mut parts = line.split(' ');
    let date = parts.next().is_some_and(|date| date.len() == 10);
    let time = parts.next().is_some_and(|time| time.len() == 8);
    let level = parts
        .next()
        .is_some_and(|level| ["ERROR", "WARNING", "INFO", "DEBUG", "TRACE"].contains(&level));
    date && time && level
}
