//! R9: a call can be let go of in every state it can be in.

use super::peer::{Weather, World, end, failure, first};
use crate::Detached;
use exai_protocol::{Code, control::CallState, error::Ran, request::CancelMode};
use serde_json::json;
use std::time::Duration;
use tokio::time::{Instant, sleep};

#[tokio::test(start_paused = true)]
async fn r09_before_it_was_sent() {
    let mut world = World::new(Weather::Refused);
    let mut call = world.call("a", false).await;
    call.cancel(CancelMode::Stop, "esc").await;
    let error = end(&mut call).await.error.unwrap();
    assert_eq!((error.code, error.ran), (Code::Cancelled, Some(Ran::No)));
    world.weather(Weather::Accepting);
    let mut peer = world.daemon("b").await;
    peer.silent(Duration::from_secs(60)).await;
}

#[tokio::test(start_paused = true)]
async fn r09_stopped_while_it_runs_the_daemon_has_the_last_word() {
    let mut world = World::new(Weather::Accepting);
    let mut peer = world.daemon("b").await;
    let mut call = world.call("a", false).await;
    peer.expect("call_tool", "a").await;
    call.cancel(CancelMode::Stop, "esc").await;
    let frame = peer.expect("cancel", "a").await;
    assert_eq!(
        (&frame["mode"], &frame["reason"]),
        (&json!("stop"), &json!("esc"))
    );
    peer.send(json!({"op": "cancel_res", "request_id": "a", "state": "running"}))
        .await;
    peer.send(json!({"op": "call_tool_res", "request_id": "a",
                     "error": {"code": "CANCELLED", "message": "stopped"}}))
        .await;
    assert_eq!(
        failure(&mut call).await,
        (Code::Cancelled, "stopped".to_owned())
    );
}

#[tokio::test(start_paused = true)]
async fn r09_a_stop_that_is_never_confirmed_ends_anyway() {
    let mut world = World::new(Weather::Accepting);
    let mut peer = world.daemon("b").await;
    let mut call = world.call("a", false).await;
    peer.expect("call_tool", "a").await;
    let start = Instant::now();
    call.cancel(CancelMode::Stop, "esc").await;
    assert_eq!(failure(&mut call).await.0, Code::Cancelled);
    assert_eq!(start.elapsed().as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn r09_detached_it_goes_on_without_us() {
    let mut world = World::new(Weather::Accepting);
    let mut peer = world.daemon("b").await;
    let mut call = world.call("a", false).await;
    peer.expect("call_tool", "a").await;
    call.cancel(CancelMode::Detach, "request timeout").await;
    assert_eq!(failure(&mut call).await.0, Code::Cancelled);
    assert_eq!(peer.expect("cancel", "a").await["mode"], "detach");
    peer.finish("a").await;
    assert!(call.next().await.is_none(), "no late answer");
}

#[tokio::test(start_paused = true)]
async fn r09_dropping_the_stream_detaches() {
    let mut world = World::new(Weather::Accepting);
    let mut peer = world.daemon("b").await;
    let call = world.call("a", false).await;
    peer.expect("call_tool", "a").await;
    drop(call);
    assert_eq!(peer.expect("cancel", "a").await["mode"], "detach");
}

#[tokio::test(start_paused = true)]
async fn r09_a_stop_while_the_link_is_down_is_owed_to_the_same_daemon_only() {
    let mut world = World::new(Weather::Accepting);
    for (boot, owed) in [("b1", true), ("b2", false)] {
        let mut peer = world.daemon("b1").await;
        let mut call = world.call("a", false).await;
        peer.expect("call_tool", "a").await;
        world.weather(Weather::Refused);
        drop(peer);
        world.link(|link| !link.is_ready()).await;
        call.cancel(CancelMode::Stop, "esc").await;
        assert_eq!(failure(&mut call).await.0, Code::Cancelled);
        world.weather(Weather::Accepting);
        let mut peer = world.daemon(boot).await;
        if owed {
            assert_eq!(peer.expect("cancel", "a").await["mode"], "stop");
        } else {
            peer.silent(Duration::from_secs(10)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn r09_finished_and_unknown() {
    let mut world = World::new(Weather::Accepting);
    let mut peer = world.daemon("b").await;
    let mut call = world.call("a", false).await;
    peer.expect("call_tool", "a").await;
    peer.finish("a").await;
    first(&mut call).await;
    call.cancel(CancelMode::Stop, "too late").await;
    assert!(call.next().await.is_none());
    peer.silent(Duration::from_secs(5)).await;

    let id = "nobody".into();
    let (reply, ()) = tokio::join!(world.client.cancel(&id, CancelMode::Stop, "x"), async {
        peer.expect("cancel", "nobody").await;
        peer.send(json!({"op": "cancel_res", "request_id": "nobody", "state": "unknown"}))
            .await;
    });
    assert_eq!(reply.unwrap().state, CallState::Unknown);
}

#[tokio::test(start_paused = true)]
async fn r09_a_stop_that_crosses_a_break_reaches_the_daemon_again() {
    let mut world = World::new(Weather::Accepting);
    let mut peer = world.daemon("b").await;
    let mut call = world.call("a", false).await;
    peer.expect("call_tool", "a").await;
    call.cancel(CancelMode::Stop, "esc").await;
    sleep(Duration::from_millis(1)).await;
    drop(peer);
    assert_eq!(failure(&mut call).await.0, Code::Cancelled);
    let mut peer = world.daemon("b").await;
    assert_eq!(peer.expect("cancel", "a").await["mode"], "stop");
}

/// A daemon that dies with the frame unread: who was told that the work goes on is not lied to.
#[tokio::test(start_paused = true)]
async fn r14_left_before_it_was_heard_of_it_still_reaches_the_next_daemon() {
    let mut world = World::new(Weather::Accepting);
    let mut peer = world.journaling_daemon("b1").await;
    let call = world.call("a", false).await;
    peer.expect("call_tool", "a").await;
    world.weather(Weather::Refused);
    drop(peer);
    world.link(|link| !link.is_ready()).await;
    assert!(matches!(call.detach("time-out").await, Detached::Left));
    world.weather(Weather::Accepting);
    let mut peer = world.journaling_daemon("b2").await;
    peer.knows_none(1).await;
    peer.expect("call_tool", "a").await;
    peer.acknowledge("a").await;
    assert_eq!(peer.expect("cancel", "a").await["mode"], "detach");
    peer.silent(Duration::from_secs(600)).await;
}

/// The same where it is asked for before it has arrived anywhere.
#[tokio::test(start_paused = true)]
async fn r14_left_and_taken_up_again_before_it_was_heard_of() {
    for link_is_up in [false, true] {
        let mut world = World::new(Weather::Accepting);
        let mut peer = world.journaling_daemon("b1").await;
        let call = world.call("a", false).await;
        peer.expect("call_tool", "a").await;
        let handle = world.client.handle(call.id());
        if link_is_up {
            assert!(matches!(call.detach("time-out").await, Detached::Left));
            peer.expect("cancel", "a").await;
        } else {
            drop(peer);
            assert!(matches!(call.detach("time-out").await, Detached::Left));
            peer = world.journaling_daemon("b2").await;
        }
        let mut again = world.client.attach(&handle).await;
        peer.knows_none(1).await;
        peer.expect("call_tool", "a").await;
        peer.finish("a").await;
        assert!(end(&mut again).await.error.is_none());
    }
}

/// Whoever has it hears that it was left, before an equal call comes: that one joins it.
#[tokio::test(start_paused = true)]
async fn r14_left_while_the_link_is_down_is_told_before_anything_else_is_asked() {
    for boot in ["b1", "b2"] {
        let mut world = World::new(Weather::Accepting);
        let mut peer = world.journaling_daemon("b1").await;
        let mut call = world.call("a", false).await;
        peer.expect("call_tool", "a").await;
        peer.acknowledge("a").await;
        first(&mut call).await;
        world.weather(Weather::Refused);
        drop(peer);
        world.link(|link| !link.is_ready()).await;
        assert!(matches!(call.detach("time-out").await, Detached::Left));
        let _equal = world.call("b", false).await;
        world.weather(Weather::Accepting);
        let mut peer = world.journaling_daemon(boot).await;
        assert_eq!(peer.expect("cancel", "a").await["mode"], "detach");
        peer.expect("call_tool", "b").await;
    }
}

/// One that was heard of needs nobody: the daemon has it.
#[tokio::test(start_paused = true)]
async fn r14_left_with_a_daemon_that_has_it_nothing_is_owed() {
    let mut world = World::new(Weather::Accepting);
    let mut peer = world.journaling_daemon("b1").await;
    let mut call = world.call("a", false).await;
    peer.expect("call_tool", "a").await;
    peer.acknowledge("a").await;
    first(&mut call).await;
    assert!(matches!(call.detach("time-out").await, Detached::Left));
    peer.expect("cancel", "a").await;
    let heard = json!({"op": "cancel_res", "request_id": "a", "state": "running"});
    peer.send(heard).await;
    peer.silent(Duration::from_secs(1)).await;
    drop(peer);
    let mut peer = world.journaling_daemon("b2").await;
    peer.silent(Duration::from_secs(60)).await;
}

/// A daemon that stands still, or dies, has not read the word; an equal call on the next link
/// would be there first.
#[tokio::test(start_paused = true)]
async fn r14_a_word_that_no_daemon_said_it_heard_is_said_on_the_next_link() {
    let mut world = World::new(Weather::Accepting);
    let mut peer = world.journaling_daemon("b1").await;
    let mut call = world.call("a", false).await;
    peer.expect("call_tool", "a").await;
    peer.acknowledge("a").await;
    first(&mut call).await;
    assert!(matches!(call.detach("time-out").await, Detached::Left));
    peer.expect("cancel", "a").await;
    let _again = world.call("again", false).await;
    peer.expect("call_tool", "again").await;
    drop(peer);
    let mut peer = world.journaling_daemon("b1").await;
    assert_eq!(peer.expect("cancel", "a").await["mode"], "detach");
    peer.is_asked_and_has_none("again", None).await;
    peer.expect("call_tool", "again").await;
}

#[tokio::test(start_paused = true)]
async fn r09_left_and_then_stopped_it_is_sent_to_nobody() {
    let mut world = World::new(Weather::Accepting);
    let mut peer = world.journaling_daemon("b1").await;
    let call = world.call("a", false).await;
    peer.expect("call_tool", "a").await;
    let handle = world.client.handle(call.id());
    drop(peer);
    assert!(matches!(call.detach("time-out").await, Detached::Left));
    let client = world.client.clone();
    let daemon = async {
        let mut peer = world.journaling_daemon("b2").await;
        assert_eq!(peer.expect("cancel", "a").await["mode"], "stop");
        let state = json!({"op": "cancel_res", "request_id": "a", "state": "unknown"});
        peer.send(state).await;
        peer.silent(Duration::from_secs(60)).await;
    };
    let (stopped, ()) = tokio::join!(client.stop(&handle, "esc"), daemon);
    assert_eq!(stopped.unwrap().state, CallState::Unknown);
}

/// A model that starts the work again, while the first is still looking for a daemon: whoever
/// has the first hears that it was left before the second comes.
#[tokio::test(start_paused = true)]
async fn r14_left_and_made_again_before_it_was_heard_of_it_runs_once() {
    for boot in ["b1", "b2"] {
        let mut world = World::new(Weather::Accepting);
        let mut peer = world.journaling_daemon("b1").await;
        let call = world.call("a", false).await;
        peer.expect("call_tool", "a").await;
        world.weather(Weather::Refused);
        drop(peer);
        world.link(|link| !link.is_ready()).await;
        assert!(matches!(call.detach("time-out").await, Detached::Left));
        let mut again = world.call("b", false).await;
        world.weather(Weather::Accepting);
        let mut peer = world.journaling_daemon(boot).await;
        assert_eq!(peer.expect("cancel", "a").await["mode"], "detach");
        peer.expect("call_tool", "b").await;
        peer.finish("b").await;
        assert!(end(&mut again).await.error.is_none());
        peer.silent(Duration::from_secs(600)).await;
    }
}

/// The same once the first is being asked about.
#[tokio::test(start_paused = true)]
async fn r14_left_and_made_again_while_it_is_asked_for_it_runs_once() {
    let mut world = World::new(Weather::Accepting);
    let mut peer = world.journaling_daemon("b1").await;
    let call = world.call("a", false).await;
    peer.expect("call_tool", "a").await;
    world.weather(Weather::Refused);
    drop(peer);
    world.link(|link| !link.is_ready()).await;
    assert!(matches!(call.detach("time-out").await, Detached::Left));
    world.weather(Weather::Accepting);
    let mut peer = world.journaling_daemon("b1").await;
    peer.expect("attach", "a").await;
    let mut again = world.call("b", false).await;
    assert_eq!(peer.expect("cancel", "a").await["mode"], "detach");
    peer.expect("call_tool", "b").await;
    peer.finish("b").await;
    assert!(end(&mut again).await.error.is_none());
}
