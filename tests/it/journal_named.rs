//! Which journal knows what: a damaged one that stands aside makes nobody doubt what the one in
//! its place knows, and is not passed over where it may have known more.

use crate::editor::{by_hand, failure, ok_text, window};
use exai_testkit::{Sandbox, eventually, pause_pid};
use serde_json::json;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);

/// What a daemon leaves that has met damage, and its owner has not looked at yet.
fn damaged_stands_aside(sandbox: &Sandbox) {
    sandbox.write(".exai/data/exai.db.corrupt-1700000000000", "damaged");
}

#[tokio::test]
async fn r02_beside_a_damaged_journal_a_call_that_never_arrived_runs_at_the_next_daemon() {
    let sandbox = by_hand();
    let mut daemon = sandbox.daemon().await;
    damaged_stands_aside(&sandbox);
    daemon.kill().await;
    daemon = sandbox.daemon().await;
    let mut shim = window(&sandbox).await;
    pause_pid(daemon.id());
    let file = sandbox.work().join("ran");
    let id = shim.call("test_count_once", json!({ "file": file })).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    daemon.kill().await;
    let _daemon = sandbox.daemon().await;
    let answer = shim.answer_within(id, LIMIT).await;
    assert_eq!(ok_text(&answer["result"]), "counted");
    eventually(LIMIT, "it ran once", || sandbox.counted("ran") == 1).await;
}

#[tokio::test]
async fn r02_a_handle_that_only_the_damaged_journal_knew_is_not_said_to_be_of_nothing() {
    let sandbox = by_hand();
    let mut daemon = sandbox.daemon().await;
    let mut shim = window(&sandbox).await;
    let handle = json!({ "handle": "00000000000000ab00000000000000cd-7" });
    let asked = |answer: &serde_json::Value| {
        let (code, words) = failure(&answer["result"]);
        (code.to_owned(), words.to_owned())
    };
    let id = shim.call("exai_continue", handle.clone()).await;
    let (code, words) = asked(&shim.answer_within(id, LIMIT).await);
    assert_eq!(code, "EXPIRED", "{words}");
    damaged_stands_aside(&sandbox);
    daemon.kill().await;
    let _daemon = sandbox.daemon().await;
    let id = shim.call("exai_continue", handle).await;
    let (code, words) = asked(&shim.answer_within(id, LIMIT).await);
    assert_eq!(code, "OUTCOME_UNKNOWN", "{words}");
    assert!(
        words.contains("may have run") && words.contains("doctor"),
        "{words}"
    );
}
