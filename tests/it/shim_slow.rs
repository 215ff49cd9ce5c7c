//! A client that does not read: it waits for itself, costs a bounded amount of memory, and
//! nobody else notices.

use crate::editor::{answers, connected, nothing_more, ok_text, reached, window};
use exai_testkit::Stopwatch;
use serde_json::json;
use std::time::{Duration, Instant};

const MIB: u64 = 1024 * 1024;
const LIMIT: Duration = Duration::from_secs(120);

#[tokio::test]
async fn r08_results_nobody_reads_cost_no_more_than_themselves_and_nothing_is_lost() {
    let (sandbox, _daemon, mut slow) = connected().await;
    let mut other = window(&sandbox).await;
    let before = slow.resident_bytes();
    let mut ids = Vec::new();
    for _ in 0..60 {
        ids.push(slow.call("test_bulk", json!({ "bytes": 2_000_000 })).await);
    }
    // Nobody reads `slow` now; the other window works as ever.
    let end = Instant::now() + Duration::from_secs(6);
    let mut slowest = Duration::ZERO;
    while Instant::now() < end {
        let asked = Stopwatch::start();
        reached(&mut other).await;
        slowest = slowest.max(asked.elapsed());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(slowest < Duration::from_secs(4), "{slowest:?}");
    if let (Some(before), Some(peak)) = (before, slow.peak_bytes()) {
        // The calls it took are what it holds: once, and what is on its way.
        let grown = peak.saturating_sub(before) / MIB;
        assert!(grown < 60 * 2 + 64, "it holds {grown} MiB");
    }
    for answer in answers(&mut slow, &ids, LIMIT).await.values() {
        assert_eq!(ok_text(&answer["result"]).len(), 2_000_000);
    }
    nothing_more(&mut slow).await;
}

#[tokio::test]
async fn r08_progress_nobody_reads_is_skipped_and_the_answer_comes() {
    let (_sandbox, _daemon, mut slow) = connected().await;
    let before = slow.resident_bytes();
    let mut ids = Vec::new();
    for n in 0..8 {
        let call = json!({ "count": 200_000 });
        ids.push(slow.call_with_progress("test_flood", call, json!(n)).await);
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    if let (Some(before), Some(now)) = (before, slow.resident_bytes()) {
        assert!(now.saturating_sub(before) < 32 * MIB);
    }
    answers(&mut slow, &ids, LIMIT).await;
}

#[tokio::test]
async fn r08_small_questions_without_end_stop_at_the_pipe() {
    let (_sandbox, _daemon, mut slow) = connected().await;
    let before = slow.resident_bytes();
    let mut sent = 0_u64;
    // Until the shim no longer takes them: the writing end is then the client's to wait for.
    while sent < 20_000 {
        let line = json!({ "jsonrpc": "2.0", "id": sent, "method": "tools/list" });
        let line = format!("{line}\n");
        let write = slow.try_send_bytes(line.as_bytes());
        match tokio::time::timeout(Duration::from_secs(2), write).await {
            Ok(taken) => taken.unwrap(),
            Err(_) => break,
        }
        sent += 1;
    }
    assert!(sent < 20_000, "it took {sent} requests without being read");
    if let (Some(before), Some(now)) = (before, slow.resident_bytes()) {
        assert!(now.saturating_sub(before) < 32 * MIB);
    }
    let ids: Vec<u64> = (0..sent).collect();
    answers(&mut slow, &ids, LIMIT).await;
}
