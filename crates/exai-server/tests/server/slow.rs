//! A peer that does not read is its own problem: its next calls wait or are refused, what it was
//! promised is kept for it, and one that takes nothing at all is closed in time, with its results
//! to be collected.

use crate::house::{House, Plan, settle};
use exai_server::Settings;
use serde_json::Value;
use std::time::Duration;
use tokio::time::Instant;

/// A pipe that holds little.
fn narrow() -> House {
    bounded(32 << 20)
}

/// The same, with so much under way for one client.
fn bounded(client_bytes: usize) -> House {
    let mut config = Plan::default().config;
    config.limits.client_bytes = client_bytes;
    let settings = Settings {
        max_frame_bytes: 512 * 1024,
        ..Plan::default().settings
    };
    House::planned(Plan {
        settings,
        pipe_bytes: 4096,
        config,
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
    // A ping interval, the patience for its pong, and the time it gets to take our close.
    assert!(
        begin.elapsed() <= Duration::from_secs(25 + 10 + 2),
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
    tokio::time::sleep(Duration::from_secs(35)).await;
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

#[tokio::test(start_paused = true)]
async fn a_slow_readers_calls_wait_for_it_and_none_is_lost() {
    let house = bounded(1 << 20);
    let mut slow = house.featured("slow").await;
    for n in 0..40 {
        slow.call(&n.to_string(), "act", r#"{"ms":10,"bytes":400000}"#)
            .await;
    }
    tokio::time::sleep(Duration::from_secs(10)).await;
    // Eight run at once: the last of them may pass the limit, and nobody after.
    let unread = house.engine.sessions().unread();
    assert!(unread < (1 << 20) + 8 * 401_000, "{unread}");
    assert_eq!(house.engine.admission().depth().running, 0);
    let finished = house.record_counts().1;
    assert!((3..=10).contains(&finished), "{finished}");
    let mut answered = std::collections::BTreeSet::new();
    for _ in 0..40 {
        let result = slow.until("call_tool_res").await;
        assert_eq!(result["error"], Value::Null, "{result}");
        answered.insert(result["request_id"].to_string());
    }
    assert_eq!(answered.len(), 40);
    settle().await;
    assert_eq!(house.engine.sessions().unread(), 0, "all is accounted for");
}

#[tokio::test(start_paused = true)]
async fn who_does_not_read_is_refused_more_until_it_does() {
    let house = bounded(1 << 20);
    let mut slow = house.featured("slow").await;
    for n in 0..8 {
        slow.call(&n.to_string(), "act", r#"{"bytes":400000}"#)
            .await;
    }
    settle().await;
    slow.call("more", "act", "{}").await;
    let mut other = house.featured("other").await;
    other.call("1", "act", "{}").await;
    assert_eq!(other.result("1").await["error"], Value::Null);
    let mut refused = None;
    for _ in 0..9 {
        let result = slow.until("call_tool_res").await;
        match result["request_id"].as_str() {
            Some("more") => refused = Some(result["error"].clone()),
            _ => assert_eq!(result["error"], Value::Null, "{result}"),
        }
    }
    let error = refused.unwrap();
    assert_eq!(
        (&error["code"], &error["ran"]),
        (&"OVER_CAPACITY".into(), &"no".into())
    );
    assert!(error["retry_after"].as_u64().unwrap() >= 1, "{error}");
    assert!(
        error["message"].as_str().unwrap().contains("has not read"),
        "{error}"
    );
    slow.call("more", "act", "{}").await;
    assert_eq!(
        slow.result("more").await["error"],
        Value::Null,
        "the same id"
    );
}

#[tokio::test(start_paused = true)]
async fn who_asks_and_never_reads_is_not_read_either() {
    let house = bounded(1 << 20);
    let mut deaf = house.featured("deaf").await;
    let mut sent = 0;
    let flood = async {
        loop {
            deaf.send(r#"{"op":"list_tools"}"#).await;
            sent += 1;
        }
    };
    // Its frames stay in its own pipe, so that it cannot send more.
    assert!(
        tokio::time::timeout(Duration::from_secs(9), flood)
            .await
            .is_err()
    );
    assert!(sent < 50_000, "{sent}");
    let unread = house.engine.sessions().unread();
    assert!(unread < (2 << 20), "{unread}");
}
