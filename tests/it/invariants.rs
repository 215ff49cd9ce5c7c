//! What must be true of every call, whatever happens around it.

use exai_testkit::{Frame, Must as _, PATIENCE, Sandbox, Stopwatch, Ws, eventually};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const RICH: &[&str] = &["progress", "rich_results"];

fn code(frame: &Value) -> &str {
    frame["error"]["code"].as_str().unwrap_or("none")
}

async fn ack(ws: &mut Ws, id: &str) -> Value {
    ws.recv_where(|frame| frame["op"] == "call_tool_ack" && frame["request_id"] == id)
        .await
}

async fn health(ws: &mut Ws) -> Value {
    ws.send(&json!({ "op": "health", "request_id": "health" }))
        .await;
    ws.recv_op("health_res").await["health"].clone()
}

/// Calls that end in every way at once: each is answered once, recorded once, and leaves the
/// permits where they were.
#[tokio::test]
async fn i01_every_accepted_call_has_one_end_one_record_and_gives_its_permit_back() {
    let mut sandbox = Sandbox::new();
    sandbox
        .set("EXAI_WS_GLOBAL_MAX_INFLIGHT", "4")
        .set("EXAI_WS_SESSION_MAX_INFLIGHT", "3");
    let _daemon = sandbox.daemon().await;
    let mut peers = Vec::new();
    for peer in 0..3 {
        let (mut ws, _) = sandbox.modern(&format!("c{peer}"), RICH).await;
        for n in 0..20 {
            let (tool, arguments) = match n % 6 {
                0 => ("test_sleep", json!({ "ms": 30 })),
                1 => ("test_panic", json!({})),
                2 => ("no_such_tool", json!({})),
                3 => ("test_flood", json!({ "count": 5, "ms": 5 })),
                4 => ("test_sleep", json!({ "ms": -1 })),
                _ => ("version", json!({})),
            };
            ws.call_as(&format!("p{peer}-{n}"), tool, arguments).await;
        }
        ws.call_as(
            &format!("p{peer}-stop"),
            "test_sleep",
            json!({ "ms": 60_000 }),
        )
        .await;
        let stop = format!("p{peer}-stop");
        ws.send(&json!({ "op": "cancel", "request_id": stop }))
            .await;
        ws.recv_op("cancel_res").await;
        peers.push(ws);
    }
    for (peer, ws) in peers.iter_mut().enumerate() {
        let mut open: Vec<String> = (0..20).map(|n| format!("p{peer}-{n}")).collect();
        open.push(format!("p{peer}-stop"));
        while !open.is_empty() {
            let frame = ws.recv().await;
            let id = frame["request_id"].as_str().unwrap_or_default();
            // No second end, and nothing else of a call that has ended.
            let at = open.iter().position(|open| open == id);
            let at = at.must(format_args!("find {id} open for {frame}"));
            if frame["op"] == "call_tool_res" {
                open.remove(at);
            }
        }
    }
    let after = health(&mut peers[0]).await;
    assert_eq!(
        (&after["global_inflight"], &after["queued"]),
        (&json!(0), &json!(0)),
        "{after}"
    );
    // Nothing comes late.
    assert_eq!(
        peers[1].next(Duration::from_millis(300)).await,
        Frame::Silence
    );
    eventually(PATIENCE, "63 records", || sandbox.calls().len() == 63).await;
    let mut ids: Vec<String> = sandbox
        .calls()
        .iter()
        .map(|call| call["request_id"].to_string())
        .collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 63);
    sandbox.cli(&["logs", "check"]).await.ok();
}

#[tokio::test]
async fn i02_heartbeats_go_on_for_the_whole_run_on_every_connection() {
    let mut sandbox = Sandbox::new();
    sandbox.set("EXAI_WS_PROGRESS_INTERVAL_SECS", "0.4");
    let _daemon = sandbox.daemon().await;
    let gate = sandbox.gate("both");
    let (mut peers, watch) = (Vec::new(), Stopwatch::start());
    for _ in 0..3 {
        let mut ws = sandbox.ws().await;
        // A sleeping tool and one that holds its thread: neither's business.
        let sleeps = ws.call("test_sleep", gate.holds(json!({}))).await;
        let blocks = ws.call("test_block", gate.holds(json!({}))).await;
        peers.push((ws, sleeps, blocks));
    }
    for (ws, sleeps, blocks) in &mut peers {
        let mut beats = [Vec::new(), Vec::new()];
        let began = Stopwatch::start();
        let mut ended = 0;
        while ended < 2 {
            let frame = ws.recv().await;
            let which = usize::from(frame["request_id"] == blocks.as_str());
            match frame["op"].as_str() {
                Some("progress") => {
                    assert!(frame["t"].is_f64(), "{frame}");
                    beats[which].push(frame["t"].as_f64().unwrap_or_default());
                    // The others' began a little later.
                    if beats.iter().all(|beats| beats.len() > 10) {
                        gate.open();
                    }
                }
                Some("call_tool_res") => {
                    assert!(frame.get("error").is_none(), "{frame}");
                    ended += 1;
                }
                _ => assert_eq!(frame["op"], "call_tool_ack", "{frame}"),
            }
        }
        assert!(began.elapsed() < PATIENCE);
        for (beats, id) in beats.iter().zip([&*sleeps, &*blocks]) {
            // The first is the note of the admission.
            assert!(beats.len() > 8, "{id}: {beats:?}");
            let longest = beats
                .windows(2)
                .map(|pair| pair[1] - pair[0])
                .fold(0.0, f64::max);
            // What the machine stood still is nobody's silence.
            assert!(
                longest < 2.0 + watch.stood_still().as_secs_f64(),
                "{id}: silent for {longest} s: {beats:?}"
            );
        }
    }
}

#[tokio::test]
async fn i03_the_same_call_from_another_connection_is_the_same_run() {
    let sandbox = Sandbox::new();
    let _daemon = sandbox.daemon().await;
    let file = sandbox.work().join("ran");
    let arguments = json!({ "file": file, "ms": 1500 });
    let (mut first, _) = sandbox.modern("window", RICH).await;
    first
        .call_as("same", "test_count_once", arguments.clone())
        .await;
    ack(&mut first, "same").await;
    let (mut second, _) = sandbox.modern("window", RICH).await;
    second
        .call_as("same", "test_count_once", arguments.clone())
        .await;
    let (one, two) = (first.result("same").await, second.result("same").await);
    assert_eq!(one["outputs"], two["outputs"]);
    assert_eq!(two["attached"], true, "{two}");
    // After its end: from memory, to the same bytes, and again without a run.
    let (mut third, _) = sandbox.modern("window", RICH).await;
    third
        .call_as("same", "test_count_once", arguments.clone())
        .await;
    let three = third.result("same").await;
    assert_eq!(
        (&three["outputs"], &three["replayed"]),
        (&one["outputs"], &json!(true))
    );
    third
        .send(&json!({ "op": "attach", "request_id": "same" }))
        .await;
    assert_eq!(third.recv_op("attach_res").await["state"], "finished");
    assert_eq!(third.result("same").await["outputs"], one["outputs"]);
    assert_eq!(sandbox.counted("ran"), 1);
    // Another client's call of the same name is another call.
    let (mut stranger, _) = sandbox.modern("other-window", RICH).await;
    stranger
        .send(&json!({ "op": "attach", "request_id": "same" }))
        .await;
    assert_eq!(stranger.recv_op("attach_res").await["state"], "unknown");
    stranger.call_as("same", "test_count_once", arguments).await;
    assert!(stranger.result("same").await.get("error").is_none());
    assert_eq!(sandbox.counted("ran"), 2);
    // The same name for something else is a mistake, and no answer from memory.
    third
        .call_as("same", "test_sleep", json!({ "ms": 0 }))
        .await;
    let refused = third.result("same").await;
    assert_eq!(code(&refused), "INVALID_ARGUMENT", "{refused}");
    assert_eq!(sandbox.counted("ran"), 2);
}

#[tokio::test]
async fn i03_a_call_survives_the_loss_of_every_connection() {
    let sandbox = Sandbox::new();
    let _daemon = sandbox.daemon().await;
    let file = sandbox.work().join("ran");
    let (mut ws, _) = sandbox.modern("window", RICH).await;
    ws.call_as(
        "kept",
        "test_count_once",
        json!({ "file": file, "ms": 700 }),
    )
    .await;
    ack(&mut ws, "kept").await;
    drop(ws);
    eventually(PATIENCE, "it has finished with nobody watching", || {
        sandbox
            .records_of("kept")
            .first()
            .is_some_and(|record| record["outcome"] == "ok")
    })
    .await;
    let (mut ws, _) = sandbox.modern("window", RICH).await;
    ws.send(&json!({ "op": "collect", "request_id": "kept" }))
        .await;
    let page = ws.recv_op("collect_res").await;
    assert_eq!(
        (&page["state"], &page["eof"]),
        (&json!("finished"), &json!(true))
    );
    assert!(
        page["chunk"]
            .as_str()
            .is_some_and(|text| text.contains("counted")),
        "{page}"
    );
    assert_eq!(sandbox.counted("ran"), 1);
}

#[tokio::test]
async fn i03_an_evicted_result_is_expired_and_never_run_again() {
    let mut sandbox = Sandbox::new();
    // Without a journal, which would still have it.
    sandbox
        .set("EXAI_WS_RETAINED_RESULTS", "2")
        .set("EXAI_JOURNAL", "off");
    let _daemon = sandbox.daemon().await;
    let (mut ws, _) = sandbox.modern("window", RICH).await;
    let file = sandbox.work().join("ran");
    for id in ["a", "b", "c", "d"] {
        ws.call_as(id, "test_count_once", json!({ "file": file }))
            .await;
        ws.result(id).await;
    }
    ws.call_as("a", "test_count_once", json!({ "file": file }))
        .await;
    let expired = ws.result("a").await;
    assert_eq!(code(&expired), "EXPIRED", "{expired}");
    assert_eq!(sandbox.counted("ran"), 4);
    ws.send(&json!({ "op": "collect", "request_id": "a" }))
        .await;
    assert_eq!(ws.recv_op("collect_res").await["state"], "expired");
}

#[tokio::test]
async fn i06_a_missed_deadline_is_answered_in_time_and_says_whose_it_was() {
    let mut sandbox = Sandbox::new();
    sandbox
        .set("EXAI_WS_CALL_TIMEOUT", "6.5")
        .set("EXAI_WS_GLOBAL_MAX_INFLIGHT", "2");
    let _daemon = sandbox.daemon().await;
    let (mut ws, _) = sandbox.modern("window", RICH).await;
    let (began, watch) = (Instant::now(), Stopwatch::start());
    // The daemon's own limit, over a tool that waits and one that cannot be interrupted.
    for (id, tool) in [("waits", "test_sleep"), ("blocks", "test_block")] {
        ws.call_as(id, tool, json!({ "ms": 60_000 })).await;
        assert_eq!(ack(&mut ws, id).await["timeout"], 6.5);
    }
    // The client's limit, for a call that never gets its turn.
    let queued = json!({ "op": "call_tool", "request_id": "queued", "name": "test_sleep",
        "arguments": { "ms": 0 }, "timeout_ms": 500 });
    ws.send(&queued).await;
    let end = ws.result("queued").await;
    let took = began.elapsed();
    assert!(took > Duration::from_millis(450), "{took:?}");
    let took = watch.elapsed();
    assert!(took < Duration::from_millis(4500), "{took:?}");
    assert_eq!(
        (code(&end), &end["error"]["ran"]),
        ("TIMEOUT", &json!("no")),
        "{end}"
    );
    let words = end["error"]["message"].as_str().unwrap_or_default();
    assert!(
        words.contains("0.5s") && words.contains("timeout_ms"),
        "{words}"
    );
    for id in ["waits", "blocks"] {
        let end = ws.result(id).await;
        let took = watch.elapsed();
        assert!(took < Duration::from_millis(10_500), "{id}: {took:?}");
        assert_eq!(
            (code(&end), &end["error"]["ran"]),
            ("TIMEOUT", &json!("yes")),
            "{end}"
        );
        let words = end["error"]["message"].as_str().unwrap_or_default();
        assert!(
            words.contains("6.5s") && words.contains("EXAI_WS_CALL_TIMEOUT"),
            "{words}"
        );
    }
    // A client may ask for less, never for more.
    let more = json!({ "op": "call_tool", "request_id": "more", "name": "test_sleep",
        "arguments": { "ms": 0 }, "timeout_ms": 600_000 });
    ws.send(&more).await;
    assert_eq!(ack(&mut ws, "more").await["timeout"], 6.5);
}

#[tokio::test]
async fn i07_no_frame_is_larger_than_the_limit_and_nothing_is_lost_by_it() {
    const LIMIT: usize = 64 * 1024;
    let mut sandbox = Sandbox::new();
    sandbox.set("EXAI_WS_MAX_BYTES", LIMIT.to_string());
    let _daemon = sandbox.daemon().await;
    let (mut ws, ack) = sandbox.modern("window", RICH).await;
    assert_eq!(ack["limits"]["max_frame_bytes"], LIMIT);
    let mut v1 = sandbox.ws().await;
    for bytes in [1000, 20_000, 33_000, 60_000, LIMIT - 100, LIMIT, 500_000] {
        let id = format!("bulk-{bytes}");
        for peer in [&mut ws, &mut v1] {
            peer.call_as(&id, "test_bulk", json!({ "bytes": bytes }))
                .await;
            let frame = peer.result(&id).await;
            assert!(
                frame.to_string().len() <= LIMIT,
                "{bytes}: {}",
                frame.to_string().len()
            );
            let whole = frame["outputs"][0]["text"].as_str().map(str::len);
            assert!(
                whole == Some(bytes) || code(&frame) == "TOO_LARGE",
                "{bytes}: {whole:?} {}",
                code(&frame)
            );
        }
        assert_eq!(
            collected(&mut ws, &id).await.len(),
            bytes,
            "in pages it is whole"
        );
    }
    // V1's copy of the text is what goes first.
    v1.call_as("twice", "test_bulk", json!({ "bytes": 40_000 }))
        .await;
    let frame = v1.result("twice").await;
    assert!(frame.get("text").is_none() && frame["outputs"][0]["text"].is_string());
}

/// The text of a result, put together from its pages.
async fn collected(ws: &mut Ws, id: &str) -> String {
    let mut outputs = String::new();
    loop {
        ws.send(&json!({ "op": "collect", "request_id": id, "offset": outputs.len() }))
            .await;
        let page = ws.recv_op("collect_res").await;
        assert_eq!(page["state"], "finished", "{page}");
        outputs.push_str(page["chunk"].as_str().unwrap_or_default());
        if page["eof"] == true {
            assert_eq!(page["total_bytes"], outputs.len());
            break;
        }
    }
    let outputs: Value = serde_json::from_str(&outputs).must("read the outputs");
    outputs[0]["text"].as_str().unwrap_or_default().to_owned()
}

/// P3 and P4 of the predecessor: nothing that a tool does keeps anybody from being served.
#[tokio::test]
async fn i02_a_house_full_of_stalled_calls_still_answers_everything_else() {
    let mut sandbox = Sandbox::new();
    sandbox.set("EXAI_WS_SESSION_MAX_INFLIGHT", "24");
    let _daemon = sandbox.daemon().await;
    let (mut ws, _) = sandbox.modern("window", RICH).await;
    let gate = sandbox.gate("stalled");
    for n in 0..24 {
        let tool = if n % 2 == 0 {
            "test_block"
        } else {
            "test_sleep"
        };
        ws.call_as(&format!("stalled-{n}"), tool, gate.holds(json!({})))
            .await;
    }
    for n in 0..24 {
        ack(&mut ws, &format!("stalled-{n}")).await;
    }
    let (mut other, _) = sandbox.modern("other", RICH).await;
    let mut old = sandbox.ws().await;
    for peer in [&mut ws, &mut other, &mut old] {
        let began = Stopwatch::start();
        assert_eq!(health(peer).await["global_inflight"], 24);
        for (op, answer) in [
            ("list_tools", "list_tools_res"),
            ("ping", "pong"),
            ("sessions", "sessions_res"),
        ] {
            peer.send(&json!({ "op": op, "request_id": op })).await;
            assert_eq!(peer.recv_op(answer).await["request_id"], op);
        }
        // What only looks needs no permit.
        for tool in [
            "version",
            "status",
            "self-check",
            "toolcall_log_tail",
            "activity",
        ] {
            peer.call_as(tool, tool, json!({})).await;
            let looked = peer.result(tool).await;
            assert!(looked.get("error").is_none(), "{tool}: {looked}");
        }
        assert!(
            began.elapsed() < Duration::from_secs(2),
            "{:?}",
            began.elapsed()
        );
    }
    // A call waits its turn and says so, and a stop is heard at once.
    ws.call_as("queued", "test_sleep", json!({ "ms": 0 })).await;
    let waiting = ws
        .recv_where(|frame| frame["request_id"] == "queued" && frame["op"] == "progress")
        .await;
    assert_eq!(waiting["stage"], "queued", "{waiting}");
    assert!(
        waiting["message"]
            .as_str()
            .is_some_and(|words| words.contains("position 1")),
        "{waiting}"
    );
    let began = Stopwatch::start();
    ws.send(&json!({ "op": "cancel", "request_id": "stalled-0" }))
        .await;
    assert_eq!(code(&ws.result("stalled-0").await), "CANCELLED");
    assert!(
        began.elapsed() < Duration::from_secs(2),
        "{:?}",
        began.elapsed()
    );
    gate.open();
    for n in 1..24 {
        assert!(
            ws.result(&format!("stalled-{n}"))
                .await
                .get("error")
                .is_none()
        );
    }
    assert!(ws.result("queued").await.get("error").is_none());
}

#[tokio::test]
async fn i01_the_queue_is_fair_between_clients() {
    let mut sandbox = Sandbox::new();
    sandbox.set("EXAI_WS_GLOBAL_MAX_INFLIGHT", "1");
    let _daemon = sandbox.daemon().await;
    let (mut greedy, _) = sandbox.modern("greedy", RICH).await;
    for n in 0..40 {
        greedy
            .call_as(&format!("g{n}"), "test_sleep", json!({ "ms": 300 }))
            .await;
    }
    ack(&mut greedy, "g0").await;
    let (mut modest, _) = sandbox.modern("modest", RICH).await;
    let began = Stopwatch::start();
    modest
        .call_as("m", "test_sleep", json!({ "ms": 300 }))
        .await;
    assert!(modest.result("m").await.get("error").is_none());
    // Behind two or three of the forty, not behind all of them.
    assert!(
        began.elapsed() < Duration::from_secs(6),
        "{:?}",
        began.elapsed()
    );
    let still = health(&mut modest).await["queued"]
        .as_u64()
        .unwrap_or_default();
    assert!(still > 15, "{still}");
}
