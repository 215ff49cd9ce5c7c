//! A peer that does not read is its own problem: it is closed at a bound, and its calls can be
//! collected.

use crate::house::{House, Plan, settle};
use exai_server::Settings;
use serde_json::Value;
use std::time::Duration;
use tokio::time::Instant;

/// A pipe that holds little and a bound of about two megabytes.
fn narrow() -> House {
    let settings = Settings {
        max_frame_bytes: 512 * 1024,
        ..Plan::default().settings
    };
    House::planned(Plan {
        settings,
        pipe_bytes: 4096,
        ..Plan::default()
    })
}

#[tokio::test(start_paused = true)]
async fn r08_a_peer_that_reads_nothing_is_closed_and_its_calls_are_kept() {
    let house = narrow();
    let mut watcher = house.featured("watcher").await;
    watcher
        .ask(r#"{"op":"subscribe","topics":["connection_status"]}"#)
        .await;
    let mut stuck = house.featured("stuck").await;
    assert_eq!(
        watcher.json().await["data"]["connection_status"]["connected"],
        true
    );
    for n in 0..12 {
        stuck
            .call(&n.to_string(), "act", r#"{"ms":100,"bytes":400000}"#)
            .await;
    }
    let begin = Instant::now();
    let gone = watcher.json().await;
    assert!(
        begin.elapsed() < Duration::from_secs(4),
        "{:?}",
        begin.elapsed()
    );
    let status = &gone["data"]["connection_status"];
    assert_eq!(status["connected"], false);
    assert!(
        status["reason"].as_str().unwrap().contains("does not read"),
        "{status}"
    );
    drop(stuck);
    let mut back = house.featured("stuck").await;
    for n in 0..12 {
        let met = back
            .ask(&format!(r#"{{"op":"attach","request_id":"{n}"}}"#))
            .await;
        assert_eq!(met["state"], "finished");
        let result = back.result(&n.to_string()).await;
        assert_eq!(
            result["outputs"][0]["text"].as_str().unwrap().len(),
            400_000
        );
    }
    assert_eq!(house.record_counts(), (12, 12));
}

#[tokio::test(start_paused = true)]
async fn r08_a_peer_that_reads_again_in_time_learns_why_it_was_closed() {
    let house = narrow();
    let mut slow = house.featured("slow").await;
    for n in 0..12 {
        slow.call(&n.to_string(), "act", r#"{"bytes":400000}"#)
            .await;
    }
    settle().await;
    let (code, reason) = slow.closed().await.unwrap();
    assert_eq!(code, 4008);
    assert!(reason.contains("collect"), "{reason}");
}

#[tokio::test(start_paused = true)]
async fn r08_a_slow_reader_slows_nobody_else() {
    let house = narrow();
    let mut stuck = house.featured("stuck").await;
    let mut other = house.featured("other").await;
    for n in 0..4 {
        stuck
            .call(&n.to_string(), "act", r#"{"bytes":400000}"#)
            .await;
    }
    settle().await;
    let begin = Instant::now();
    for n in 0..100 {
        other.call(&n.to_string(), "instant", "{}").await;
        other.result(&n.to_string()).await;
    }
    assert!(begin.elapsed() < Duration::from_millis(10));
    for n in 0..4 {
        assert_eq!(
            stuck.result(&n.to_string()).await["error"],
            Value::Null,
            "slow, but not lost"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn r08_signs_of_life_are_skipped_and_streams_joined_for_a_slow_reader() {
    let house = narrow();
    let mut slow = house.featured("slow").await;
    for n in 0..4 {
        slow.call(&n.to_string(), "act", r#"{"bytes":400000}"#)
            .await;
    }
    slow.call(
        "long",
        "act",
        r#"{"ms":600000,"streams":"abc","say":"words"}"#,
    )
    .await;
    // Pings are answered by reading only, so none may be due meanwhile.
    tokio::time::sleep(Duration::from_secs(20)).await;
    let mut text = String::new();
    let mut frames = 0;
    let deadline = Instant::now() + Duration::from_secs(5);
    while let Ok(frame) = tokio::time::timeout_at(deadline, slow.json()).await {
        frames += 1;
        if frame["op"] == "partial" {
            text.push_str(frame["text"].as_str().unwrap());
        }
    }
    // Four signs of life and fifty pieces of text a second: 25 s of them would be 1,350.
    assert!(frames < 5 * (4 + 50) + 30, "{frames} frames for 5 s");
    assert!(
        text.len() > 3 * 2000 && text == "abc".repeat(text.len() / 3),
        "{} bytes, in order",
        text.len()
    );
}

#[tokio::test(start_paused = true)]
async fn events_wait_for_a_slow_reader_and_say_what_it_missed() {
    let house = narrow();
    let mut slow = house.featured("slow").await;
    let since = slow
        .ask(r#"{"op":"subscribe","topics":["tool_discovered"]}"#)
        .await["seq"]
        .as_u64()
        .unwrap();
    let long = "n".repeat(10_000);
    for n in 0..3000u64 {
        house
            .engine
            .replace_tools("more", vec![crate::tools::idle(&format!("{long}-{n}"))]);
        if n % 100 == 0 {
            settle().await;
        }
    }
    let (mut events, mut dropped, mut next) = (0, 0, since + 1);
    while events + dropped < 3000 {
        let frame = slow.json().await;
        match frame["op"].as_str() {
            Some("event") => {
                assert_eq!(frame["seq"], next);
                (events, next) = (events + 1, next + 1);
            }
            Some("lagged") => {
                dropped += frame["dropped"].as_u64().unwrap();
                next = frame["next_seq"].as_u64().unwrap();
            }
            _ => assert_eq!(frame["op"], "tools_changed"),
        }
    }
    assert_eq!(
        (events + dropped, dropped > 0),
        (3000, true),
        "exact to the last"
    );
}
