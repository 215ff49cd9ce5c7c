//! Whoever lets go of a call ends its request at the provider at once: over the wire, through
//! the shim, with Ctrl-C.

use super::{EACH, Stage, ask};
use crate::editor::{settled, window};
use exai_testkit::{
    Must as _, PATIENCE, Stopwatch, eventually,
    provider::{At, Reply, Stall},
};
use serde_json::json;
use std::time::Duration;

/// From the wish to the hang-up; a machine under load included.
const AT_ONCE: Duration = Duration::from_secs(2);

fn endless(at: At) -> Reply {
    Reply::text("one two three")
        .chunks(3)
        .stall(at, Stall::Forever)
}

#[tokio::test]
async fn a_cancelled_call_hangs_up_in_every_dialect_and_every_moment() {
    let stage = Stage::new().await;
    let _daemon = stage.daemon().await;
    let mut ws = stage.caller().await;
    let mut asked = 0;
    for (dialect, name, model) in EACH {
        for at in [At::Headers, At::FirstEvent, At::Piece(1)] {
            stage.provider.script([endless(at)]);
            let id = format!("{name}-{at:?}");
            ask(&mut ws, &id, model).await;
            asked += 1;
            let request = stage.asked(asked).await;
            if at == At::Piece(1) {
                ws.recv_where(|frame| frame["op"] == "partial" && frame["request_id"] == id)
                    .await;
            }
            let wished = Stopwatch::start();
            ws.send(&json!({ "op": "cancel", "request_id": id })).await;
            let ended = ws.result(&id).await;
            assert_eq!(
                ended["error"]["code"], "CANCELLED",
                "{dialect:?} {at:?}: {ended}"
            );
            stage.provider.until_hung_up(request.index).await;
            let took = wished.elapsed();
            assert!(took < AT_ONCE, "{dialect:?} {at:?}: {took:?}");
        }
    }
    // Nobody is blamed for a caller who went away.
    ws.send(&json!({ "op": "health" })).await;
    let health = ws.recv_op("health_res").await["health"].clone();
    let troubled = health["providers"].as_array().into_iter().flatten();
    assert_eq!(
        troubled.filter(|one| one["breaker"] != "closed").count(),
        0,
        "{health}"
    );
}

#[tokio::test]
async fn a_notification_of_the_editor_hangs_up() {
    let stage = Stage::new().await;
    stage.provider.otherwise(endless(At::Piece(1)));
    let _daemon = stage.daemon().await;
    let mut shim = window(&stage.sandbox).await;
    settled(&mut shim).await;
    let question = json!({ "prompt": "tell me", "model": "parrot@custom" });
    let id = shim.call("chat", question).await;
    let request = stage.asked(1).await;
    let wished = Stopwatch::start();
    shim.notify(
        "notifications/cancelled",
        json!({ "requestId": id, "reason": "enough" }),
    )
    .await;
    stage.provider.until_hung_up(request.index).await;
    assert!(wished.elapsed() < AT_ONCE);
}

#[cfg(unix)]
#[tokio::test]
async fn ctrl_c_in_chat_and_in_call_hangs_up() {
    let stage = Stage::new().await;
    stage.provider.otherwise(endless(At::Piece(1)));
    let _daemon = stage.daemon().await;
    let lines: [&[&str]; 2] = [
        &["chat", "-m", "parrot@custom", "hello"],
        &[
            "call",
            "chat",
            "-a",
            "prompt=hello",
            "-a",
            "model=parrot@custom",
        ],
    ];
    for (number, line) in lines.into_iter().enumerate() {
        let mut command = stage.sandbox.command("exai-daemon");
        command.args(line);
        let mut process = stage.sandbox.spawn(command);
        let request = stage.asked(number + 1).await;
        let wished = Stopwatch::start();
        process.interrupt();
        stage.provider.until_hung_up(request.index).await;
        assert!(wished.elapsed() < AT_ONCE, "{line:?}");
        let status = process.wait(PATIENCE).await;
        assert_ne!(status.code(), Some(0), "{line:?}: {}", process.said());
    }
    let cancelled = || {
        let records = stage.sandbox.calls();
        records
            .iter()
            .filter(|record| record["outcome"] == "cancelled")
            .count()
            == 2
    };
    eventually(PATIENCE, "both are recorded as cancelled", cancelled).await;
}

/// A deadline is the call's own: the request ends with it, and the answer says so.
#[tokio::test]
async fn a_deadline_hangs_up_too() {
    let stage = Stage::new().await;
    stage.provider.otherwise(endless(At::Piece(1)));
    let _daemon = stage.daemon().await;
    let mut ws = stage.caller().await;
    ws.send(&json!({
        "op": "call_tool", "request_id": "d", "name": "chat", "timeout_ms": 4000,
        "arguments": { "prompt": "hello", "model": "parrot@custom" },
    }))
    .await;
    let began = Stopwatch::start();
    let request = stage.asked(1).await;
    let ended = ws.result("d").await;
    assert_eq!(ended["error"]["code"], "TIMEOUT", "{ended}");
    assert!(
        began.elapsed() < Duration::from_secs(8),
        "{:?}",
        began.elapsed()
    );
    stage.provider.until_hung_up(request.index).await;
    let record = stage.sandbox.failures().pop();
    let recorded = || stage.sandbox.failures().pop();
    let record = match record {
        Some(record) => record,
        None => eventually(PATIENCE, "it is recorded", recorded).await,
    };
    let endpoint = record
        .pointer("/metadata/endpoint")
        .must("find where it was");
    assert_eq!(endpoint, "custom", "{record}");
}
