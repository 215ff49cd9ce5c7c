//! Nothing grows: thousands of connections come and go, and the daemon is as it was. What takes
//! longer than a test may is `exai-torture`'s: it watches the same numbers for as long as it is
//! told to, while it harms the daemon.

use exai_testkit::{Daemon, Sandbox, eventually};
use serde_json::json;
use tokio::task::JoinSet;

/// Comings and goings, after those that warm it up.
const CYCLES: usize = 10_000;
const WARM: usize = 1_000;
/// Clients that come and go side by side; each has a name that comes back.
const CLIENTS: usize = 8;

/// What may grow.
#[derive(Debug, Clone, Copy)]
struct Size {
    descriptors: usize,
    threads: usize,
    bytes: u64,
}

fn size(daemon: &Daemon) -> Option<Size> {
    let folder = format!("/proc/{}", daemon.id());
    let count = |part: &str| std::fs::read_dir(format!("{folder}/{part}")).map(Iterator::count);
    Some(Size {
        descriptors: count("fd").ok()?,
        threads: count("task").ok()?,
        bytes: daemon.resident_bytes()?,
    })
}

/// So many connections of one client, one after the other, each with a call.
async fn cycles(sandbox: &Sandbox, client: usize, times: usize) {
    for _ in 0..times {
        let (mut ws, _) = sandbox.modern(&format!("client-{client}"), &[]).await;
        ws.call_and_wait("version", json!({})).await;
        ws.close().await;
    }
}

async fn all(sandbox: &std::sync::Arc<Sandbox>, times: usize) {
    let mut going = JoinSet::new();
    for client in 0..CLIENTS {
        let sandbox = std::sync::Arc::clone(sandbox);
        going.spawn(async move { cycles(&sandbox, client, times / CLIENTS).await });
    }
    while let Some(ended) = going.join_next().await {
        ended.unwrap_or_else(|error| panic!("{error}"));
    }
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r37_ten_thousand_connections_come_and_go_and_nothing_grows() {
    let sandbox = std::sync::Arc::new(Sandbox::new());
    let daemon = sandbox.daemon().await;
    all(&sandbox, WARM).await;
    let before = size(&daemon).unwrap_or_else(|| panic!("no sizes"));
    all(&sandbox, CYCLES).await;
    // The last may still be saying goodbye.
    let flat = || {
        let now = size(&daemon)?;
        let few = now.descriptors <= before.descriptors + 4 && now.threads <= before.threads + 4;
        (few && now.bytes <= before.bytes + 12 * 1024 * 1024).then_some(now)
    };
    let limit = exai_testkit::PATIENCE;
    eventually(
        limit,
        format!("as small as before: {before:?}, {:?}", size(&daemon)),
        flat,
    )
    .await;
}

/// What a connection is written from once held all of a large answer, and kept the room for the
/// next for as long as the connection lived.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn r37_connections_that_carried_large_answers_keep_no_room_for_the_next() {
    const BYTES: u64 = 20_000_000;
    let mut sandbox = Sandbox::new();
    sandbox.set("EXAI_WS_RETAINED_BYTES", "0");
    sandbox.set("MIMALLOC_PURGE_DELAY", "0");
    let daemon = sandbox.daemon().await;
    let resident = || daemon.resident_bytes().unwrap_or_default();
    let mut open = Vec::new();
    for number in 0..8 {
        let (mut ws, _) = sandbox.modern(&format!("client-{number}"), &[]).await;
        let result = ws
            .call_and_wait("test_bulk", json!({ "bytes": BYTES }))
            .await;
        assert!(
            result["outputs"][0]["text"]
                .as_str()
                .is_some_and(|text| { text.len() as u64 == BYTES })
        );
        open.push(ws);
    }
    eventually(
        exai_testkit::PATIENCE,
        "what was freed to be given back",
        || resident() < 5 * BYTES,
    )
    .await;
}
