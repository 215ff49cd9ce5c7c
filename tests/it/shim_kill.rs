//! The daemon dies without a word, at any moment, with much in flight: the shim lives, and
//! every call ends once, with an answer that is true.

use crate::editor::{
    answers, by_hand, connected, failure, nothing_more, ok_text, reached, seed, settled, window,
};
use exai_testkit::{Daemon, Sandbox, Shim, eventually, is_alive, kill_pid};
use serde_json::{Value, json};
use std::{collections::BTreeMap, time::Duration};

/// All that is in flight must have ended by then, on a machine that is busy with other tests.
const LIMIT: Duration = Duration::from_secs(60);
const CALLS: usize = 24;
const KINDS: [&str; 5] = [
    "test_count",
    "test_count_once",
    "test_sleep",
    "test_sleep_once",
    "version",
];

/// A call, and what may be said of it afterwards.
struct Made {
    id: u64,
    tool: &'static str,
    file: String,
}

impl Made {
    fn once(&self) -> bool {
        self.tool.ends_with("_once")
    }
}

/// Sends many calls of every kind; each counter has a file of its own.
async fn burst(
    sandbox: &Sandbox,
    shim: &mut Shim,
    rng: &mut fastrand::Rng,
    round: usize,
) -> Vec<Made> {
    let mut made = Vec::new();
    for n in 0..CALLS {
        let file = format!("{round}-{n}");
        let path = sandbox.work().join(&file);
        let ms = rng.u64(0..600);
        let tool = KINDS[rng.usize(..KINDS.len())];
        let arguments = if tool.starts_with("test_count") {
            json!({ "file": path, "ms": ms })
        } else {
            json!({ "ms": ms })
        };
        let id = shim.call(tool, arguments).await;
        made.push(Made { id, tool, file });
    }
    made
}

/// What every answer must keep to.
fn check(sandbox: &Sandbox, made: &[Made], answers: &BTreeMap<u64, Value>) {
    for call in made {
        let result = &answers[&call.id]["result"];
        let runs = sandbox.counted(&call.file);
        let ok = result["isError"] != true;
        if ok {
            ok_text(result);
        } else {
            let (code, text) = failure(result);
            assert!(call.once(), "{} may be sent again: {text}", call.tool);
            assert_eq!(code, "OUTCOME_UNKNOWN", "{text}");
            let known = ["was sent", "was acknowledged", "was started", "was running"];
            assert!(known.iter().any(|words| text.contains(words)), "{text}");
            assert!(text.contains("Check its effects"), "{text}");
        }
        match call.tool {
            "test_count_once" if ok => assert_eq!(runs, 1, "{result}"),
            "test_count_once" => assert!(runs <= 1, "ran {runs} times"),
            "test_count" => assert!(runs >= 1, "answered and never ran: {result}"),
            _ => {}
        }
    }
}

#[tokio::test]
async fn r02_killed_at_random_moments_every_id_is_answered_once_and_nothing_runs_twice() {
    let mut rng = seed("r02_kill");
    let (sandbox, mut daemon, mut shim) = connected().await;
    for round in 0..6 {
        let made = burst(&sandbox, &mut shim, &mut rng, round).await;
        tokio::time::sleep(Duration::from_millis(rng.u64(0..500))).await;
        daemon.kill().await;
        tokio::time::sleep(Duration::from_millis(rng.u64(0..300))).await;
        daemon = sandbox.daemon().await;
        let ids: Vec<u64> = made.iter().map(|call| call.id).collect();
        let found = answers(&mut shim, &ids, LIMIT).await;
        check(&sandbox, &made, &found);
        nothing_more(&mut shim).await;
        reached(&mut shim).await;
    }
    assert!(shim.is_running());
}

#[tokio::test]
async fn r02_a_daemon_that_dies_while_it_answers_at_length_is_no_harm() {
    let mut rng = seed("r02_bulk");
    let (sandbox, mut daemon, mut shim) = connected().await;
    for _ in 0..5 {
        let mut ids = Vec::new();
        for _ in 0..6 {
            ids.push(shim.call("test_bulk", json!({ "bytes": 3_000_000 })).await);
        }
        tokio::time::sleep(Duration::from_millis(rng.u64(0..400))).await;
        daemon.kill().await;
        daemon = sandbox.daemon().await;
        for answer in answers(&mut shim, &ids, LIMIT).await.values() {
            assert_eq!(ok_text(&answer["result"]).len(), 3_000_000);
        }
        nothing_more(&mut shim).await;
    }
}

/// A call in flight, and the daemon that has it.
async fn in_flight(sandbox: &Sandbox, shim: &mut Shim, tool: &str, ms: u64) -> u64 {
    let path = sandbox.work().join("trace");
    let id = shim.call(tool, json!({ "file": path, "ms": ms })).await;
    eventually(LIMIT, "the call to run", || sandbox.counted("trace") == 1).await;
    id
}

#[tokio::test]
async fn i04_killed_in_mid_call_an_act_ends_unknown_and_the_next_call_works() {
    let (sandbox, mut daemon, mut shim) = connected().await;
    let id = in_flight(&sandbox, &mut shim, "test_count_once", 60_000).await;
    daemon.kill().await;
    let _next = sandbox.daemon().await;
    let answer = shim.answer(id).await;
    let (code, text) = failure(&answer["result"]);
    assert_eq!(code, "OUTCOME_UNKNOWN");
    assert!(text.contains("daemon died while test_count_once"), "{text}");
    assert_eq!(answer["result"]["_meta"]["exai/ran"], "unknown");
    reached(&mut shim).await;
    assert_eq!(sandbox.counted("trace"), 1, "run twice");
    assert!(shim.is_running());
}

#[tokio::test]
async fn i04_killed_in_mid_call_a_repeatable_call_is_run_again_and_answered() {
    let (sandbox, mut daemon, mut shim) = connected().await;
    let id = in_flight(&sandbox, &mut shim, "test_count", 1500).await;
    daemon.kill().await;
    let _next = sandbox.daemon().await;
    let answer = shim.answer(id).await;
    assert_eq!(ok_text(&answer["result"]), "counted");
    assert_eq!(sandbox.counted("trace"), 2);
}

#[tokio::test]
async fn i04_what_has_finished_before_the_death_is_not_run_again() {
    let (sandbox, mut daemon, mut shim) = connected().await;
    let path = sandbox.work().join("trace");
    let result = shim.call_tool("test_count", json!({ "file": path })).await;
    assert_eq!(ok_text(&result), "counted");
    daemon.kill().await;
    let _next = sandbox.daemon().await;
    reached(&mut shim).await;
    assert_eq!(sandbox.counted("trace"), 1);
}

/// Nobody starts the daemon again but the shim.
#[tokio::test]
async fn i04_the_shim_itself_brings_a_killed_daemon_back() {
    let mut sandbox = Sandbox::new();
    sandbox.set("EXAI_SHIM_CONNECT_WAIT", "30");
    let mut shim = window(&sandbox).await;
    settled(&mut shim).await;
    let first = sandbox.daemon_pid().expect("no endpoint record");
    let id = in_flight(&sandbox, &mut shim, "test_count", 1000).await;
    kill_pid(first);
    let answer = shim.answer_within(id, LIMIT).await;
    assert_eq!(ok_text(&answer["result"]), "counted");
    let second = sandbox.daemon_pid().expect("no endpoint record");
    assert!(first != second && is_alive(second));
    assert_eq!(sandbox.processes("exai-daemon"), [second]);
    nothing_more(&mut shim).await;
}

#[tokio::test]
async fn i04_a_daemon_that_stays_away_is_answered_in_bounded_time() {
    let mut sandbox = by_hand();
    sandbox.set("EXAI_SHIM_CONNECT_WAIT", "1");
    let mut daemon: Daemon = sandbox.daemon().await;
    let mut shim = window(&sandbox).await;
    settled(&mut shim).await;
    let act = in_flight(&sandbox, &mut shim, "test_count_once", 60_000).await;
    let look = shim.call("test_sleep", json!({ "ms": 60_000 })).await;
    let received = || sandbox.log("ws_daemon.log").contains("tool=test_sleep");
    eventually(LIMIT, "the second call to be received", received).await;
    daemon.kill().await;
    // 45 s is the client's own patience with a broken link.
    let found = answers(&mut shim, &[act, look], LIMIT).await;
    for answer in found.values() {
        let (code, text) = failure(&answer["result"]);
        assert_eq!(code, "OUTCOME_UNKNOWN");
        assert!(text.contains("not reachable"), "{text}");
    }
    let (_, text) = failure(&found[&look]["result"]);
    assert!(text.contains("safe to run it again"), "{text}");
}
