//! The journal through the front door: the daemon is killed at every stage of a call, and the
//! next one answers for it: nothing accepted is lost, nothing runs twice that must not.

use crate::editor::{by_hand, failure, ok_text, window};
use exai_testkit::{Daemon, Sandbox, Ws, eventually, pause_pid, resume_pid};
use serde_json::{Value, json};
use std::{fmt::Write as _, time::Duration};

const LIMIT: Duration = Duration::from_secs(60);
const RICH: &[&str] = &["progress", "rich_results"];

async fn peer(sandbox: &Sandbox) -> Ws {
    sandbox.modern("window", RICH).await.0
}

/// kill −9, and the next daemon with the same client on it.
async fn next_life(sandbox: &Sandbox, daemon: &mut Daemon) -> Ws {
    daemon.kill().await;
    *daemon = sandbox.daemon().await;
    peer(sandbox).await
}

async fn attach(ws: &mut Ws, id: &str) -> Value {
    ws.send(&json!({ "op": "attach", "request_id": id })).await;
    ws.recv_op("attach_res").await["state"].clone()
}

async fn page(ws: &mut Ws, id: &str, offset: usize) -> Value {
    ws.send(&json!({ "op": "collect", "request_id": id, "offset": offset, "limit": 1 << 20 }))
        .await;
    ws.recv_op("collect_res").await
}

async fn until_finished(ws: &mut Ws, id: &str) {
    let end = tokio::time::Instant::now() + LIMIT;
    while page(ws, id, usize::MAX / 2).await["state"] != "finished" {
        assert!(tokio::time::Instant::now() < end, "{id} never finished");
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
}

fn code(result: &Value) -> &str {
    result["error"]["code"].as_str().unwrap_or("none")
}

#[tokio::test]
async fn r02_accepted_and_not_started_it_runs_for_whoever_comes_back() {
    let mut sandbox = Sandbox::new();
    sandbox
        .set("EXAI_WS_GLOBAL_MAX_INFLIGHT", "1")
        .set("EXAI_WS_PROGRESS_INTERVAL_SECS", "0.1");
    let mut daemon = sandbox.daemon().await;
    let mut ws = peer(&sandbox).await;
    ws.call_as("first", "test_sleep", json!({ "ms": 60_000 }))
        .await;
    ws.recv_op("call_tool_ack").await;
    let file = json!({ "file": sandbox.work().join("ran") });
    for id in ["again", "attached", "paged", "stopped"] {
        ws.call_as(id, "test_count_once", file.clone()).await;
        ws.recv_where(|frame| frame["request_id"] == id && frame["stage"] == "queued")
            .await;
    }
    let mut ws = next_life(&sandbox, &mut daemon).await;
    assert_eq!(sandbox.counted("ran"), 0);
    ws.call_as("again", "test_count_once", file.clone()).await;
    let result = ws.result("again").await;
    assert_eq!(result["outputs"][0]["text"], "counted", "{result}");
    assert_eq!(attach(&mut ws, "attached").await, "queued");
    let result = ws.result("attached").await;
    assert_eq!(result["outputs"][0]["text"], "counted", "{result}");
    until_finished(&mut ws, "paged").await;
    assert_eq!(sandbox.counted("ran"), 3);
    ws.send(&json!({ "op": "cancel", "request_id": "stopped" }))
        .await;
    assert_eq!(ws.recv_op("cancel_res").await["state"], "queued");
    until_finished(&mut ws, "stopped").await;
    ws.call_as("stopped", "test_count_once", file).await;
    let stopped = ws.result("stopped").await;
    assert_eq!(
        (code(&stopped), &stopped["error"]["ran"]),
        ("CANCELLED", &json!("no")),
        "{stopped}"
    );
    assert_eq!(sandbox.counted("ran"), 3);
    assert_eq!(attach(&mut ws, "never made").await, "unknown");
}

#[tokio::test]
async fn r02_started_and_interrupted_it_is_told_with_evidence_and_not_run_again() {
    let sandbox = Sandbox::new();
    let mut daemon = sandbox.daemon().await;
    let mut ws = peer(&sandbox).await;
    let arguments = json!({ "file": sandbox.work().join("ran"), "ms": 60_000 });
    ws.call_as("r", "test_count_once", arguments.clone()).await;
    let flood = json!({ "count": 3, "ms": 60_000 });
    ws.call_as("says", "test_flood_once", flood).await;
    ws.recv_where(|frame| frame["request_id"] == "says" && frame["message"].is_string())
        .await;
    eventually(LIMIT, "it runs", || sandbox.counted("ran") == 1).await;
    let mut ws = next_life(&sandbox, &mut daemon).await;
    attach(&mut ws, "r").await;
    let told = ws.result("r").await;
    let error = &told["error"];
    assert_eq!(
        (code(&told), &error["ran"]),
        ("OUTCOME_UNKNOWN", &json!("unknown"))
    );
    let words = error["message"].as_str().unwrap_or_default();
    assert!(
        words.contains("died while test_count_once was running (started"),
        "{words}"
    );
    assert!(error["metadata"]["started_at"].is_number(), "{error}");
    // Said once, it stays so; and the next daemon says the same.
    for _ in 0..2 {
        ws.call_as("r", "test_count_once", arguments.clone()).await;
        let again = ws.result("r").await;
        assert_eq!(
            (&again["error"]["message"], &again["replayed"]),
            (&error["message"], &json!(true))
        );
        ws = next_life(&sandbox, &mut daemon).await;
    }
    assert_eq!(sandbox.counted("ran"), 1);
}

#[tokio::test]
async fn r02_started_and_harmless_it_runs_again_but_not_for_ever() {
    let sandbox = Sandbox::new();
    let mut daemon = sandbox.daemon().await;
    let mut ws = peer(&sandbox).await;
    let arguments = json!({ "file": sandbox.work().join("ran"), "ms": 60_000 });
    ws.call_as("r", "test_count", arguments).await;
    for run in 1..=4 {
        eventually(LIMIT, "it runs", || sandbox.counted("ran") == run).await;
        ws = next_life(&sandbox, &mut daemon).await;
        assert_eq!(attach(&mut ws, "r").await, "queued");
    }
    // It may be what its daemons died of.
    let told = ws.result("r").await;
    assert_eq!(code(&told), "OUTCOME_UNKNOWN");
    assert!(
        told["error"]["message"]
            .as_str()
            .is_some_and(|words| words.contains("for the 4. time")),
        "{told}"
    );
    assert_eq!(sandbox.counted("ran"), 4);
}

#[tokio::test]
async fn r02_finished_and_not_delivered_it_is_collected_from_the_next_daemon() {
    let sandbox = Sandbox::new();
    let mut daemon = sandbox.daemon().await;
    let mut ws = peer(&sandbox).await;
    let arguments = json!({ "file": sandbox.work().join("ran"), "ms": 300 });
    ws.call_as("r", "test_count_once", arguments.clone()).await;
    ws.recv_op("call_tool_ack").await;
    ws.close().await;
    let mut ws = peer(&sandbox).await;
    until_finished(&mut ws, "r").await;
    let mut ws = next_life(&sandbox, &mut daemon).await;
    let collected = page(&mut ws, "r", 0).await;
    assert_eq!(
        (&collected["state"], &collected["eof"]),
        (&json!("finished"), &json!(true))
    );
    assert!(
        collected["chunk"]
            .as_str()
            .is_some_and(|text| text.contains("counted")),
        "{collected}"
    );
    let mut ws = next_life(&sandbox, &mut daemon).await;
    assert_eq!(attach(&mut ws, "r").await, "finished");
    let result = ws.result("r").await;
    assert_eq!(
        (&result["outputs"][0]["text"], &result["replayed"]),
        (&json!("counted"), &json!(true))
    );
    assert!(
        result["age"].as_f64().is_some_and(|age| age < 60.0),
        "{result}"
    );
    let mut ws = next_life(&sandbox, &mut daemon).await;
    ws.call_as("r", "test_count_once", arguments.clone()).await;
    assert_eq!(ws.result("r").await["replayed"], true);
    let mut ws = next_life(&sandbox, &mut daemon).await;
    let mut other = arguments;
    other["ms"] = json!(1);
    ws.call_as("r", "test_count_once", other).await;
    assert_eq!(code(&ws.result("r").await), "INVALID_ARGUMENT");
    assert_eq!(sandbox.counted("ran"), 1);
    let check = sandbox.cli(&["logs", "check"]).await;
    assert_eq!(check.code, Some(0), "{}", check.all());
}

#[tokio::test]
async fn r02_thirty_megabytes_are_paged_from_the_journal_by_the_next_daemon() {
    let sandbox = Sandbox::new();
    let mut daemon = sandbox.daemon().await;
    let mut ws = peer(&sandbox).await;
    ws.call_as("big", "test_bulk_once", json!({ "bytes": 30_000_000 }))
        .await;
    ws.recv_op("call_tool_ack").await;
    ws.close().await;
    let mut ws = peer(&sandbox).await;
    until_finished(&mut ws, "big").await;
    let results = sandbox.home().join(".exai/data/results");
    assert_eq!(
        std::fs::read_dir(&results).map(Iterator::count).ok(),
        Some(1)
    );
    let mut ws = next_life(&sandbox, &mut daemon).await;
    let mut text = String::new();
    loop {
        let page = page(&mut ws, "big", text.len()).await;
        let _ = write!(text, "{}", page["chunk"].as_str().unwrap_or_default());
        if page["eof"] == true {
            break;
        }
    }
    let blocks: Value = serde_json::from_str(&text).unwrap_or_default();
    assert_eq!(blocks[0]["text"].as_str().map(str::len), Some(30_000_000));
}

#[tokio::test]
async fn r02_what_memory_lets_go_of_the_journal_still_has() {
    let mut sandbox = Sandbox::new();
    sandbox.set("EXAI_WS_RETAINED_RESULTS", "1");
    let _daemon = sandbox.daemon().await;
    let mut ws = peer(&sandbox).await;
    let file = json!({ "file": sandbox.work().join("ran") });
    for id in ["a", "b", "c"] {
        ws.call_as(id, "test_count_once", file.clone()).await;
        ws.result(id).await;
    }
    ws.call_as("a", "test_count_once", file.clone()).await;
    let again = ws.result("a").await;
    assert_eq!(
        (&again["replayed"], &again["outputs"][0]["text"]),
        (&json!(true), &json!("counted"))
    );
    assert_eq!(attach(&mut ws, "b").await, "finished");
    assert_eq!(ws.result("b").await["outputs"][0]["text"], "counted");
    assert_eq!(sandbox.counted("ran"), 3);
}

#[tokio::test]
async fn r02_a_shim_collects_from_the_next_daemon_what_the_last_one_finished() {
    let sandbox = by_hand();
    let mut daemon = sandbox.daemon().await;
    let mut shim = window(&sandbox).await;
    let file = sandbox.work().join("ran");
    let id = shim
        .call("test_count_once", json!({ "file": file, "ms": 1000 }))
        .await;
    eventually(LIMIT, "it runs", || sandbox.counted("ran") == 1).await;
    // The shim sleeps while its call ends, and does not see its daemon die.
    pause_pid(shim.id());
    eventually(LIMIT, "it ends", || {
        sandbox
            .calls()
            .iter()
            .any(|record| record["tool"] == "test_count_once")
    })
    .await;
    daemon.kill().await;
    resume_pid(shim.id());
    let _daemon = sandbox.daemon().await;
    let answer = shim.answer_within(id, LIMIT).await;
    assert_eq!(ok_text(&answer["result"]), "counted");
    assert_eq!(sandbox.counted("ran"), 1);
}

#[tokio::test]
async fn r02_a_shims_call_that_waited_runs_at_the_next_daemon() {
    let mut sandbox = by_hand();
    sandbox.set("EXAI_WS_GLOBAL_MAX_INFLIGHT", "1");
    let mut daemon = sandbox.daemon().await;
    let mut shim = window(&sandbox).await;
    let (first, second) = (sandbox.work().join("first"), sandbox.work().join("second"));
    let running = shim
        .call("test_count_once", json!({ "file": first, "ms": 60_000 }))
        .await;
    eventually(LIMIT, "it runs", || sandbox.counted("first") == 1).await;
    let params = json!({ "file": second });
    let waiting = shim
        .call_with_progress("test_count_once", params, json!("t"))
        .await;
    shim.recv_where(|message| {
        message["params"]["message"]
            .as_str()
            .is_some_and(|words| words.contains("position"))
    })
    .await;
    daemon.kill().await;
    let _daemon = sandbox.daemon().await;
    let answer = shim.answer_within(waiting, LIMIT).await;
    assert_eq!(ok_text(&answer["result"]), "counted");
    let answer = shim.answer_within(running, LIMIT).await;
    let (code, words) = failure(&answer["result"]);
    assert_eq!(code, "OUTCOME_UNKNOWN");
    assert!(
        words.contains("(started"),
        "the daemon's own evidence: {words}"
    );
    assert_eq!(
        (sandbox.counted("first"), sandbox.counted("second")),
        (1, 1)
    );
}

#[tokio::test]
async fn a_result_nobody_waited_for_is_the_same_clients_next_equal_calls_once() {
    let sandbox = Sandbox::new();
    let mut daemon = sandbox.daemon().await;
    let mut ws = peer(&sandbox).await;
    let arguments = json!({ "file": sandbox.work().join("ran"), "ms": 300 });
    for round in 0..2 {
        let id = format!("left {round}");
        ws.call_as(&id, "test_count_once", arguments.clone()).await;
        ws.recv_op("call_tool_ack").await;
        ws.send(&json!({ "op": "cancel", "request_id": id, "mode": "detach" }))
            .await;
        ws.recv_op("cancel_res").await;
        eventually(LIMIT, "it ends", || {
            let calls = sandbox.calls();
            calls
                .iter()
                .filter(|call| call["tool"] == "test_count_once")
                .count()
                > 3 * round
        })
        .await;
        if round == 1 {
            ws = next_life(&sandbox, &mut daemon).await;
        }
        // Another window asks for the same: that is its own call.
        let mut stranger = sandbox.modern(&format!("other {round}"), RICH).await.0;
        let mut brief = arguments.clone();
        brief["file"] = json!(sandbox.work().join("stranger"));
        stranger.call_as("s", "test_count_once", brief).await;
        assert!(stranger.result("s").await["replayed"].is_null());

        let id = format!("asked again {round}");
        ws.call_as(&id, "test_count_once", arguments.clone()).await;
        let again = ws.result(&id).await;
        assert_eq!(again["replayed"], true, "{again}");
        assert!(again["age"].is_number());
        assert_eq!(sandbox.counted("ran"), round + 1, "it was not run again");
    }
    // Once only: who asks again after an answer gets a fresh run.
    ws.call_as("fresh", "test_count_once", arguments).await;
    assert!(ws.result("fresh").await["replayed"].is_null());
    assert_eq!(sandbox.counted("ran"), 3);
}

/// The result was on its way when its client let go: it heard nothing of it.
#[tokio::test]
async fn r14_a_result_that_crossed_with_letting_go_is_the_next_equal_calls() {
    let sandbox = Sandbox::new();
    let _daemon = sandbox.daemon().await;
    let mut ws = peer(&sandbox).await;
    let arguments = json!({ "file": sandbox.work().join("ran"), "ms": 1 });
    ws.call_as("crossed", "test_count_once", arguments.clone())
        .await;
    ws.result("crossed").await;
    ws.send(&json!({ "op": "cancel", "request_id": "crossed", "mode": "detach" }))
        .await;
    for (id, replayed, runs) in [("again", json!(true), 1), ("fresh", Value::Null, 2)] {
        ws.call_as(id, "test_count_once", arguments.clone()).await;
        assert_eq!(ws.result(id).await["replayed"], replayed, "{id}");
        assert_eq!(sandbox.counted("ran"), runs, "{id}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn without_its_database_a_daemon_promises_nothing_it_cannot_keep() {
    use std::os::unix::fs::PermissionsExt as _;
    let sandbox = Sandbox::new();
    let data = sandbox.home().join(".exai/data");
    std::fs::create_dir_all(&data).unwrap_or_default();
    for private in [".exai", ".exai/data"] {
        let mode = std::fs::Permissions::from_mode(0o700);
        std::fs::set_permissions(sandbox.home().join(private), mode).unwrap_or_default();
    }
    let elsewhere = sandbox.work().join("elsewhere.db");
    std::os::unix::fs::symlink(&elsewhere, data.join("exai.db")).unwrap_or_default();
    let _daemon = sandbox.daemon().await;
    let (mut ws, ack) = sandbox.modern("window", RICH).await;
    let features = ack["features"].as_array().cloned().unwrap_or_default();
    assert!(!features.contains(&json!("journal")), "{ack}");
    ws.call_as(
        "r",
        "test_count_once",
        json!({ "file": sandbox.work().join("ran") }),
    )
    .await;
    let refused = ws.result("r").await;
    assert_eq!(
        (code(&refused), &refused["error"]["ran"]),
        ("UNAVAILABLE", &json!("no"))
    );
    assert!(
        refused["error"]["message"]
            .as_str()
            .is_some_and(|words| words.contains("symbolic link")),
        "{refused}"
    );
    assert_eq!(sandbox.counted("ran"), 0);
    let at_once = ws.call_and_wait("version", json!({})).await;
    assert!(at_once["error"].is_null(), "{at_once}");
    // A client of today and one of the first version are told why, by the tool an agent asks.
    for mut peer in [sandbox.modern("asks", RICH).await.0, sandbox.ws().await] {
        for tool in ["status", "self-check"] {
            let told = peer.call_and_wait(tool, json!({})).await.to_string();
            assert!(told.contains("are refused (UNAVAILABLE)"), "{tool}: {told}");
        }
    }
    let status = sandbox.cli(&["status"]).await;
    for words in ["symbolic link", "are refused (UNAVAILABLE)"] {
        assert!(status.all().contains(words), "{}", status.all());
    }
    let doctor = sandbox.cli(&["doctor"]).await;
    assert!(doctor.all().contains("symbolic link"), "{}", doctor.all());
    // Removed, the way back is by itself.
    std::fs::remove_file(data.join("exai.db")).unwrap_or_default();
    let end = tokio::time::Instant::now() + LIMIT;
    loop {
        ws.call_as(
            "r",
            "test_count_once",
            json!({ "file": sandbox.work().join("ran") }),
        )
        .await;
        if ws.result("r").await["error"].is_null() {
            break;
        }
        assert!(tokio::time::Instant::now() < end, "it never came back");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(
        sandbox.counted("ran"),
        1,
        "an id that was turned away may come again"
    );
}
