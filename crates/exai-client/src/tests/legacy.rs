//! A daemon of the predecessor: no ids on lists, no attach, and sockets that fall silent.

use super::peer::{Peer, Weather, World, end, failure, first};
use crate::CallEvent;
use exai_protocol::Code;
use serde_json::json;
use std::time::Duration;
use tokio::time::Instant;

async fn predecessor(world: &mut World) -> Peer {
    let mut peer = world.accept().await;
    peer.send(json!({"op": "hello_ack", "ok": true, "session_id": "904d460b"}))
        .await;
    let session = world.client.ready(Duration::from_secs(1)).await.unwrap();
    assert!(session.is_legacy());
    peer
}

#[tokio::test(start_paused = true)]
async fn lists_without_ids_are_asked_one_at_a_time() {
    let mut world = World::new(Weather::Accepting);
    let mut peer = predecessor(&mut world).await;
    let client = world.client.clone();
    let (one, two, health, ()) = tokio::join!(
        client.list_tools(),
        client.list_tools(),
        client.health_raw(),
        async {
            assert_eq!(peer.read().await["op"], "list_tools");
            assert_eq!(peer.read().await["op"], "health");
            peer.silent(Duration::from_millis(100)).await;
            peer.send(json!({"op": "health_res", "ok": true, "health": {"t": 1}}))
                .await;
            peer.send(json!({"op": "list_tools_res", "tools": [1]}))
                .await;
            assert_eq!(peer.read().await["op"], "list_tools");
            peer.send(json!({"op": "list_tools_res", "tools": [2]}))
                .await;
        }
    );
    assert_eq!(
        (one.unwrap().tools.get(), two.unwrap().tools.get()),
        ("[1]", "[2]")
    );
    assert_eq!(health.unwrap().get(), r#"{"t":1}"#);
}

#[tokio::test(start_paused = true)]
async fn the_reference_exchange_works() {
    let mut world = World::new(Weather::Accepting);
    let mut peer = predecessor(&mut world).await;
    let mut call = world.call("6194", false).await;
    peer.expect("call_tool", "6194").await;
    let note = "accepted, awaiting provider/session capacity";
    peer.send(json!({"op": "progress", "request_id": "6194", "name": "n", "t": 1.0, "note": note}))
        .await;
    assert!(matches!(first(&mut call).await, CallEvent::Progress(_)));
    peer.send(
        json!({"op": "call_tool_ack", "request_id": "6194", "accepted": true,
                     "timeout": 240, "name": "n"}),
    )
    .await;
    assert!(matches!(
        first(&mut call).await,
        CallEvent::Acknowledged { .. }
    ));
    peer.send(
        json!({"op": "call_tool_res", "request_id": "6194", "text": "hi",
                     "outputs": [{"type": "text", "text": "hi"}]}),
    )
    .await;
    assert!(end(&mut call).await.error.is_none());
}

#[tokio::test(start_paused = true)]
async fn p01_a_socket_that_falls_silent_during_a_call_is_abandoned() {
    let mut world = World::new(Weather::Accepting);
    let mut peer = predecessor(&mut world).await;
    let mut call = world.call("a", false).await;
    peer.expect("call_tool", "a").await;
    let start = Instant::now();
    // It still answers pings, as the predecessor's zombies did.
    peer.silent(Duration::from_secs(3600)).await;
    assert!(
        start.elapsed() <= Duration::from_secs(36),
        "{:?}",
        start.elapsed()
    );
    let _peer = predecessor(&mut world).await;
    assert_eq!(failure(&mut call).await.0, Code::OutcomeUnknown);
}
