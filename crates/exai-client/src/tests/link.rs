//! The life of the link itself.

use super::peer::{Weather, World, ack, end, failure};
use crate::LinkState;
use exai_protocol::Code;
use serde_json::json;
use std::time::Duration;
use tokio::time::{Instant, advance, sleep};
use tokio_tungstenite::tungstenite::{
    Message,
    protocol::{CloseFrame, frame::coding::CloseCode},
};

#[tokio::test(start_paused = true)]
async fn r13_an_hour_without_a_daemon_is_survived_at_the_capped_pace() {
    let mut world = World::new(Weather::Refused);
    sleep(Duration::from_secs(3600)).await;
    let dials = world.dials();
    assert!((700..=830).contains(&dials), "{dials} attempts in an hour");
    let LinkState::Disconnected(outage) = world.client.link().borrow().clone() else {
        panic!("not disconnected");
    };
    assert!(outage.attempt >= 700);
    assert!(outage.cause.contains("refused"), "{}", outage.cause);

    world.weather(Weather::Accepting);
    let back = Instant::now();
    let mut peer = world.daemon("b").await;
    assert!(
        back.elapsed() <= Duration::from_millis(5600),
        "{:?}",
        back.elapsed()
    );
    let mut call = world.call("a", false).await;
    peer.expect("call_tool", "a").await;
    peer.finish("a").await;
    assert!(end(&mut call).await.error.is_none());
}

#[tokio::test(start_paused = true)]
async fn r13_a_changed_endpoint_record_is_tried_at_once() {
    let mut world = World::new(Weather::Refused);
    sleep(Duration::from_secs(600)).await;
    world.weather(Weather::Accepting);
    let start = Instant::now();
    world.hint();
    world.daemon("b").await;
    assert!(
        start.elapsed() <= Duration::from_millis(60),
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn r13_a_refused_token_is_not_hot_retried_and_is_explained() {
    let mut world = World::new(Weather::Accepting);
    let mut peer = world.accept().await;
    peer.send(json!({"op": "hello_ack", "ok": false, "error": "unauthorized"}))
        .await;
    world
        .link(|link| matches!(link, LinkState::Refused(_)))
        .await;
    let before = world.dials();
    sleep(Duration::from_secs(29)).await;
    assert_eq!(world.dials(), before, "hot retry");

    let mut call = world.call("a", false).await;
    let start = Instant::now();
    let (code, message) = failure(&mut call).await;
    assert_eq!(code, Code::Unavailable);
    assert!(message.contains("does not accept this token"), "{message}");
    assert!(
        start.elapsed() < Duration::from_millis(1),
        "a refusal is told at once"
    );

    world.hint();
    let mut peer = world.accept().await;
    peer.send(ack("b")).await;
    world.link(LinkState::is_ready).await;
}

#[tokio::test(start_paused = true)]
async fn r13_a_close_code_alone_is_understood() {
    let mut world = World::new(Weather::Accepting);
    let mut peer = world.accept().await;
    let close = CloseFrame {
        code: CloseCode::Library(4004),
        reason: "2.0 here".into(),
    };
    peer.socket.close(Some(close)).await.unwrap();
    let state = world
        .link(|link| matches!(link, LinkState::Refused(_)))
        .await;
    assert!(
        state.describe().contains("update the older"),
        "{}",
        state.describe()
    );
}

#[tokio::test(start_paused = true)]
async fn another_major_version_is_refused_by_us() {
    let mut world = World::new(Weather::Accepting);
    let mut peer = world.accept().await;
    let mut welcome = ack("b");
    welcome["protocol"] = json!("2.0");
    peer.send(welcome).await;
    let state = world
        .link(|link| matches!(link, LinkState::Refused(_)))
        .await;
    assert!(
        state.describe().contains("it speaks 2.0"),
        "{}",
        state.describe()
    );
}

#[tokio::test(start_paused = true)]
async fn a_missing_token_parks_until_something_changes() {
    let mut world = World::new(Weather::Misconfigured);
    world
        .link(|link| matches!(link, LinkState::Refused(_)))
        .await;
    let mut call = world.call("a", true).await;
    assert!(failure(&mut call).await.1.contains("token file is empty"));
    world.weather(Weather::Accepting);
    world.hint();
    world.daemon("b").await;
}

#[tokio::test(start_paused = true)]
async fn a_call_says_that_the_owner_stopped_the_daemon() {
    let world = World::new(Weather::Stopped);
    let mut call = world.call("a", true).await;
    let start = Instant::now();
    let (code, message) = failure(&mut call).await;
    assert_eq!(code, Code::Unavailable);
    assert!(
        message.contains("stopped by you; run exai-daemon start"),
        "{message}"
    );
    assert!(start.elapsed() <= Duration::from_secs(2));
}

#[tokio::test(start_paused = true)]
async fn a_restart_shorter_than_the_patience_is_not_noticed() {
    let mut world = World::new(Weather::Stopped);
    let mut call = world.call("a", false).await;
    sleep(Duration::from_millis(1500)).await;
    world.weather(Weather::Accepting);
    world.hint();
    let mut peer = world.daemon("b").await;
    peer.expect("call_tool", "a").await;
    peer.finish("a").await;
    assert!(end(&mut call).await.error.is_none());
}

#[tokio::test(start_paused = true)]
async fn r12_a_half_open_link_is_found_and_dialled_anew() {
    let mut world = World::new(Weather::Accepting);
    let peer = world.daemon("b").await;
    // The peer keeps its socket and never reads again: no pong.
    let start = Instant::now();
    world.link(|link| !link.is_ready()).await;
    let took = start.elapsed();
    assert!((34..=41).contains(&took.as_secs()), "{took:?}");
    drop(peer);
    world.daemon("b").await;
}

#[tokio::test(start_paused = true)]
async fn r12_a_jump_of_the_wall_clock_forces_a_round_trip() {
    let mut world = World::new(Weather::Accepting);
    let peer = world.daemon("b").await;
    sleep(Duration::from_secs(7)).await;
    world.jump_wall(Duration::from_secs(8 * 3600));
    let start = Instant::now();
    world.link(|link| !link.is_ready()).await;
    assert!(
        start.elapsed() <= Duration::from_secs(9),
        "{:?}",
        start.elapsed()
    );
    drop(peer);
    world.daemon("b").await;
}

#[tokio::test(start_paused = true)]
async fn r12_a_live_link_survives_the_jump() {
    let mut world = World::new(Weather::Accepting);
    let mut peer = world.daemon("b").await;
    world.jump_wall(Duration::from_secs(3600));
    peer.silent(Duration::from_secs(120)).await;
    assert!(world.client.link().borrow().is_ready());
}

#[tokio::test(start_paused = true)]
async fn a_daemon_that_dies_at_every_welcome_is_not_hammered() {
    let mut world = World::new(Weather::Accepting);
    let start = Instant::now();
    for boot in 0..20 {
        let peer = world.daemon(&boot.to_string()).await;
        drop(peer);
    }
    assert!(
        start.elapsed() > Duration::from_secs(40),
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn hello_says_who_we_are_and_later_introductions_count() {
    let mut world = World::new(Weather::Accepting);
    let peer = world.daemon("b").await;
    assert_eq!(peer.hello["client"]["id"], "me");
    assert_eq!(peer.hello["token"], "secret");
    assert_eq!(peer.hello["protocol"], "1.1");
    let editor = exai_protocol::hello::ClientInfo {
        name: "editor".to_owned(),
        ..exai_protocol::hello::ClientInfo::default()
    };
    world.client.introduce(editor).await;
    world.client.ping().await.err();
    drop(peer);
    let peer = world.daemon("b").await;
    assert_eq!(peer.hello["client"]["name"], "editor");
    assert_eq!(peer.hello["client"]["id"], "me");
}

#[tokio::test(start_paused = true)]
async fn garbage_from_the_daemon_breaks_nothing() {
    let mut world = World::new(Weather::Accepting);
    let mut peer = world.daemon("b").await;
    let mut call = world.call("a", false).await;
    peer.expect("call_tool", "a").await;
    for garbage in [
        "",
        "[]",
        "{}",
        "nul",
        r#"{"op":1}"#,
        r#"{"op":"progress"}"#,
        r#"{"op":"zzz"}"#,
    ] {
        peer.socket.feed_text(garbage).await;
    }
    peer.socket
        .feed_text(&format!("{}{}", "[".repeat(5000), "]".repeat(5000)))
        .await;
    peer.finish("a").await;
    assert!(end(&mut call).await.error.is_none());
    advance(Duration::from_secs(1)).await;
    assert!(world.client.link().borrow().is_ready());
}

trait FeedText {
    async fn feed_text(&mut self, text: &str);
}

impl FeedText for tokio_tungstenite::WebSocketStream<tokio::io::DuplexStream> {
    async fn feed_text(&mut self, text: &str) {
        futures_util::SinkExt::send(self, Message::text(text.to_owned()))
            .await
            .unwrap();
    }
}
