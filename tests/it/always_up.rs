//! The always-up story, through the real shim: whatever becomes of the daemon, the window has
//! its tools, says what is wrong while it is, and recovers without anybody's help. (An hour
//! without a daemon is lived through in paused time, in the client's own tests.)

use crate::editor::{by_hand, connected, failure, names, nothing_more, ok_text, reached, window};
use exai_testkit::{Sandbox, Shim, Stopwatch, eventually};
use serde_json::json;
use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::{Duration, Instant},
};

const LIMIT: Duration = Duration::from_secs(60);

/// What the window can do while nothing serves it.
async fn lives_without(shim: &mut Shim) {
    let asked = Stopwatch::start();
    assert_eq!(shim.ask("ping", json!({})).await["result"], json!({}));
    assert!(!names(&shim.ask("tools/list", json!({})).await).is_empty());
    assert!(
        asked.elapsed() < Duration::from_secs(2),
        "{:?}",
        asked.elapsed()
    );
    let asked = Stopwatch::start();
    let result = shim.call_tool("version", json!({})).await;
    let (code, text) = failure(&result);
    assert_eq!(code, "UNAVAILABLE");
    assert!(
        text.contains("attempt") && text.contains("exai-daemon start"),
        "{text}"
    );
    assert!(
        asked.elapsed() < Duration::from_secs(6),
        "{:?}",
        asked.elapsed()
    );
}

/// So often the log has told that the link was made, and no oftener.
async fn connections(sandbox: &Sandbox, wanted: usize) {
    let told = || {
        let log = sandbox.log("ws_shim.log");
        log.matches("connected to the daemon").count()
    };
    eventually(LIMIT, "the log of every link", || told() >= wanted).await;
    assert_eq!(told(), wanted);
}

#[tokio::test]
async fn a_minute_without_a_daemon_is_survived_and_recovered_from_at_once() {
    let mut sandbox = by_hand();
    sandbox.set("EXAI_SHIM_CONNECT_WAIT", "1");
    let mut daemon = sandbox.daemon().await;
    let mut shim = window(&sandbox).await;
    let cpu = shim.cpu_time();
    daemon.kill().await;
    // A call that leaves before the loss is noticed waits longer, for another answer.
    let noticed = || {
        sandbox
            .log("ws_shim.log")
            .contains("the link to the daemon broke")
    };
    eventually(LIMIT, "the loss to be noticed", noticed).await;
    let end = Instant::now() + Duration::from_secs(60);
    while Instant::now() < end {
        lives_without(&mut shim).await;
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
    if let (Some(before), Some(after)) = (cpu, shim.cpu_time()) {
        let used = after - before;
        assert!(used < Duration::from_secs(2), "{used:?} of a minute");
    }
    eventually(LIMIT, "the tenth attempt", || {
        sandbox.log("ws_shim.log").contains("no daemon attempt=10 ")
    })
    .await;
    let log = sandbox.log("ws_shim.log");
    let told = |line: &str| log.lines().filter(|one| one.contains(line)).count();
    assert_eq!(told("no daemon attempt=1 "), 1, "{log}");
    assert_eq!(told("no daemon attempt=10 "), 1, "{log}");
    assert_eq!(told("no daemon attempt=2 "), 0, "{log}");

    let _daemon = sandbox.daemon().await;
    let serves = Stopwatch::start();
    // Whoever looks at the record every 0.2 s needs no more than that and a handshake, although
    // the next attempt would have been due in up to 5 s.
    reached(&mut shim).await;
    let took = serves.elapsed();
    assert!(took < Duration::from_millis(2500), "{took:?}");
    connections(&sandbox, 2).await;
}

/// The owner's own command, while the window keeps working.
#[tokio::test]
async fn three_restarts_in_a_row_lose_no_call() {
    let mut sandbox = by_hand();
    sandbox.set("EXAI_SHIM_CONNECT_WAIT", "20");
    let _ = sandbox.cli(&["start"]).await.ok();
    let mut shim = window(&sandbox).await;
    let (over, done) = (AtomicBool::new(false), AtomicUsize::new(0));
    let restarts = async {
        for round in 1..=3 {
            let enough = || done.load(Ordering::Relaxed) > round * 15;
            eventually(LIMIT, "calls between the restarts", enough).await;
            let _ = sandbox.cli(&["restart"]).await.ok();
        }
        over.store(true, Ordering::Relaxed);
    };
    let calls = async {
        let mut made = 0_usize;
        while !over.load(Ordering::Relaxed) {
            let file = format!("call-{made}");
            let call = json!({ "file": sandbox.work().join(&file), "ms": 60 });
            let result = shim.call_tool("test_count_once", call).await;
            assert_eq!(ok_text(&result), "counted", "call {made}");
            assert_eq!(sandbox.counted(&file), 1);
            made += 1;
            done.store(made, Ordering::Relaxed);
        }
        reached(&mut shim).await;
    };
    tokio::join!(restarts, calls);
    connections(&sandbox, 4).await;
}

#[tokio::test]
async fn a_restart_during_a_call_lets_it_finish() {
    let (sandbox, mut daemon, mut shim) = connected().await;
    let gate = sandbox.gate("trace");
    let call = gate.holds(json!({ "file": sandbox.work().join("trace") }));
    let id = shim.call("test_count_once", call).await;
    eventually(LIMIT, "the call to run", || sandbox.counted("trace") == 1).await;
    daemon.terminate();
    let drains = || sandbox.log("ws_daemon.log").contains("asked to end");
    eventually(LIMIT, "the daemon to end", drains).await;
    // Asked for while the daemon ends: it waits for the next one.
    let second = shim.call("test_sleep", json!({ "ms": 1 })).await;
    // Nothing is read out of its order: the call has gone where it goes.
    shim.ask("ping", json!({})).await;
    gate.open();
    let first = shim.answer(id).await;
    assert_eq!(ok_text(&first["result"]), "counted");
    daemon.wait(LIMIT).await;
    let _next = sandbox.daemon().await;
    let answer = shim.answer(second).await;
    assert_eq!(ok_text(&answer["result"]), "slept 1 ms");
    assert_eq!(sandbox.counted("trace"), 1, "run twice");
    nothing_more(&mut shim).await;
}

#[tokio::test]
async fn stopped_by_its_owner_it_stays_stopped_and_says_so_until_it_is_started() {
    let sandbox = Sandbox::new();
    let mut shim = window(&sandbox).await;
    let _ = sandbox.cli(&["stop"]).await.ok();
    let asked = Stopwatch::start();
    let result = shim.call_tool("version", json!({})).await;
    let (code, text) = failure(&result);
    assert_eq!(code, "UNAVAILABLE");
    assert!(
        text.contains("stopped by you; run exai-daemon start"),
        "{text}"
    );
    assert!(
        asked.elapsed() < Duration::from_secs(8),
        "{:?}",
        asked.elapsed()
    );
    // Other windows open, and ask; nobody starts anything.
    let mut second = sandbox.shim();
    second.initialize("2025-11-25").await;
    failure(&second.call_tool("version", json!({})).await);
    for _ in 0..10 {
        assert_eq!(sandbox.processes("exai-daemon"), Vec::<u32>::new());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let _ = sandbox.cli(&["start"]).await.ok();
    reached(&mut shim).await;
    reached(&mut second).await;
}

#[tokio::test]
async fn a_call_in_flight_when_its_owner_stops_the_daemon_gets_its_answer() {
    let sandbox = Sandbox::new();
    let mut shim = window(&sandbox).await;
    let gate = sandbox.gate("trace");
    let call = gate.holds(json!({ "file": sandbox.work().join("trace") }));
    let id = shim.call("test_count_once", call).await;
    eventually(LIMIT, "the call to run", || sandbox.counted("trace") == 1).await;
    let mut stop = ending(&sandbox, &["stop"]).await;
    gate.open();
    assert_eq!(stop.wait(LIMIT).await.code(), Some(0), "{}", stop.said());
    let answer = shim.answer(id).await;
    assert_eq!(ok_text(&answer["result"]), "counted");
    assert_eq!(sandbox.processes("exai-daemon"), Vec::<u32>::new());
}

/// Asks the daemon to end as its user would, and waits until it takes no more calls.
async fn ending(sandbox: &Sandbox, command: &[&str]) -> exai_testkit::Process {
    let mut ending = sandbox.command("exai-daemon");
    ending.args(command);
    let ending = sandbox.spawn(ending);
    let mut ws = sandbox.ws().await;
    let asked = Instant::now();
    loop {
        ws.send(&json!({ "op": "health", "request_id": "h" })).await;
        if ws.recv_op("health_res").await["health"]["state"] == "draining" {
            return ending;
        }
        assert!(asked.elapsed() < LIMIT, "it does not drain");
    }
}

#[tokio::test]
async fn r25_a_call_made_while_a_stop_drains_is_told_who_stopped_the_daemon() {
    let sandbox = Sandbox::new();
    let mut shim = window(&sandbox).await;
    let gate = sandbox.gate("running");
    let running = shim.call("test_sleep", gate.holds(json!({}))).await;
    let busy = || sandbox.log("ws_daemon.log").contains("test_sleep");
    eventually(LIMIT, "the call to run", busy).await;
    let mut stop = ending(&sandbox, &["stop"]).await;
    let result = shim.call_tool("test_sleep", json!({ "ms": 1 })).await;
    let (code, text) = failure(&result);
    assert!(stop.is_running(), "it was no longer draining");
    assert_eq!(code, "UNAVAILABLE", "{text}");
    assert!(
        text.contains("stopped by you; run exai-daemon start"),
        "{text}"
    );
    gate.open();
    assert_eq!(ok_text(&shim.answer(running).await["result"]), "let go");
    assert_eq!(stop.wait(LIMIT).await.code(), Some(0), "{}", stop.said());
}

#[tokio::test]
async fn r25_a_call_made_while_a_restart_drains_waits_for_the_next_daemon() {
    let sandbox = Sandbox::new();
    let mut shim = window(&sandbox).await;
    let gate = sandbox.gate("running");
    let running = shim.call("test_sleep", gate.holds(json!({}))).await;
    let busy = || sandbox.log("ws_daemon.log").contains("test_sleep");
    eventually(LIMIT, "the call to run", busy).await;
    // With a time for it, a restart stops the daemon before it starts the next one.
    let mut restart = ending(&sandbox, &["restart", "--drain", "60"]).await;
    let late = shim.call("test_sleep", json!({ "ms": 1 })).await;
    shim.ask("ping", json!({})).await;
    gate.open();
    let found = crate::editor::answers(&mut shim, &[running, late], LIMIT).await;
    assert_eq!(ok_text(&found[&running]["result"]), "let go");
    assert_eq!(ok_text(&found[&late]["result"]), "slept 1 ms");
    assert_eq!(
        restart.wait(LIMIT).await.code(),
        Some(0),
        "{}",
        restart.said()
    );
}

/// Killed again and again, with nobody but the shim to start it.
#[tokio::test]
async fn the_shim_brings_the_daemon_back_within_seconds() {
    let mut sandbox = Sandbox::new();
    sandbox.set("EXAI_SHIM_CONNECT_WAIT", "30");
    let mut shim = window(&sandbox).await;
    for _ in 0..2 {
        let pid = sandbox.daemon_pid().expect("no endpoint record");
        exai_testkit::kill_pid(pid);
        let killed = Stopwatch::start();
        reached(&mut shim).await;
        let took = killed.elapsed();
        assert!(took < Duration::from_secs(10), "{took:?}");
    }
}
