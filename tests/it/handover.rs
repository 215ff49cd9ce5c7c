//! A daemon gives its home to the next one while both run: calls at work go on, clients are
//! sent over and see no error, and whoever of the two fails or dies, nothing runs twice.

mod killed;
mod replaced;

use crate::editor::{answers, by_hand, failure, ok_text, window};
use exai_testkit::{
    Frame, Gate, Must as _, Process, Sandbox, Shim, Ws, eventually, is_alive, kill_pid,
};
use serde_json::{Value, json};
use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    os::unix::net::UnixStream,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

const LIMIT: Duration = Duration::from_secs(90);
const RICH: &[&str] = &["progress", "rich_results"];

/// Room for all of a test's calls at once.
fn wide() -> Sandbox {
    let mut sandbox = by_hand();
    sandbox
        .set("EXAI_WS_GLOBAL_MAX_INFLIGHT", "64")
        .set("EXAI_WS_SESSION_MAX_INFLIGHT", "64");
    sandbox
}

async fn restarted(sandbox: &Sandbox) -> u32 {
    let before = sandbox.daemon_pid().must("read the record");
    let restart = sandbox.cli(&["restart"]).await.ok();
    assert!(
        restart.stdout.contains("ws_daemon: started") && !restart.stdout.contains("stopped"),
        "{}",
        restart.all()
    );
    let after = sandbox.daemon_pid().must("read the record");
    assert_ne!(before, after);
    after
}

async fn all_is_accounted_for(sandbox: &Sandbox) {
    sandbox.cli(&["stop"]).await.ok();
    let none = || sandbox.processes("exai-daemon").is_empty();
    eventually(LIMIT, "every daemon to end", none).await;
    let check = sandbox.cli(&["logs", "check"]).await.ok();
    assert!(
        check.stdout.contains("interrupted=0 open=0 violations=0"),
        "{}",
        check.all()
    );
}

/// A raw client whose connection was closed comes back and asks for its calls, which run.
async fn came_back(sandbox: &Sandbox, name: &str, ids: &[String]) -> Ws {
    let (mut ws, _) = sandbox.modern(name, RICH).await;
    for id in ids {
        ws.send(&json!({ "op": "attach", "request_id": id })).await;
        assert_eq!(ws.recv_op("attach_res").await["state"], "running");
    }
    ws
}

#[tokio::test]
async fn r25_a_restart_with_fifty_calls_running_answers_all_and_no_client_sees_an_error() {
    let sandbox = wide();
    sandbox.cli(&["start"]).await.ok();
    let first = sandbox.daemon_pid().must("read the record");
    let gate = sandbox.gate("ran");
    let call = gate.holds(json!({ "file": sandbox.work().join("ran") }));
    let (mut shims, mut peers) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        let mut shim = window(&sandbox).await;
        let mut ids = Vec::new();
        for _ in 0..5 {
            ids.push(shim.call("test_count_once", call.clone()).await);
        }
        shims.push((shim, ids));
    }
    for peer in 0..6 {
        let name = format!("peer {peer}");
        let (mut ws, _) = sandbox.modern(&name, RICH).await;
        let ids: Vec<String> = (0..4).map(|call| format!("{peer}-{call}")).collect();
        for id in &ids {
            ws.call_as(id, "test_count_once", call.clone()).await;
        }
        peers.push((name, ws, ids));
    }
    let mut legacy = sandbox.ws().await;
    let last = legacy.call("test_count_once", call).await;
    eventually(LIMIT, "fifty calls to run", || sandbox.counted("ran") == 50).await;

    restarted(&sandbox).await;
    assert!(is_alive(first), "it has calls to finish");
    // Nobody waits for the new daemon's tools meanwhile.
    let (mut stranger, _) = sandbox.modern("stranger", RICH).await;
    let answer = stranger
        .call_and_wait("test_sleep", json!({ "ms": 1 }))
        .await;
    assert_eq!(answer["outputs"][0]["text"], "slept 1 ms");
    let mut back = Vec::new();
    for (name, mut ws, ids) in peers {
        let closed = ws.closed().await;
        let closed = closed.map(|(code, why)| (code, why.contains("connect again")));
        assert_eq!(closed, Some((1001, true)));
        back.push((came_back(&sandbox, &name, &ids).await, ids));
    }
    gate.open();
    for (mut shim, ids) in shims {
        let found = answers(&mut shim, &ids, LIMIT).await;
        assert!(
            found
                .values()
                .all(|answer| ok_text(&answer["result"]) == "counted")
        );
        ok_text(&shim.call_tool("version", json!({})).await);
    }
    for (mut ws, ids) in back {
        for id in &ids {
            let result = ws.result(id).await;
            assert_eq!(result["outputs"][0]["text"], "counted", "{result}");
        }
    }
    // A client of V1 knows nothing of coming back, and keeps its connection until its answer.
    assert_eq!(legacy.result(&last).await["text"], "counted");
    assert_eq!(sandbox.counted("ran"), 50);
    eventually(LIMIT, "the first daemon to end", || !is_alive(first)).await;
    all_is_accounted_for(&sandbox).await;
}

#[tokio::test]
async fn r44_restarts_in_a_row_under_load_lose_nothing_and_refuse_nobody() {
    let sandbox = wide();
    sandbox.cli(&["start"]).await.ok();
    let mut patient = window(&sandbox).await;
    let file = |name: &str| sandbox.work().join(name);
    let gate = sandbox.gate("long");
    let long = gate.holds(json!({ "file": file("long") }));
    let long = patient.call("test_count_once", long).await;
    let over = AtomicBool::new(false);
    let load = async |window_number: usize| {
        let mut shim = window(&sandbox).await;
        let mut made = 0;
        while !over.load(Ordering::Relaxed) {
            let call = json!({ "file": file(&format!("w{window_number}")), "ms": 40 });
            let result = shim.call_tool("test_count_once", call).await;
            assert_eq!(ok_text(&result), "counted");
            made += 1;
        }
        made
    };
    let restarts = async {
        eventually(LIMIT, "the long call to run", || {
            sandbox.counted("long") == 1
        })
        .await;
        for _ in 0..4 {
            restarted(&sandbox).await;
        }
        over.store(true, Ordering::Relaxed);
    };
    let (made, other, ()) = tokio::join!(load(0), load(1), restarts);
    assert_eq!(
        (sandbox.counted("w0"), sandbox.counted("w1")),
        (made, other)
    );
    assert!(made > 4 && other > 4, "{made} {other}");
    // It ran in the first of five daemons, through all of them.
    gate.open();
    let answer = patient.answer_within(long, LIMIT).await;
    assert_eq!(ok_text(&answer["result"]), "counted");
    assert_eq!(sandbox.counted("long"), 1);
    all_is_accounted_for(&sandbox).await;
}

/// A daemon with a call at work, whose client is to notice nothing.
async fn at_work(sandbox: &Sandbox) -> (Shim, u64, u32, Gate) {
    sandbox.cli(&["start"]).await.ok();
    let mut shim = window(sandbox).await;
    let gate = sandbox.gate("ran");
    let call = gate.holds(json!({ "file": sandbox.work().join("ran") }));
    let id = shim.call("test_count_once", call).await;
    eventually(LIMIT, "it runs", || sandbox.counted("ran") == 1).await;
    let pid = sandbox.daemon_pid().must("read the record");
    (shim, id, pid, gate)
}

async fn goes_on(sandbox: &Sandbox, pid: u32) {
    assert_eq!(sandbox.daemon_pid(), Some(pid));
    let (mut ws, _) = sandbox.modern("another", RICH).await;
    let answer = ws.call_and_wait("test_sleep", json!({ "ms": 1 })).await;
    assert_eq!(answer["outputs"][0]["text"], "slept 1 ms");
}

/// An heir that goes as far as it is told and then is gone, as if it had been killed there.
fn heir(sandbox: &Sandbox, after: &str) {
    let mut stream = UnixStream::connect(sandbox.run_path("heir.sock")).must("knock");
    stream.set_read_timeout(Some(LIMIT)).must("be patient");
    let ask = json!({ "word": "ask", "boot": "f00", "version": "99.0.0", "pid": 1, "new": [1] });
    writeln!(stream, "{ask}").must("ask");
    if after == "ask" {
        return;
    }
    let mut mark = [0];
    stream
        .read_exact(&mut mark)
        .must("get the descriptors' mark");
    let mut words = BufReader::new(stream.try_clone().must("share the stream")).lines();
    let mut word = || words.next().must("hear a word").must("hear it whole");
    assert!(word().contains("\"will\""));
    if after == "will" {
        return;
    }
    writeln!(stream, r#"{{"word":"something newer"}}"#).must("say what is not known yet");
}

/// The same up to where the home is its.
fn heir_until_yours(sandbox: &Sandbox) -> UnixStream {
    let mut stream = UnixStream::connect(sandbox.run_path("heir.sock")).must("knock");
    stream.set_read_timeout(Some(LIMIT)).must("be patient");
    let ask = json!({ "word": "ask", "boot": "f00", "version": "0.0.1", "pid": 1 });
    writeln!(stream, "{ask}\n{{\"word\":\"ready\"}}").must("ask");
    let mut heard = String::new();
    while !heard.contains("yours") {
        let mut byte = [0];
        stream.read_exact(&mut byte).must("hear on");
        heard.push(char::from(byte[0]));
    }
    stream
}

#[tokio::test]
async fn r44_an_heir_that_dies_on_the_way_leaves_everything_as_it_was() {
    let sandbox = wide();
    let (mut shim, id, pid, gate) = at_work(&sandbox).await;
    for after in ["ask", "will", "ready"] {
        heir(&sandbox, after);
        goes_on(&sandbox, pid).await;
    }
    // At the very last moment: it was told that all is its, and dies.
    for _ in 0..2 {
        let gone = heir_until_yours(&sandbox);
        let made = Instant::now();
        let mut waits = std::pin::pin!(sandbox.ws());
        let early = tokio::time::timeout(Duration::from_millis(300), &mut waits).await;
        assert!(early.is_err(), "meanwhile whoever comes waits");
        drop(gone);
        let mut ws = waits.await;
        ws.call_and_wait("version", json!({})).await;
        assert!(made.elapsed() < LIMIT);
        goes_on(&sandbox, pid).await;
    }
    gate.open();
    let answer = shim.answer_within(id, LIMIT).await;
    assert_eq!(ok_text(&answer["result"]), "counted");
    assert_eq!(sandbox.counted("ran"), 1);
    restarted(&sandbox).await;
    all_is_accounted_for(&sandbox).await;
}

#[tokio::test]
async fn r02_the_old_daemon_is_killed_after_it_has_handed_over() {
    let sandbox = wide();
    let (mut shim, once, pid, _) = at_work(&sandbox).await;
    let gate = sandbox.gate("again");
    let call = gate.holds(json!({ "file": sandbox.work().join("again") }));
    let again = shim.call("test_count", call).await;
    eventually(LIMIT, "both run", || sandbox.counted("again") == 1).await;
    restarted(&sandbox).await;
    eventually(LIMIT, "the window to be sent over", || {
        let log = sandbox.log("ws_daemon.log");
        log.matches("another daemon has taken over").count() >= 1
    })
    .await;
    kill_pid(pid);
    gate.open();
    let found = answers(&mut shim, &[once, again], LIMIT).await;
    let (code, words) = failure(&found[&once]["result"]);
    assert_eq!(code, "OUTCOME_UNKNOWN", "{words}");
    assert_eq!(ok_text(&found[&again]["result"]), "counted");
    assert_eq!((sandbox.counted("ran"), sandbox.counted("again")), (1, 2));
}

#[tokio::test]
async fn r02_the_new_daemon_is_killed_and_the_old_one_still_finishes_its_call() {
    let sandbox = wide();
    let (mut shim, id, first, gate) = at_work(&sandbox).await;
    let second = restarted(&sandbox).await;
    kill_pid(second);
    eventually(LIMIT, "it to die", || !is_alive(second)).await;
    let mut third: Process = {
        let mut run = sandbox.command("exai-daemon");
        run.arg("run");
        sandbox.spawn(run)
    };
    gate.open();
    let answer = shim.answer_within(id, LIMIT).await;
    assert_eq!(ok_text(&answer["result"]), "counted");
    assert_eq!(sandbox.counted("ran"), 1);
    assert!(third.is_running());
    eventually(LIMIT, "the first daemon to end", || !is_alive(first)).await;
    let check = sandbox.cli(&["logs", "check"]).await.ok();
    assert!(check.stdout.contains("violations=0"), "{}", check.all());
}

#[tokio::test]
async fn r25_a_stop_after_a_restart_waits_for_the_calls_of_both() {
    let sandbox = wide();
    let (mut shim, id, first, gate) = at_work(&sandbox).await;
    restarted(&sandbox).await;
    let own = shim.call("test_sleep", gate.holds(json!({}))).await;
    let busy = || sandbox.log("ws_daemon.log").contains("tool=test_sleep");
    eventually(LIMIT, "the new daemon's own to run", busy).await;
    let asked = || sandbox.log("ws_daemon.log").matches("asked to end").count();
    let before = asked();
    let finishing = async {
        eventually(LIMIT, "the stop to be heard", || asked() > before).await;
        gate.open();
    };
    let (stop, ()) = tokio::join!(sandbox.cli(&["stop"]), finishing);
    assert_eq!(stop.code, Some(0), "{}", stop.all());
    let found = answers(&mut shim, &[id, own], LIMIT).await;
    assert_eq!(ok_text(&found[&id]["result"]), "counted");
    assert_eq!(ok_text(&found[&own]["result"]), "let go");
    eventually(LIMIT, "both to be gone", || {
        !is_alive(first) && sandbox.processes("exai-daemon").is_empty()
    })
    .await;
    all_is_accounted_for(&sandbox).await;
}

#[tokio::test]
async fn r24_a_daemon_that_inherited_its_lock_is_still_proven_and_can_be_killed() {
    let sandbox = wide();
    sandbox.cli(&["start"]).await.ok();
    let first = sandbox.daemon_pid().must("read the record");
    let second = restarted(&sandbox).await;
    eventually(LIMIT, "the first daemon to end", || !is_alive(first)).await;
    let again = sandbox.cli(&["run"]).await;
    assert_eq!(
        again.code,
        Some(11),
        "the lock was never free: {}",
        again.all()
    );
    exai_testkit::pause_pid(second);
    let stop = sandbox.cli(&["stop", "--force", "--drain", "0"]).await.ok();
    assert!(stop.stdout.contains("killed"), "{}", stop.all());
    assert!(!is_alive(second));
}

#[tokio::test]
async fn r44_a_call_of_the_old_daemon_is_followed_stopped_and_listed_at_the_new_one() {
    let mut sandbox = wide();
    sandbox.set("EXAI_WS_PROGRESS_INTERVAL_SECS", "0.2");
    sandbox.cli(&["start"]).await.ok();
    let (mut ws, _) = sandbox.modern("window", RICH).await;
    ws.call_as(
        "talks",
        "test_flood",
        json!({ "count": 100_000, "ms": 200 }),
    )
    .await;
    let call = json!({ "file": sandbox.work().join("ran"), "ms": 600_000 });
    ws.call_as("waits", "test_count_once", call.clone()).await;
    eventually(LIMIT, "it runs", || sandbox.counted("ran") == 1).await;
    restarted(&sandbox).await;
    let (mut ws, _) = sandbox.modern("window", RICH).await;
    ws.send(&json!({ "op": "attach", "request_id": "talks" }))
        .await;
    assert_eq!(ws.recv_op("attach_res").await["state"], "running");
    ws.recv_where(|frame| {
        let words = frame["message"].as_str().unwrap_or_default();
        frame["op"] == "progress" && frame["request_id"] == "talks" && !words.is_empty()
    })
    .await;
    // The same call made again is that call, and another one under its id is refused.
    let mut other = call.clone();
    other["ms"] = json!(1);
    ws.call_as("waits", "test_count_once", other).await;
    assert_eq!(
        ws.result("waits").await["error"]["code"],
        "INVALID_ARGUMENT"
    );
    ws.call_as("waits", "test_count_once", call).await;
    let listed = sandbox.cli(&["calls", "--open"]).await.ok();
    assert!(
        listed.stdout.contains("test_count_once"),
        "{}",
        listed.all()
    );
    for id in ["talks", "waits"] {
        ws.send(&json!({ "op": "cancel", "request_id": id })).await;
        let told: Value = ws.result(id).await;
        assert_eq!(told["error"]["code"], "CANCELLED", "{told}");
    }
    assert_eq!(sandbox.counted("ran"), 1);
    assert!(matches!(
        ws.next(Duration::from_millis(300)).await,
        Frame::Json(_) | Frame::Silence
    ));
    all_is_accounted_for(&sandbox).await;
}
