//! The files: every failure is in each of them, none is ever half written, none grows for ever.

use exai_testkit::{Gate, Must as _, PATIENCE, Sandbox, Ws, eventually};
use serde_json::{Value, json};
use std::{collections::BTreeMap, fs};

async fn ack(ws: &mut Ws, id: &str) {
    ws.recv_where(|frame| frame["op"] == "call_tool_ack" && frame["request_id"] == id)
        .await;
}

/// What every failure is to be found as, by request id.
type Expected = BTreeMap<&'static str, &'static str>;

/// One call that fails in every way a call can fail, and one that does not.
async fn fail_in_every_way(sandbox: &Sandbox) -> Expected {
    let mut ws = sandbox.ws().await;
    for (id, tool, arguments) in [
        ("f-unknown", "no_such_tool", json!({})),
        ("f-argument", "test_sleep", json!({ "ms": "soon" })),
        ("f-tool", "test_count", json!({ "file": "/nowhere/at/all" })),
        ("f-panic", "test_panic", json!({})),
        ("f-ok", "test_sleep", json!({ "ms": 1 })),
    ] {
        ws.call_as(id, tool, arguments).await;
        ws.result(id).await;
    }
    ws.send(
        &json!({ "op": "call_tool", "request_id": "f-late", "name": "test_sleep",
        "arguments": { "ms": 60_000 }, "timeout_ms": 100 }),
    )
    .await;
    ws.result("f-late").await;
    ws.call_as("f-cancelled", "test_sleep", json!({ "ms": 60_000 }))
        .await;
    ack(&mut ws, "f-cancelled").await;
    ws.send(&json!({ "op": "cancel", "request_id": "f-cancelled" }))
        .await;
    ws.result("f-cancelled").await;
    // The same id for something else.
    ws.call_as("f-ok", "test_sleep", json!({ "ms": 2 })).await;
    assert_eq!(ws.result("f-ok").await["error"]["code"], "INVALID_ARGUMENT");
    refused_for_want_of_room(&mut ws, &sandbox.gate("room")).await;
    abandoned(sandbox).await;
    Expected::from([
        ("f-unknown", "not_found"),
        ("f-argument", "invalid_argument"),
        ("f-tool", "tool_error"),
        ("f-panic", "internal"),
        ("f-late", "timeout"),
        ("f-cancelled", "cancelled"),
        ("f-full", "over_capacity"),
        ("f-abandoned", "cancelled"),
        ("f-drained", "unavailable"),
        ("f-cut", "unavailable"),
    ])
}

/// Two run, one waits, the next is refused.
async fn refused_for_want_of_room(ws: &mut Ws, gate: &Gate) {
    for id in ["room-1", "room-2"] {
        ws.call_as(id, "test_sleep", gate.holds(json!({}))).await;
        ack(ws, id).await;
    }
    ws.call_as("room-3", "test_sleep", json!({ "ms": 0 })).await;
    ws.recv_where(|frame| frame["request_id"] == "room-3" && frame["note"].is_string())
        .await;
    ws.call_as("f-full", "test_sleep", json!({ "ms": 0 })).await;
    let full = ws.result("f-full").await;
    assert_eq!(full["error"]["code"], "OVER_CAPACITY", "{full}");
    gate.open();
    for id in ["room-1", "room-2", "room-3"] {
        assert!(ws.result(id).await.get("error").is_none());
    }
}

/// A client leaves a call behind and never comes back.
async fn abandoned(sandbox: &Sandbox) {
    let mut ws = sandbox.ws().await;
    ws.call_as("f-abandoned", "test_sleep", json!({ "ms": 60_000 }))
        .await;
    ack(&mut ws, "f-abandoned").await;
    drop(ws);
    eventually(PATIENCE, "nobody collected it, so it was stopped", || {
        !sandbox.records_of("f-abandoned").is_empty()
    })
    .await;
}

fn of<'a>(lines: &'a [Value], id: &str) -> Vec<&'a Value> {
    lines
        .iter()
        .filter(|line| line["request_id"] == id)
        .collect()
}

#[tokio::test]
async fn r40_every_failure_is_in_log_metrics_calls_and_failures() {
    let mut sandbox = Sandbox::new();
    sandbox
        .set("EXAI_WS_GLOBAL_MAX_INFLIGHT", "2")
        .set("EXAI_WS_QUEUE_CALLS", "1")
        .set("EXAI_UNWATCHED_SECS", "0.3");
    let mut daemon = sandbox.daemon().await;
    let expected = fail_in_every_way(&sandbox).await;
    let mut ws = sandbox.ws().await;
    ws.call_as("f-cut", "test_sleep", json!({ "ms": 60_000 }))
        .await;
    ack(&mut ws, "f-cut").await;
    ws.send(&json!({ "op": "shutdown", "request_id": "s", "drain_ms": 2000 }))
        .await;
    ws.recv_op("shutdown_res").await;
    eventually(PATIENCE, "its door is closed", || {
        std::net::TcpStream::connect(("127.0.0.1", sandbox.port())).is_err()
    })
    .await;
    ws.call_as("f-drained", "test_sleep", json!({ "ms": 0 }))
        .await;
    ws.result("f-cut").await;
    assert!(daemon.wait(PATIENCE).await.success());

    let log = sandbox.log("ws_daemon.log");
    let files = [
        "tool_calls_all.jsonl",
        "ws_daemon.metrics.jsonl",
        "tool_failures.jsonl",
    ];
    let lines = files.map(|name| sandbox.jsonl(name));
    for (id, outcome) in &expected {
        for (name, lines) in files.iter().zip(&lines) {
            let found = of(lines, id);
            assert_eq!(found.len(), 1, "{id} in {name}: {found:?}");
            assert_eq!(found[0]["outcome"], *outcome, "{id} in {name}");
            assert!(
                found[0]["t"].is_number() && found[0]["timestamp"].is_number(),
                "{id} in {name}"
            );
        }
        let failure = of(&lines[2], id)[0];
        assert!(
            failure["error"]
                .as_str()
                .is_some_and(|words| !words.is_empty()),
            "{failure}"
        );
        for word in ["received", "finished"] {
            let about = |line: &&str| {
                line.contains(&format!("calls: {word} ")) && line.contains(&format!(" id={id} "))
            };
            assert_eq!(log.lines().filter(about).count(), 1, "{word} {id}");
        }
    }
    // The one that went well is no failure; the misuse of its id is one, and no second success.
    let outcomes = |lines: &[Value]| {
        let mut outcomes: Vec<String> = of(lines, "f-ok")
            .iter()
            .map(|line| line["outcome"].to_string())
            .collect();
        outcomes.sort();
        outcomes
    };
    assert_eq!(outcomes(&lines[0]), ["\"invalid_argument\"", "\"ok\""]);
    assert_eq!(outcomes(&lines[2]), ["\"invalid_argument\""]);
    assert!(lines[2].iter().all(|line| line["outcome"] != "ok"));
    assert_eq!(lines[0].len(), lines[1].len());
    let check = sandbox.cli(&["logs", "check", "--json"]).await.ok().json();
    assert_eq!(check["violations"], json!([]), "{check}");
}

#[tokio::test]
async fn r40_what_a_death_interrupted_is_listed_and_the_log_stays_sound() {
    let sandbox = Sandbox::new();
    for life in 0..3 {
        let mut daemon = sandbox.daemon().await;
        let mut ws = sandbox.ws().await;
        for tool in ["version", "no_such_tool", "test_panic"] {
            ws.call_and_wait(tool, json!({})).await;
        }
        let id = format!("cut-{life}");
        ws.call_as(&id, "test_sleep", json!({ "ms": 60_000 })).await;
        ack(&mut ws, &id).await;
        eventually(PATIENCE, "its beginning is on disk", || {
            sandbox.log("ws_daemon.log").contains(&format!(" id={id} "))
        })
        .await;
        daemon.kill().await;
    }
    let check = sandbox.cli(&["logs", "check"]).await;
    assert_eq!(check.code, Some(0), "{}", check.all());
    for life in 0..3 {
        assert!(
            check.stdout.contains(&format!("/cut-{life})")),
            "{}",
            check.all()
        );
    }
    assert!(
        check.stdout.contains("interrupted=3 open=0 violations=0"),
        "{}",
        check.all()
    );
    // The proof is one: an end that was removed is found missing, one that stands twice too.
    let log = sandbox.log("ws_daemon.log");
    let end = log
        .lines()
        .find(|line| line.contains("calls: finished"))
        .must("find an end");
    sandbox.write("logs/ws_daemon.log", &format!("{log}{end}\n"));
    let check = sandbox.cli(&["logs", "check"]).await;
    assert_eq!(check.code, Some(1), "{}", check.all());
}

#[tokio::test]
async fn r40_a_running_call_is_open_and_no_fault() {
    let sandbox = Sandbox::new();
    let _daemon = sandbox.daemon().await;
    let mut ws = sandbox.ws().await;
    let id = ws.call("test_sleep", json!({ "ms": 60_000 })).await;
    ack(&mut ws, &id).await;
    eventually(PATIENCE, "its beginning is on disk", || {
        sandbox.log("ws_daemon.log").contains(" id=t1 ")
    })
    .await;
    let check = sandbox.cli(&["logs", "check"]).await.ok();
    assert!(
        check.stdout.contains("interrupted=0 open=1 violations=0"),
        "{}",
        check.all()
    );
}

#[tokio::test]
async fn r48_the_health_file_is_whole_fresh_and_of_this_life() {
    let mut sandbox = Sandbox::new();
    sandbox.set("EXAI_HEALTH_WRITER_INTERVAL", "1");
    let mut daemon = sandbox.daemon().await;
    let boot = sandbox.endpoint().must("read the record")["boot_id"].clone();
    let path = sandbox.log_path("ws_daemon.health.json");
    eventually(PATIENCE, "there is a health file", || path.exists()).await;
    let mut ws = sandbox.ws().await;
    let (mut reads, mut times) = (0, std::collections::BTreeSet::new());
    let end = tokio::time::Instant::now() + PATIENCE;
    while reads <= 100 || times.len() < 3 {
        assert!(tokio::time::Instant::now() < end, "{reads}: {times:?}");
        ws.call_and_wait("version", json!({})).await;
        let text = fs::read_to_string(&path).must("read the health file at any moment");
        let health: Value =
            serde_json::from_str(&text).must(format_args!("read it whole: {text:?}"));
        assert_eq!(health["boot_id"], boot);
        assert_eq!(health["pid"], daemon.id());
        times.insert(health["t"].to_string());
        reads += 1;
    }
    eventually(PATIENCE, "it tells of a change", || {
        sandbox
            .health()
            .is_some_and(|health| health["sessions"] == 1 && health["connections"] == 1)
    })
    .await;
    let health = sandbox.health().must("read the health file");
    for name in [
        "t",
        "pid",
        "host",
        "port",
        "started_at",
        "sessions",
        "global_capacity",
        "global_inflight",
        "uptime_human",
        "tool_count",
    ] {
        assert!(
            health.get(name).is_some_and(|value| !value.is_null()),
            "V1's {name}: {health}"
        );
    }
    drop(ws);
    daemon.terminate();
    daemon.wait(PATIENCE).await;
    let last = sandbox.health().must("read the last health file");
    assert_eq!(
        (&last["state"], &last["boot_id"]),
        (&json!("stopped"), &boot)
    );
    let mut next = sandbox.daemon().await;
    eventually(PATIENCE, "the next life has its own", || {
        sandbox
            .health()
            .is_some_and(|health| health["boot_id"] != boot && health["state"] == "running")
    })
    .await;
    next.kill().await;
}

#[tokio::test]
async fn r48_every_log_is_rotated_bounded_and_of_whole_lines() {
    const MAX: u64 = 8 * 1024;
    let mut sandbox = Sandbox::new();
    sandbox
        .set("EXAI_LOG_MAX_BYTES", MAX.to_string())
        .set("EXAI_LOG_KEEP", "2");
    let mut daemon = sandbox.daemon().await;
    let mut ws = sandbox.ws().await;
    for _ in 0..30 {
        for _ in 0..10 {
            ws.call("no_such_tool", json!({})).await;
        }
        for _ in 0..10 {
            ws.recv_op("call_tool_res").await;
        }
    }
    daemon.terminate();
    assert!(daemon.wait(PATIENCE).await.success());
    for name in [
        "ws_daemon.log",
        "ws_daemon.metrics.jsonl",
        "tool_calls_all.jsonl",
        "tool_failures.jsonl",
    ] {
        let mut kept = Vec::new();
        for entry in fs::read_dir(sandbox.log_path("")).must("list the logs") {
            let path = entry.must("list the logs").path();
            let file = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            if file == name || file.starts_with(&format!("{name}.")) {
                kept.push(path);
            }
        }
        assert_eq!(
            kept.len(),
            3,
            "{name}: the file and two before it: {kept:?}"
        );
        for path in kept {
            let text = fs::read_to_string(&path).must("read a log");
            assert!(
                text.len() as u64 <= MAX + 2048,
                "{}: {}",
                path.display(),
                text.len()
            );
            assert!(text.ends_with('\n'), "{}", path.display());
            if name.ends_with(".jsonl") {
                for line in text.lines() {
                    let _: Value = serde_json::from_str(line).must(format_args!("read {line:?}"));
                }
            }
        }
    }
    // The proof goes as far as the log does.
    let check = sandbox.cli(&["logs", "check"]).await;
    assert_eq!(check.code, Some(0), "{}", check.all());
}

#[tokio::test]
async fn r48_metrics_are_the_predecessors_lines_with_every_outcome() {
    let sandbox = Sandbox::new();
    let _daemon = sandbox.daemon().await;
    let mut ws = sandbox.ws().await;
    for tool in ["version", "no_such_tool"] {
        ws.call_and_wait(tool, json!({})).await;
    }
    eventually(PATIENCE, "both are on disk", || {
        sandbox.jsonl("ws_daemon.metrics.jsonl").len() == 2
    })
    .await;
    let lines = sandbox.jsonl("ws_daemon.metrics.jsonl");
    for line in &lines {
        assert!(line["t"].is_f64() && line["lat"].is_f64(), "{line}");
        assert_eq!(line["op"], "call_tool");
        assert!(line["sess"].is_string() && line["name"].is_string() && line["prov"].is_string());
    }
    assert_eq!(
        (&lines[0]["outcome"], &lines[1]["outcome"]),
        (&json!("ok"), &json!("not_found"))
    );
    let progress = "test_flood";
    let id = ws.call(progress, json!({ "count": 20, "ms": 40 })).await;
    ws.result(&id).await;
    eventually(PATIENCE, "its messages are in progress.log", || {
        sandbox
            .log("progress.log")
            .contains(&format!("(tool=test_flood id={id} "))
    })
    .await;
    let first = sandbox
        .log("progress.log")
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned();
    let (stamp, words) = first.split_once(": ").must("find V1's form");
    assert!(
        stamp.parse::<f64>().is_ok() && words.starts_with("message "),
        "{first}"
    );
}

#[tokio::test]
async fn r40_two_lives_in_one_log_do_not_mix_up_their_calls() {
    let sandbox = Sandbox::new();
    for _ in 0..2 {
        let mut daemon = sandbox.daemon().await;
        let mut ws = sandbox.ws().await;
        // The same ids in both lives.
        for _ in 0..3 {
            ws.call_and_wait("version", json!({})).await;
        }
        ws.send_text("no json").await;
        assert_eq!(ws.recv_op("error").await["message"], "invalid_json");
        daemon.terminate();
        daemon.wait(PATIENCE).await;
    }
    let check = sandbox.cli(&["logs", "check"]).await.ok();
    assert!(
        check
            .stdout
            .contains("boots=2 received=6 finished=6 interrupted=0"),
        "{}",
        check.all()
    );
}

/// People clean up by hand; what is written after that must be found.
#[cfg(unix)]
#[tokio::test]
async fn r48_logs_that_are_removed_under_the_daemon_are_made_again() {
    let sandbox = Sandbox::new();
    let _daemon = sandbox.daemon().await;
    let mut ws = sandbox.ws().await;
    for round in 0..3 {
        let id = format!("round-{round}");
        ws.call_as(&id, "no_such_tool", json!({})).await;
        ws.result(&id).await;
        let is_there = |name: &str| sandbox.log(name).contains(&id);
        eventually(PATIENCE, "every log has the call", || {
            [
                "ws_daemon.log",
                "ws_daemon.metrics.jsonl",
                "tool_calls_all.jsonl",
                "tool_failures.jsonl",
            ]
            .into_iter()
            .all(is_there)
        })
        .await;
        if round == 1 {
            fs::remove_dir_all(sandbox.log_path("")).must("remove the logs' folder");
            eventually(PATIENCE, "the folder is back", || {
                sandbox.log_path("").is_dir()
            })
            .await;
            continue;
        }
        for entry in fs::read_dir(sandbox.log_path("")).must("list the logs") {
            fs::remove_file(entry.must("list the logs").path()).must("remove a log");
        }
    }
}
