//! The record stands still: whoever calls waits at his own connection, and nothing else does.

use crate::house::{House, Plan, settle};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

fn stalled() -> (House, CancellationToken) {
    let disk = CancellationToken::new();
    let mut plan = Plan {
        record_bound: 4,
        stalled: Some(disk.clone()),
        ..Plan::default()
    };
    plan.config.limits.queue_calls = 3;
    (House::planned(plan), disk)
}

#[tokio::test(start_paused = true)]
async fn r40_callers_wait_at_their_connection_and_others_are_served() {
    let (house, disk) = stalled();
    let (mut caller, mut crowd) = (house.v1().await, house.featured("b").await);
    for n in 0..200 {
        let tool = ["instant", "act", "nonsense"][n % 3];
        caller.call(&n.to_string(), tool, "{}").await;
        crowd.call(&n.to_string(), tool, "{}").await;
    }
    // Neither is given up for saying nothing: it is we who do not listen.
    let heard = caller.within(Duration::from_secs(3600)).await;
    assert!(heard.len() > 1000, "signs of life: {}", heard.len());
    crowd.within(Duration::from_secs(60)).await;
    assert_eq!(house.engine.sessions().counts(), (2, 2));
    assert_eq!(house.engine.waiting_for_the_record(), 3);
    let mut other = house.featured("c").await;
    assert_eq!(other.ask(r#"{"op":"ping"}"#).await["op"], "pong");
    assert_eq!(
        other.ask(r#"{"op":"sessions"}"#).await["op"],
        "sessions_res"
    );
    disk.cancel();
    for peer in [&mut caller, &mut crowd] {
        peer.send(r#"{"op":"ping"}"#).await;
        while peer.json().await["op"] != "pong" {}
    }
    settle().await;
    while house.engine.live_calls() > 0 {
        settle().await;
    }
    settle().await;
    assert_eq!(house.record_counts(), (400, 400));
}

#[tokio::test(start_paused = true)]
async fn r40_a_refusal_waits_for_its_record_like_a_call() {
    let (house, disk) = stalled();
    let mut caller = house.v1().await;
    for _ in 0..50 {
        caller.send(r#"{"op":"call_tool","request_id":"r"}"#).await;
    }
    let refused = caller.within(Duration::from_secs(60)).await;
    assert_eq!(refused.len(), 5, "two have room, three wait for it");
    disk.cancel();
    let refused = caller.within(Duration::from_secs(60)).await;
    assert_eq!(refused.len(), 45);
    assert_eq!(house.record_counts(), (50, 50));
}

#[tokio::test(start_paused = true)]
async fn r40_who_waits_at_the_connection_can_be_sent_away() {
    let (house, _disk) = stalled();
    let mut caller = house.v1().await;
    for n in 0..50 {
        caller.call(&n.to_string(), "instant", "{}").await;
    }
    settle().await;
    house.goodbye.cancel();
    while house.engine.sessions().counts().1 > 0 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
