//! Requests with one reply, events and news.

use super::peer::{Weather, World};
use crate::{EventItem, News, RequestError};
use exai_protocol::request::Subscribe;
use serde_json::json;
use std::time::Duration;
use tokio::time::Instant;

#[tokio::test(start_paused = true)]
async fn p05_replies_find_their_askers_in_any_order() {
    let mut world = World::new(Weather::Accepting);
    let mut peer = world.daemon("b").await;
    let client = world.client.clone();
    let (one, two, ()) = tokio::join!(client.ping(), client.ping(), async {
        let first = peer.read().await["request_id"].clone();
        let second = peer.read().await["request_id"].clone();
        peer.send(json!({"op": "pong", "request_id": second, "t": 2.0}))
            .await;
        peer.send(json!({"op": "pong", "request_id": first, "t": 1.0}))
            .await;
    });
    assert_eq!((one.unwrap().t, two.unwrap().t), (1.0, 2.0));
}

#[tokio::test(start_paused = true)]
async fn a_list_crosses_a_broken_link_and_a_notification_does_not() {
    let mut world = World::new(Weather::Accepting);
    let mut peer = world.daemon("b").await;
    let client = world.client.clone();
    let (list, note, ()) = tokio::join!(
        client.list_tools(),
        client.notify(None, "info", "hi"),
        async {
            peer.read().await;
            peer.read().await;
            drop(peer);
            let mut peer = world.daemon("b").await;
            let frame = peer.read().await;
            assert_eq!(frame["op"], "list_tools");
            peer.send(
                json!({"op": "list_tools_res", "request_id": frame["request_id"],
                             "tools": [], "tools_hash": "h"}),
            )
            .await;
            peer.silent(Duration::from_secs(1)).await;
        }
    );
    assert_eq!(list.unwrap().tools.get(), "[]");
    assert!(matches!(note, Err(RequestError::Interrupted(_))));
}

#[tokio::test(start_paused = true)]
async fn requests_wait_a_bounded_time() {
    let mut world = World::new(Weather::Refused);
    let start = Instant::now();
    assert!(matches!(
        world.client.health().await,
        Err(RequestError::Unavailable(_))
    ));
    assert_eq!(start.elapsed().as_secs(), 10);
    world.weather(Weather::Accepting);
    let _peer = world.daemon("b").await;
    let start = Instant::now();
    assert!(matches!(
        world.client.health().await,
        Err(RequestError::TimedOut(_))
    ));
    assert_eq!(start.elapsed().as_secs(), 20);
}

#[tokio::test(start_paused = true)]
async fn an_error_frame_answers_the_one_it_names() {
    let mut world = World::new(Weather::Accepting);
    let mut peer = world.daemon("b").await;
    let (reply, ()) = tokio::join!(world.client.mcp("prompts/list", None), async {
        let frame = peer.read().await;
        assert_eq!(frame["method"], "prompts/list");
        peer.send(json!({"op": "error", "message": "stray"})).await;
        peer.send(json!({"op": "error", "message": "no", "request_id": frame["request_id"]}))
            .await;
    });
    let Err(RequestError::Refused(message)) = reply else {
        panic!("not refused")
    };
    assert_eq!(message, "no");
}

#[tokio::test(start_paused = true)]
async fn pages_of_a_result_are_put_together() {
    let mut world = World::new(Weather::Accepting);
    let mut peer = world.daemon("b").await;
    let client = world.client.clone();
    let id = world.client.handle(&"big".into());
    let (collected, ()) = tokio::join!(client.collect(&id, 100), async {
        for (offset, chunk, eof) in [(0, "[\"ab", false), (4, "cd\"]", true)] {
            assert_eq!(peer.expect("collect", "big").await["offset"], offset);
            peer.send(
                json!({"op": "collect_res", "request_id": "big", "state": "finished",
                             "offset": offset, "total_bytes": 8, "chunk": chunk, "eof": eof}),
            )
            .await;
        }
    });
    assert_eq!(collected.unwrap().outputs, r#"["abcd"]"#);
    let (refused, ()) = tokio::join!(client.collect(&id, 7), async {
        peer.expect("collect", "big").await;
        peer.send(
            json!({"op": "collect_res", "request_id": "big", "state": "finished",
                         "offset": 0, "total_bytes": 8, "chunk": "[", "eof": false}),
        )
        .await;
    });
    assert!(matches!(refused, Err(RequestError::TooLarge(_))));
}

#[tokio::test(start_paused = true)]
async fn events_go_on_where_they_ended() {
    let mut world = World::new(Weather::Accepting);
    let mut peer = world.daemon("b").await;
    let wanted = Subscribe {
        topics: vec!["system_metrics".to_owned()],
        ..Subscribe::default()
    };
    let mut events = world.client.subscribe(wanted).await.unwrap();
    let frame = peer.read().await;
    assert_eq!(
        (&frame["op"], &frame["topics"]),
        (&json!("subscribe"), &json!(["system_metrics"]))
    );
    assert!(frame.get("since").is_none());
    let id = frame["request_id"].clone();
    peer.send(
        json!({"op": "subscribe_res", "request_id": id, "seq": 7, "boot_id": "b",
                     "resync_required": false}),
    )
    .await;
    assert!(matches!(
        events.next().await,
        Some(EventItem::Subscribed(_))
    ));
    let metrics = json!({"cpu_percent": null, "memory_bytes": null, "connections": 1,
                         "in_flight": 0, "queued": 0, "loop_lag_ms": null});
    peer.send(
        json!({"op": "event", "seq": 9, "t": 1.0, "topic": "system_metrics",
                     "data": {"system_metrics": metrics}}),
    )
    .await;
    let Some(EventItem::Event(event)) = events.next().await else {
        panic!("no event")
    };
    assert_eq!(event.seq, 9);
    drop(peer);
    let mut peer = world.daemon("b").await;
    let frame = peer.read().await;
    assert_eq!(
        (&frame["since"], &frame["boot_id"]),
        (&json!(9), &json!("b"))
    );
}

#[tokio::test(start_paused = true)]
async fn news_reaches_every_listener() {
    let mut world = World::new(Weather::Accepting);
    let mut peer = world.daemon("b").await;
    let (mut one, mut two) = (world.client.news(), world.client.news());
    peer.send(json!({"op": "tools_changed", "tools_hash": "new"}))
        .await;
    for news in [&mut one, &mut two] {
        let Ok(News::ToolsChanged(changed)) = news.recv().await else {
            panic!("no news")
        };
        assert_eq!(changed.tools_hash, "new");
    }
}

#[tokio::test(start_paused = true)]
async fn attaching_to_a_call_of_another_process() {
    let mut world = World::new(Weather::Accepting);
    let mut peer = world.daemon("b").await;
    let mut known = world
        .client
        .attach(&world.client.handle(&"known".into()))
        .await;
    peer.expect("attach", "known").await;
    peer.attach_state("known", "finished").await;
    peer.finish("known").await;
    assert!(super::peer::end(&mut known).await.error.is_none());
    let mut unknown = world
        .client
        .attach(&world.client.handle(&"unknown".into()))
        .await;
    peer.expect("attach", "unknown").await;
    peer.attach_state("unknown", "unknown").await;
    let (code, message) = super::peer::failure(&mut unknown).await;
    assert_eq!(code, exai_protocol::Code::Expired);
    assert!(message.contains("knows no call"), "{message}");
}
