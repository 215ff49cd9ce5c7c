//! Who replaces whom: programs that are no daemon, two owners at once, another port, a daemon
//! that stands still.

use super::{LIMIT, RICH, all_is_accounted_for, at_work, goes_on, restarted, wide};
use crate::editor::ok_text;
use exai_testkit::{Must as _, Sandbox, eventually, free_port, is_alive, pause_pid};
use serde_json::json;

fn script(sandbox: &Sandbox, name: &str, text: &str) -> String {
    use std::os::unix::fs::PermissionsExt as _;
    let path = sandbox.write(name, text);
    let mode = std::fs::Permissions::from_mode(0o700);
    std::fs::set_permissions(&path, mode).must("make it executable");
    path.display().to_string()
}

#[tokio::test]
async fn r44_a_program_that_cannot_be_the_next_daemon_changes_nothing() {
    let sandbox = wide();
    let (mut shim, id, pid, gate) = at_work(&sandbox).await;
    let plain = sandbox.write("plain", "no program").display().to_string();
    let garbage = script(&sandbox, "garbage", "\u{7f}ELF this is none");
    let other = script(&sandbox, "other", "#!/bin/sh\necho other-program 1.2.3\n");
    let fails = script(&sandbox, "fails", "#!/bin/sh\necho exai-daemon 1; exit 3\n");
    let silent = script(&sandbox, "silent", "#!/bin/sh\nexit 0\n");
    let endless = script(
        &sandbox,
        "endless",
        "#!/bin/sh\nwhile echo exai-daemon 9; do :; done\n",
    );
    let daemon = "#!/bin/sh\ncase \"$1\" in --version) echo exai-daemon 99.0.0; exit;; esac\n";
    let crashes = script(
        &sandbox,
        "crashes",
        &format!("{daemon}echo the new one is broken >&2\nexit 7\n"),
    );
    for (program, code, words) in [
        ("/nowhere/exai-daemon", 2, "cannot be the new daemon"),
        (plain.as_str(), 2, "not executable"),
        (garbage.as_str(), 2, "it cannot be run"),
        (other.as_str(), 2, "it is no exai-daemon"),
        (fails.as_str(), 2, "it is no exai-daemon"),
        (silent.as_str(), 2, "it is no exai-daemon"),
        (endless.as_str(), 2, "it is no exai-daemon"),
        (crashes.as_str(), 8, "the new one is broken"),
    ] {
        let upgrade = sandbox.cli(&["upgrade", program]).await;
        assert_eq!(upgrade.code, Some(code), "{program}: {}", upgrade.all());
        assert!(
            upgrade.stderr.contains(words) && upgrade.stderr.contains("goes on"),
            "{}",
            upgrade.all()
        );
        goes_on(&sandbox, pid).await;
    }
    gate.open();
    let answer = shim.answer_within(id, LIMIT).await;
    assert_eq!(ok_text(&answer["result"]), "counted");
    // And one that can is put in its place.
    let program = exai_testkit::binary("exai-daemon").display().to_string();
    let upgrade = sandbox.cli(&["upgrade", &program]).await.ok();
    assert!(upgrade.stdout.contains("started"), "{}", upgrade.all());
    assert_ne!(sandbox.daemon_pid(), Some(pid));
    all_is_accounted_for(&sandbox).await;
}

#[tokio::test]
async fn r44_two_restarts_at_once_are_two_restarts() {
    let sandbox = wide();
    let (mut shim, id, first, gate) = at_work(&sandbox).await;
    let (one, other) = tokio::join!(sandbox.cli(&["restart"]), sandbox.cli(&["restart"]));
    for restart in [one, other] {
        assert_eq!(restart.code, Some(0), "{}", restart.all());
        assert!(restart.stdout.contains("started"), "{}", restart.all());
    }
    let log = sandbox.log("ws_daemon.log");
    assert_eq!(log.matches(" after=").count(), 2, "each took over from one");
    let last = sandbox.daemon_pid().must("read the record");
    assert_ne!(last, first);
    gate.open();
    let answer = shim.answer_within(id, LIMIT).await;
    assert_eq!(ok_text(&answer["result"]), "counted");
    assert_eq!(sandbox.counted("ran"), 1);
    eventually(LIMIT, "one daemon to be left", || {
        sandbox.processes("exai-daemon") == [last]
    })
    .await;
    all_is_accounted_for(&sandbox).await;
}

#[tokio::test]
async fn r44_windows_that_know_the_old_port_find_the_new_daemon_at_another() {
    let mut sandbox = wide();
    sandbox.set("EXAI_WS_UNIX_SOCKET", "false");
    let (mut shim, id, _, gate) = at_work(&sandbox).await;
    let old = sandbox.port();
    let new = free_port();
    sandbox.set("EXAI_WS_PORT", new.to_string());
    restarted(&sandbox).await;
    gate.open();
    let answer = shim.answer_within(id, LIMIT).await;
    assert_eq!(ok_text(&answer["result"]), "counted");
    ok_text(&shim.call_tool("test_sleep", json!({ "ms": 1 })).await);
    assert_eq!(sandbox.counted("ran"), 1);
    let listens = |port| std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
    assert!(listens(new));
    eventually(LIMIT, "the old port to be free", || !listens(old)).await;
    all_is_accounted_for(&sandbox).await;
}

/// One that says nothing gives nothing away; its owner is told how to end it, and can.
#[tokio::test]
async fn r44_a_daemon_that_stands_still_is_replaced_by_force_only() {
    let sandbox = wide();
    sandbox.cli(&["start"]).await.ok();
    let first = sandbox.daemon_pid().must("read the record");
    pause_pid(first);
    let refused = sandbox.cli(&["restart"]).await;
    assert_eq!(refused.code, Some(9), "{}", refused.all());
    assert!(refused.stderr.contains("stop --force"), "{}", refused.all());
    assert!(is_alive(first));
    let told = sandbox.cli(&["restart", "--force"]).await.ok();
    assert!(told.stdout.contains("started"), "{}", told.all());
    assert!(!is_alive(first));
    let (mut ws, _) = sandbox.modern("another", RICH).await;
    let answer = ws.call_and_wait("test_sleep", json!({ "ms": 1 })).await;
    assert_eq!(answer["outputs"][0]["text"], "slept 1 ms");
}

/// Who gave up waiting and asks the same again gets the work that goes on, in whichever daemon.
#[tokio::test]
async fn r09_a_call_that_was_left_before_a_restart_is_joined_after_it_and_not_run_again() {
    let sandbox = wide();
    sandbox.cli(&["start"]).await.ok();
    let gate = sandbox.gate("ran");
    let call = gate.holds(json!({ "file": sandbox.work().join("ran") }));
    let (mut ws, _) = sandbox.modern("window", RICH).await;
    ws.call_as("left", "test_count_once", call.clone()).await;
    eventually(LIMIT, "it runs", || sandbox.counted("ran") == 1).await;
    ws.send(&json!({ "op": "cancel", "request_id": "left", "mode": "detach" }))
        .await;
    ws.recv_op("cancel_res").await;
    restarted(&sandbox).await;
    let (mut ws, _) = sandbox.modern("window", RICH).await;
    ws.call_as("same", "test_count_once", call.clone()).await;
    ws.recv_where(|frame| frame["request_id"] == "same").await;
    gate.open();
    let same = ws.result("same").await;
    assert_eq!(same["outputs"][0]["text"], "counted", "{same}");
    assert_eq!(sandbox.counted("ran"), 1, "it was joined");
    // It was taken, once.
    ws.call_as("third", "test_count_once", call).await;
    eventually(LIMIT, "a new call to run", || sandbox.counted("ran") == 2).await;
    assert_eq!(ws.result("third").await["outputs"][0]["text"], "counted");
    all_is_accounted_for(&sandbox).await;
}

/// The same of one that had not begun: it begins once, in whichever daemon, and is had by whoever
/// asks for it again.
#[tokio::test]
async fn r09_a_call_that_was_left_while_it_queued_is_joined_after_a_restart_and_runs_once() {
    let mut sandbox = wide();
    sandbox.set("EXAI_WS_GLOBAL_MAX_INFLIGHT", "1");
    sandbox.cli(&["start"]).await.ok();
    let (mut ws, _) = sandbox.modern("window", RICH).await;
    ws.call_as("first", "test_sleep", json!({ "ms": 4000 }))
        .await;
    ws.recv_op("call_tool_ack").await;
    let call = json!({ "file": sandbox.work().join("ran") });
    ws.call_as("left", "test_count_once", call.clone()).await;
    ws.recv_where(|frame| frame["request_id"] == "left" && frame["stage"] == "queued")
        .await;
    ws.send(&json!({ "op": "cancel", "request_id": "left", "mode": "detach" }))
        .await;
    assert_eq!(ws.recv_op("cancel_res").await["state"], "queued");
    restarted(&sandbox).await;
    let (mut ws, _) = sandbox.modern("window", RICH).await;
    ws.call_as("same", "test_count_once", call).await;
    let same = ws.result("same").await;
    assert_eq!(same["outputs"][0]["text"], "counted", "{same}");
    assert_eq!(sandbox.counted("ran"), 1, "it was joined");
    all_is_accounted_for(&sandbox).await;
    assert_eq!(sandbox.counted("ran"), 1, "nobody runs it later");
}
