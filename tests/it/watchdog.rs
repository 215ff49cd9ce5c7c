//! What stands still or grows without end is found from outside the event loop, written down with
//! the calls that ran, and told to whoever asks.

use exai_testkit::{Daemon, Must as _, PATIENCE, Sandbox, Ws, eventually};
use serde_json::{Value, json};
use std::time::Duration;

async fn watched(settings: &[(&str, &str)]) -> (Sandbox, Daemon, Ws) {
    let mut sandbox = Sandbox::new();
    for (name, value) in settings {
        sandbox.set(name, value);
    }
    let daemon = sandbox.daemon().await;
    let (mut watcher, _) = sandbox.modern("watcher", &["events"]).await;
    let topics = json!({ "op": "subscribe", "request_id": "s", "topics": ["watchdog_status"] });
    watcher.send(&topics).await;
    watcher.recv_op("subscribe_res").await;
    (sandbox, daemon, watcher)
}

async fn told(watcher: &mut Ws, fault: &str, state: &str) -> Value {
    let mut event = watcher
        .recv_where(|frame| {
            let status = &frame["data"]["watchdog_status"];
            status["fault"] == fault && status["state"] == state
        })
        .await;
    event["data"]["watchdog_status"].take()
}

async fn health(ws: &mut Ws) -> Value {
    ws.send(&json!({ "op": "health", "request_id": "h" })).await;
    let mut reply = ws.recv_op("health_res").await;
    reply["health"].take()
}

/// The first thing health says of the watchdog, once it is so.
async fn is_told(ws: &mut Ws, state: &str) -> Value {
    for _ in 0..600 {
        let mut now = health(ws).await;
        if now["watchdog"][0]["state"] == state {
            return now["watchdog"][0].take();
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("health never said {state}");
}

/// The line the watchdog wrote about a fault.
fn dump(sandbox: &Sandbox, fault: &str) -> Option<Value> {
    let lines = sandbox.jsonl("ws_watchdog.jsonl");
    let is_it = |line: &Value| {
        let found = line["found"].as_array();
        found.is_some_and(|found| found.iter().any(|status| status["fault"] == fault))
    };
    lines.into_iter().find(is_it)
}

fn row<'a>(dump: &'a Value, tool: &str) -> &'a Value {
    let calls = dump["calls"].as_array().must("read the calls");
    let found = calls.iter().find(|call| call["tool"] == tool);
    found.unwrap_or_else(|| panic!("no {tool} in {dump}"))
}

#[tokio::test]
async fn r39_a_stall_of_the_event_loop_is_seen_from_outside_it() {
    let (sandbox, _daemon, mut watcher) = watched(&[("EXAI_WATCHDOG_STALL_SECS", "0.4")]).await;
    let (mut ws, _) = sandbox.modern("asks", &[]).await;
    let secret = json!({ "ms": 6000, "note": "a-private-word" });
    ws.call_as("long", "test_sleep", secret).await;
    ws.call_as("stall", "test_stall", json!({ "ms": 2500 }))
        .await;
    // Nothing that goes through the loop can say so now; the files do.
    let dump = eventually(PATIENCE, "the dump", || dump(&sandbox, "event_loop")).await;
    let file = sandbox.health().must("read the health file");
    assert_eq!(file["watchdog"][0]["fault"], "event_loop", "{file}");
    let call = row(&dump, "test_sleep");
    assert_eq!(
        (
            &call["request_id"],
            &call["client"],
            &call["state"],
            &call["stage"]
        ),
        (
            &json!("long"),
            &json!("testkit"),
            &json!("running"),
            &json!("running")
        )
    );
    assert!(
        call["age_secs"].as_f64() >= call["last_sign_secs"].as_f64(),
        "{call}"
    );
    row(&dump, "test_stall");
    let raw = sandbox.log("ws_watchdog.jsonl");
    assert!(
        !raw.contains("a-private-word"),
        "no argument is ever dumped"
    );
    let raised = told(&mut watcher, "event_loop", "raised").await;
    let cleared = told(&mut watcher, "event_loop", "cleared").await;
    assert_eq!(cleared["since"], raised["since"]);
    assert!(
        cleared["until"].as_f64() > cleared["since"].as_f64(),
        "{cleared}"
    );
    // It is told afterwards too. One thread may have had two of the tool's tasks, and stall again.
    let past = is_told(&mut watcher, "cleared").await;
    assert_eq!(past["fault"], "event_loop", "{past}");
    assert!(
        sandbox
            .log("ws_daemon.log")
            .contains("the event loop has not answered for")
    );
    assert_eq!(
        ws.result("long").await["error"],
        Value::Null,
        "and nothing was lost"
    );
}

#[tokio::test]
async fn r39_a_loop_that_never_answers_again_ends_the_process() {
    let settings = [
        ("EXAI_WATCHDOG_STALL_SECS", "0.3"),
        ("EXAI_WATCHDOG_RESTART_SECS", "1"),
    ];
    let (sandbox, mut daemon, _watcher) = watched(&settings).await;
    let (mut ws, _) = sandbox.modern("asks", &[]).await;
    ws.call_as("stall", "test_stall_once", json!({ "ms": 60_000 }))
        .await;
    let status = daemon.wait(PATIENCE).await;
    assert_eq!(status.code(), Some(70), "{status}");
    row(
        &dump(&sandbox, "event_loop").must("find the dump"),
        "test_stall_once",
    );
    let last = sandbox.jsonl("ws_watchdog.jsonl").pop();
    assert_eq!(last.must("read the last line")["ended"], true);
    let _next = sandbox.daemon().await;
}

#[tokio::test]
async fn a_call_without_a_sign_of_life_is_named() {
    let settings = [
        ("EXAI_WATCHDOG_CALL_SECS", "0.5"),
        ("EXAI_WS_PROGRESS_INTERVAL_SECS", "30"),
    ];
    let (sandbox, _daemon, mut watcher) = watched(&settings).await;
    let (mut ws, _) = sandbox.modern("asks", &[]).await;
    let gate = sandbox.gate("quiet");
    ws.call_as("quiet", "test_sleep", gate.holds(json!({})))
        .await;
    let raised = told(&mut watcher, "quiet_call", "raised").await;
    let what = raised["what"].as_str().unwrap_or_default();
    assert!(what.contains("test_sleep"), "{what}");
    let now = health(&mut watcher).await;
    assert!(
        now["warnings"].to_string().contains("gave no sign of life"),
        "{now}"
    );
    let said = sandbox.cli(&["status"]).await;
    assert!(said.stderr.contains("gave no sign of life"), "{said:?}");
    let dump = eventually(PATIENCE, "the dump", || dump(&sandbox, "quiet_call")).await;
    assert!(
        row(&dump, "test_sleep")["last_sign_secs"].as_f64() >= Some(0.5),
        "{dump}"
    );
    gate.open();
    told(&mut watcher, "quiet_call", "cleared").await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_record_writer_that_makes_no_headway_is_named() {
    let mut sandbox = Sandbox::new();
    sandbox.set("EXAI_WATCHDOG_WRITER_SECS", "0.5");
    let full = sandbox.write("logs/tool_calls_all.jsonl", "");
    std::fs::remove_file(&full).must("remove the file");
    std::os::unix::fs::symlink("/dev/full", &full).must("make a disk that is full");
    let _daemon = sandbox.daemon().await;
    let (mut ws, _) = sandbox.modern("asks", &[]).await;
    ws.call_and_wait("test_sleep", json!({})).await;
    let now = is_told(&mut ws, "raised").await;
    assert_eq!(now["fault"], "record_writer", "{now}");
    assert!(dump(&sandbox, "record_writer").is_some());
    std::fs::remove_file(&full).must("give the disk room");
    let past = is_told(&mut ws, "cleared").await;
    assert!(past["until"].is_number(), "{past}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn r37_growth_of_descriptors_is_told_from_a_load() {
    let settings = [
        ("EXAI_WATCHDOG_GROWTH_SECS", "3"),
        ("EXAI_WATCHDOG_DESCRIPTOR_GROWTH", "30"),
    ];
    let (sandbox, _daemon, mut watcher) = watched(&settings).await;
    let mut held = Vec::new();
    let grow = async {
        loop {
            held.push(sandbox.modern(&format!("c{}", held.len()), &[]).await);
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
    };
    let raised = tokio::select! {
        raised = told(&mut watcher, "descriptors", "raised") => raised,
        () = grow => unreachable!("it never ends"),
    };
    let what = raised["what"].as_str().unwrap_or_default();
    assert!(
        what.contains("grow without end") && what.contains("limit 30"),
        "{what}"
    );
    // A load that stays is no growth.
    let cleared = told(&mut watcher, "descriptors", "cleared").await;
    assert!(cleared["until"].is_number(), "{cleared}");
    assert!(held.len() > 20);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn r37_growth_of_memory_is_told() {
    let settings = [
        ("EXAI_WATCHDOG_GROWTH_SECS", "3"),
        ("EXAI_WATCHDOG_MEMORY_GROWTH", "8 MiB"),
        // Long enough for some whole windows of time, also if the machine stands still in one.
        ("EXAI_WS_RETAINED_BYTES", "1 GiB"),
        ("EXAI_WS_RETAINED_RESULTS", "1000000"),
        ("EXAI_JOURNAL", "false"),
    ];
    let (sandbox, _daemon, mut watcher) = watched(&settings).await;
    let (mut ws, _) = sandbox.modern("asks", &["rich_results"]).await;
    // Results are kept for who comes back: that is memory, until its own bound.
    let grow = async {
        loop {
            ws.call_and_wait("test_bulk", json!({ "bytes": 1_000_000 }))
                .await;
            tokio::time::sleep(Duration::from_millis(60)).await;
        }
    };
    let raised = tokio::select! {
        raised = told(&mut watcher, "memory", "raised") => raised,
        () = grow => unreachable!("it never ends"),
    };
    let what = raised["what"].as_str().unwrap_or_default();
    assert!(
        what.contains("memory grows without end") && what.contains("limit 8 MiB"),
        "{what}"
    );
}
