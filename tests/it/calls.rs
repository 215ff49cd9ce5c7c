//! `exai-daemon calls`: the journal for people, with and without a daemon.

use crate::editor::{by_hand, failure, window};
use exai_testkit::{Must as _, Sandbox, Ws, eventually, kill_pid};
use serde_json::{Value, json};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);

async fn of_each_kind(sandbox: &Sandbox) -> Ws {
    let (mut ws, _) = sandbox
        .modern("window", &["progress", "rich_results"])
        .await;
    ws.call_as("fine", "test_bulk_once", json!({ "bytes": 100_000 }))
        .await;
    ws.result("fine").await;
    ws.call_as("bad", "test_count_once", json!({ "file": "nowhere" }))
        .await;
    ws.result("bad").await;
    let file = sandbox.work().join("ran");
    ws.call_as(
        "runs",
        "test_count_once",
        json!({ "file": file, "ms": 60_000 }),
    )
    .await;
    eventually(LIMIT, "it runs", || sandbox.counted("ran") == 1).await;
    // At once, and so not in the journal.
    ws.call_as("version", "version", json!({})).await;
    ws.result("version").await;
    ws
}

async fn listed(sandbox: &Sandbox, flags: &[&str]) -> Vec<(String, String)> {
    let words = [&["calls", "--json"], flags].concat();
    let rows = sandbox.cli(&words).await.ok().json();
    let text = |row: &Value, key: &str| row[key].as_str().unwrap_or_default().to_owned();
    let rows = rows.as_array().cloned().unwrap_or_default();
    let pair = |row: &Value| (text(row, "request_id"), text(row, "now"));
    rows.iter().map(pair).collect()
}

/// Waits until so many calls stand in the journal without an end.
async fn until_open(sandbox: &Sandbox, calls: usize) {
    let end = tokio::time::Instant::now() + LIMIT;
    loop {
        let open = listed(sandbox, &["--open"]).await;
        if open.len() == calls {
            return;
        }
        assert!(tokio::time::Instant::now() < end, "still open: {open:?}");
    }
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(id, state): &(&str, &str)| ((*id).to_owned(), (*state).to_owned());
    expected.iter().map(owned).collect()
}

#[tokio::test]
async fn the_journal_is_listed_shown_and_read_with_and_without_a_daemon() {
    let sandbox = Sandbox::new();
    assert_eq!(listed(&sandbox, &[]).await, [], "before the first daemon");
    let mut daemon = sandbox.daemon().await;
    let _ws = of_each_kind(&sandbox).await;
    let all = [
        ("runs", "running"),
        ("bad", "invalid_argument"),
        ("fine", "ok"),
    ];
    assert_eq!(listed(&sandbox, &[]).await, pairs(&all));
    assert_eq!(listed(&sandbox, &["--open"]).await, pairs(&all[..1]));
    assert_eq!(listed(&sandbox, &["--failed"]).await, pairs(&all[1..2]));
    assert_eq!(listed(&sandbox, &["-n", "2"]).await, pairs(&all[..2]));
    assert_eq!(listed(&sandbox, &["--since", "1h"]).await, pairs(&all));
    assert_eq!(listed(&sandbox, &["--since", "2100-01-01"]).await, []);

    daemon.kill().await;
    let dead = [
        ("runs", "interrupted"),
        ("bad", "invalid_argument"),
        ("fine", "ok"),
    ];
    assert_eq!(listed(&sandbox, &[]).await, pairs(&dead));
    let table = sandbox.cli(&["calls"]).await.ok().stdout;
    assert!(
        table.contains("test_bulk_once") && table.contains("100027 B"),
        "{table}"
    );
    let shown = sandbox.cli(&["calls", "show", "runs"]).await.ok().stdout;
    for words in ["test_count_once", "interrupted", "client:window", "sha256"] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    let shown = sandbox
        .cli(&["calls", "show", "bad", "--json"])
        .await
        .ok()
        .json();
    assert_eq!(
        (&shown["error"]["code"], &shown["runs"]),
        (&json!("INVALID_ARGUMENT"), &json!(1))
    );
    let text = sandbox.cli(&["calls", "result", "fine"]).await.ok().stdout;
    assert_eq!(text.trim_end().len(), 100_000);
    let blocks = sandbox
        .cli(&["calls", "result", "fine", "--json"])
        .await
        .ok()
        .json();
    assert_eq!(blocks[0]["type"], "text");
    for (words, why) in [
        (
            &["calls", "result", "bad"][..],
            "it returned nothing: INVALID_ARGUMENT",
        ),
        (&["calls", "result", "runs"], "no end yet"),
        (
            &["calls", "show", "nobody"],
            "`exai-daemon calls` lists them",
        ),
        (&["calls", "cancel", "fine"], "has ended: ok"),
        (&["calls", "cancel", "runs"], "no daemon answers"),
    ] {
        let refused = sandbox.cli(words).await;
        assert_ne!(refused.code, Some(0), "{words:?}");
        assert!(refused.stderr.contains(why), "{words:?}: {}", refused.all());
    }
}

#[tokio::test]
async fn a_call_of_any_window_is_stopped_by_its_number_or_its_id() {
    let mut sandbox = Sandbox::new();
    sandbox.set("EXAI_WS_GLOBAL_MAX_INFLIGHT", "1");
    let mut daemon = sandbox.daemon().await;
    let mut ws = of_each_kind(&sandbox).await;
    let file = json!({ "file": sandbox.work().join("waits") });
    for id in ["waits", "left behind"] {
        ws.call_as(id, "test_count_once", file.clone()).await;
    }
    until_open(&sandbox, 3).await;
    let stopped = sandbox.cli(&["calls", "cancel", "waits"]).await.ok();
    assert!(
        stopped.stdout.contains("waited and will not run"),
        "{}",
        stopped.all()
    );
    assert_eq!(ws.result("waits").await["error"]["ran"], "no");
    let stopped = sandbox.cli(&["calls", "cancel", "runs"]).await.ok();
    assert!(
        stopped.stdout.contains("is being stopped"),
        "{}",
        stopped.all()
    );
    let end = ws.result("runs").await;
    assert_eq!(end["error"]["code"], "CANCELLED", "{end}");
    ws.result("left behind").await;
    ws.call_as("runs too", "test_sleep_once", json!({ "ms": 60_000 }))
        .await;
    ws.recv_op("call_tool_ack").await;
    ws.call_as("never", "test_count_once", file.clone()).await;
    until_open(&sandbox, 2).await;
    // What a dead daemon left open ends for good.
    daemon.kill().await;
    let _daemon = sandbox.daemon().await;
    sandbox.cli(&["calls", "cancel", "never"]).await.ok();
    assert_eq!(
        listed(&sandbox, &["--open"]).await,
        pairs(&[("runs too", "interrupted")])
    );
    let (mut ws, _) = sandbox.modern("window", &["rich_results"]).await;
    ws.call_as("never", "test_count_once", file).await;
    let never = ws.result("never").await;
    assert_eq!(
        (&never["error"]["code"], &never["error"]["ran"]),
        (&json!("CANCELLED"), &json!("no"))
    );
    assert_eq!(
        sandbox.counted("waits"),
        1,
        "only the one that was left to run"
    );
}

/// Its daemon has given the home away and lives on for it; then it dies over it.
#[tokio::test]
async fn a_call_that_the_daemon_before_this_one_finishes_is_running_and_not_interrupted() {
    let sandbox = by_hand();
    sandbox.cli(&["start"]).await.ok();
    let mut shim = window(&sandbox).await;
    let call = json!({ "file": sandbox.work().join("ran"), "ms": 20_000 });
    let id = shim.call("test_count_once", call).await;
    let runs = || sandbox.counted("ran") == 1;
    eventually(LIMIT, "it to run", runs).await;
    let before = sandbox.daemon_pid().must("read the record");
    sandbox.cli(&["restart"]).await.ok();
    let open = listed(&sandbox, &["--open"]).await;
    assert_eq!(open.len(), 1, "{open:?}");
    assert_eq!(open[0].1, "running");

    let check = sandbox.cli(&["logs", "check"]).await.ok().stdout;
    assert!(check.contains("open test_count_once"), "{check}");
    assert!(check.contains("interrupted=0 "), "{check}");

    kill_pid(before);
    let answer = shim.answer(id).await;
    assert_eq!(failure(&answer["result"]).0, "OUTCOME_UNKNOWN");
    let table = sandbox.cli(&["calls"]).await.ok().stdout;
    let row = table.lines().find(|row| row.contains("outcome_unknown"));
    let row = row.must("find its row");
    assert!(
        row.contains(" unknown ") && !row.contains("not run"),
        "{row}"
    );
    let check = sandbox.cli(&["logs", "check"]).await.ok().stdout;
    assert!(check.contains("interrupted=1 open=0"), "{check}");
    sandbox.cli(&["stop"]).await.ok();
}
