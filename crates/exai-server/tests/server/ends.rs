//! How connections end: the silent die, the closing is polite, and nothing is left behind.

use crate::house::{House, Plan, settle};
use exai_server::Settings;
use futures_util::StreamExt;
use std::time::Duration;
use tokio::{io::AsyncReadExt, time::Instant};

async fn until_gone(house: &House) -> Duration {
    let begin = Instant::now();
    while house.engine.sessions().counts().1 > 0 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    begin.elapsed()
}

#[tokio::test(start_paused = true)]
async fn r12_a_peer_that_answers_no_ping_is_given_up() {
    let house = House::new();
    // Nobody polls this socket, so nothing on it is answered.
    let mut silent = house.featured("a").await;
    let gone = until_gone(&house).await;
    assert!(
        gone >= Duration::from_secs(35) && gone < Duration::from_secs(38),
        "{gone:?}"
    );
    let mut bytes = Vec::new();
    silent
        .socket
        .get_mut()
        .read_to_end(&mut bytes)
        .await
        .unwrap();
    assert_eq!(
        bytes, *b"\x89\x00\x88\x09\x03\xf3no pong",
        "a ping, and a close with 1011"
    );
}

#[tokio::test(start_paused = true)]
async fn r12_a_peer_that_answers_lives_for_ever() {
    let house = House::new();
    let mut quiet = house.v1().await;
    assert_eq!(quiet.within(Duration::from_secs(3600)).await.len(), 0);
    assert_eq!(quiet.ask(r#"{"op":"ping"}"#).await["op"], "pong");
}

#[tokio::test(start_paused = true)]
async fn r12_any_frame_is_a_sign_of_life() {
    let house = House::new();
    // It writes and never reads: its pongs are never sent, its frames are.
    let mut writer = house.v1().await;
    for _ in 0..60 {
        writer.send(r#"{"op":"unknown"}"#).await;
        tokio::time::sleep(Duration::from_secs(8)).await;
    }
    assert_eq!(house.engine.sessions().counts(), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn r12_a_stuck_writer_keeps_no_dead_peer_alive() {
    let house = House::planned(Plan {
        pipe_bytes: 1024,
        ..Plan::default()
    });
    let mut dead = house.v1().await;
    dead.call("1", "act", r#"{"bytes":100000}"#).await;
    let gone = until_gone(&house).await;
    assert!(gone < Duration::from_secs(40), "{gone:?}");
}

#[tokio::test(start_paused = true)]
async fn pings_can_be_switched_off() {
    let settings = Settings {
        ping_interval: Duration::ZERO,
        ..Plan::default().settings
    };
    let house = House::planned(Plan {
        settings,
        ..Plan::default()
    });
    let _silent = house.v1().await;
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(house.engine.sessions().counts(), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn r25_goodbye_is_said_after_the_last_answer() {
    let house = House::new();
    let mut peer = house.featured("a").await;
    let half_open = house.stream().await;
    peer.call("1", "act", r#"{"ms":2000}"#).await;
    peer.until("call_tool_ack").await;
    house.closing.cancel();
    house
        .engine
        .drain(Instant::now() + Duration::from_secs(30))
        .await;
    house.goodbye.cancel();
    assert_eq!(peer.result("1").await["error"], serde_json::Value::Null);
    let (code, reason) = peer.closed().await.unwrap();
    assert_eq!(code, 1001);
    assert!(reason.contains("shutting down"), "{reason}");
    house.serving.await.unwrap();
    drop(half_open);
    assert_eq!(house.engine.sessions().counts(), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn r25_goodbye_waits_for_nobody_who_does_not_listen() {
    let house = House::planned(Plan {
        pipe_bytes: 1024,
        ..Plan::default()
    });
    let mut deaf = house.featured("a").await;
    deaf.call("1", "act", r#"{"bytes":1000000}"#).await;
    settle().await;
    let begin = Instant::now();
    house.closing.cancel();
    house.goodbye.cancel();
    house.serving.await.unwrap();
    assert!(
        begin.elapsed() <= Duration::from_secs(3),
        "{:?}",
        begin.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn while_closing_nobody_new_comes_in_and_who_is_in_is_served() {
    let house = House::new();
    let mut inside = house.v1().await;
    house.closing.cancel();
    settle().await;
    inside.call("1", "instant", "{}").await;
    assert_eq!(inside.result("1").await["text"], "{}");
    house.goodbye.cancel();
    assert_eq!(inside.closed().await.unwrap().0, 1001);
    house.serving.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_client_that_closes_is_closed_with() {
    let house = House::new();
    let mut peer = house.v1().await;
    peer.call("1", "act", r#"{"ms":60000}"#).await;
    peer.until("call_tool_ack").await;
    peer.socket.close(None).await.unwrap();
    while peer.socket.next().await.is_some() {}
    settle().await;
    assert_eq!(house.engine.sessions().counts(), (0, 0));
    assert_eq!(house.engine.live_calls(), 1, "its call goes on");
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_ours_ends_one_connection_and_nothing_else() {
    let house = House::new();
    let (mut unlucky, mut other) = (house.featured("a").await, house.featured("b").await);
    unlucky.call("1", "act", r#"{"ms":5000}"#).await;
    unlucky.until("call_tool_ack").await;
    house
        .keeper
        .ill
        .store(true, std::sync::atomic::Ordering::Relaxed);
    unlucky.send(r#"{"op":"health"}"#).await;
    assert_eq!(
        unlucky.closed().await,
        None,
        "the socket does not stay open, mute"
    );
    assert_eq!(house.engine.sessions().counts(), (1, 1));
    assert_eq!(other.ask(r#"{"op":"ping"}"#).await["op"], "pong");
    let mut back = house.featured("a").await;
    assert_eq!(
        back.ask(r#"{"op":"attach","request_id":"1"}"#).await["state"],
        "running"
    );
    assert_eq!(back.result("1").await["error"], serde_json::Value::Null);
}
