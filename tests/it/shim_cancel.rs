//! The client lets go of a call, whatever the call is doing: it ends, or goes on where that was
//! meant, and no answer comes late.

use crate::editor::{answers, by_hand, connected, nothing_more, ok_text, reached, window};
use exai_testkit::{Sandbox, Shim, eventually};
use serde_json::{Value, json};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);

async fn cancel(shim: &mut Shim, id: u64, reason: &str) {
    let params = json!({ "requestId": id, "reason": reason });
    shim.notify("notifications/cancelled", params).await;
}

/// The one record of a tool's one call.
async fn record(sandbox: &Sandbox, tool: &str) -> Value {
    let of = |record: &Value| record["tool"] == tool;
    let found = eventually(LIMIT, format_args!("a record of {tool}"), || {
        sandbox.calls().into_iter().find(of)
    })
    .await;
    assert_eq!(sandbox.calls().iter().filter(|r| of(r)).count(), 1);
    found
}

/// A call that runs until its gate opens.
async fn running(sandbox: &Sandbox, shim: &mut Shim) -> u64 {
    let path = sandbox.work().join("trace");
    let call = sandbox.gate("trace").holds(json!({ "file": path }));
    let id = shim.call("test_count_once", call).await;
    eventually(LIMIT, "the call to run", || sandbox.counted("trace") == 1).await;
    id
}

#[tokio::test]
async fn r09_a_running_call_is_stopped_and_never_answered() {
    let (sandbox, _daemon, mut shim) = connected().await;
    let id = running(&sandbox, &mut shim).await;
    cancel(&mut shim, id, "user pressed escape").await;
    let record = record(&sandbox, "test_count_once").await;
    assert_eq!(record["outcome"], "cancelled", "{record}");
    nothing_more(&mut shim).await;
    reached(&mut shim).await;
}

#[tokio::test]
async fn r09_a_reason_may_be_left_out_and_means_stop() {
    let (sandbox, _daemon, mut shim) = connected().await;
    let id = running(&sandbox, &mut shim).await;
    let params = json!({ "requestId": id });
    shim.notify("notifications/cancelled", params).await;
    let record = record(&sandbox, "test_count_once").await;
    assert_eq!(record["outcome"], "cancelled", "{record}");
    nothing_more(&mut shim).await;
}

#[tokio::test]
async fn r09_a_time_out_detaches_and_the_call_finishes() {
    let (sandbox, _daemon, mut shim) = connected().await;
    let id = running(&sandbox, &mut shim).await;
    cancel(&mut shim, id, "SdkError: Request timed out").await;
    nothing_more(&mut shim).await;
    sandbox.gate("trace").open();
    let record = record(&sandbox, "test_count_once").await;
    assert_eq!(record["outcome"], "ok", "{record}");
    // Its answer finds nobody.
    nothing_more(&mut shim).await;
    reached(&mut shim).await;
}

#[tokio::test]
async fn r09_a_queued_call_never_runs() {
    let (sandbox, _daemon, mut shim) = connected().await;
    let gate = sandbox.gate("busy");
    let mut busy = Vec::new();
    for _ in 0..8 {
        busy.push(shim.call("test_sleep", gate.holds(json!({}))).await);
    }
    let path = sandbox.work().join("trace");
    let call = json!({ "file": path });
    let id = shim.call("test_count_once", call).await;
    let queued = || {
        sandbox
            .log("ws_daemon.log")
            .contains("tool=test_count_once")
    };
    eventually(LIMIT, "the call to be queued", queued).await;
    cancel(&mut shim, id, "").await;
    let record = record(&sandbox, "test_count_once").await;
    assert_eq!(record["outcome"], "cancelled", "{record}");
    gate.open();
    answers(&mut shim, &busy, LIMIT).await;
    nothing_more(&mut shim).await;
    assert_eq!(sandbox.counted("trace"), 0, "it ran");
}

#[tokio::test]
async fn r09_a_call_that_waits_for_a_daemon_is_never_sent() {
    let mut sandbox = by_hand();
    sandbox.set("EXAI_SHIM_CONNECT_WAIT", "60");
    let mut shim = sandbox.shim();
    shim.initialize("2025-11-25").await;
    let path = sandbox.work().join("trace");
    let call = json!({ "file": path });
    let gone = shim.call("test_count_once", call).await;
    let stays = shim.call("test_sleep", json!({ "ms": 1 })).await;
    cancel(&mut shim, gone, "changed my mind").await;
    let _daemon = sandbox.daemon().await;
    let answer = shim.recv().await;
    assert_eq!(answer["id"], stays, "{answer}");
    nothing_more(&mut shim).await;
    assert_eq!(sandbox.counted("trace"), 0, "it ran");
    assert!(
        sandbox
            .calls()
            .iter()
            .all(|r| r["tool"] != "test_count_once")
    );
}

#[tokio::test]
async fn r09_a_call_whose_daemon_died_is_let_go_of() {
    let (sandbox, mut daemon, mut shim) = connected().await;
    let id = running(&sandbox, &mut shim).await;
    daemon.kill().await;
    cancel(&mut shim, id, "esc").await;
    nothing_more(&mut shim).await;
    let _daemon = sandbox.daemon().await;
    reached(&mut shim).await;
    nothing_more(&mut shim).await;
    assert_eq!(sandbox.counted("trace"), 1);
}

#[tokio::test]
async fn r09_a_finished_or_unknown_call_cannot_be_cancelled_and_nothing_happens() {
    let (sandbox, _daemon, mut shim) = connected().await;
    let id = shim.call("test_sleep", json!({ "ms": 1 })).await;
    shim.answer(id).await;
    cancel(&mut shim, id, "late").await;
    cancel(&mut shim, 999_999, "who").await;
    let params = json!({ "requestId": "nobody" });
    shim.notify("notifications/cancelled", params).await;
    nothing_more(&mut shim).await;
    // The id is free again, also right after its cancellation.
    let params = json!({ "name": "test_sleep", "arguments": { "ms": 1 } });
    shim.send(&json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params }))
        .await;
    let answer = shim.answer(id).await;
    assert_eq!(ok_text(&answer["result"]), "slept 1 ms");
    assert!(sandbox.calls().iter().all(|r| r["outcome"] == "ok"));
}

/// The cancellation races with the answer; both may win, and never does an answer follow a
/// cancellation that was seen.
#[tokio::test]
async fn r09_a_race_with_the_answer_leaves_one_record_and_at_most_one_answer() {
    let (sandbox, _daemon, mut shim) = connected().await;
    for n in 0..40_u64 {
        let id = shim.call("test_sleep", json!({ "ms": 5 })).await;
        tokio::time::sleep(Duration::from_millis(n % 9)).await;
        cancel(&mut shim, id, "race").await;
        let ping = shim.request("ping", json!({})).await;
        shim.answer(ping).await;
        let early = shim.take_aside();
        assert!(early.len() <= 1, "{early:?}");
        nothing_more(&mut shim).await;
    }
    // One that was let go of before it left was never received.
    let received = || {
        let log = sandbox.log("ws_daemon.log");
        let line =
            |line: &&str| line.contains("received call=") && line.contains("tool=test_sleep");
        log.lines().filter(line).count()
    };
    let records = || {
        let calls = sandbox.calls();
        calls
            .iter()
            .filter(|record| record["tool"] == "test_sleep")
            .count()
    };
    eventually(LIMIT, "a record each", || records() == received()).await;
    assert!((20..=40).contains(&records()), "{} of 40", records());
}

#[tokio::test]
async fn r09_many_at_once_leave_the_daemon_free() {
    let mut sandbox = by_hand();
    sandbox.set("EXAI_WS_PROGRESS_INTERVAL_SECS", "0.2");
    let _daemon = sandbox.daemon().await;
    let mut shim = window(&sandbox).await;
    let mut ids = Vec::new();
    for _ in 0..60 {
        ids.push(shim.call("test_sleep", json!({ "ms": 600_000 })).await);
    }
    for id in ids {
        cancel(&mut shim, id, "all of them").await;
    }
    reached(&mut shim).await;
    nothing_more(&mut shim).await;
    let ended = || {
        sandbox
            .calls()
            .iter()
            .filter(|r| r["outcome"] == "cancelled")
            .count()
            == 60
    };
    eventually(LIMIT, "sixty cancelled", ended).await;
}
