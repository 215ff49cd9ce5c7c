//! Calls, and what becomes of them when daemons come and go.

use super::peer::{Weather, World, end, failure, first, spec};
use crate::{CallEvent, CallSpec};
use exai_protocol::{Code, RawValue, error::Ran};
use serde_json::json;
use std::time::Duration;
use tokio::time::{Instant, sleep};

#[tokio::test(start_paused = true)]
async fn a_call_runs_and_its_arguments_are_the_callers_bytes() {
    let mut world = World::new(Weather::Accepting);
    let mut peer = world.daemon("b").await;
    let mut call = world
        .client
        .call(CallSpec {
            timeout_ms: Some(5000),
            roots: Some(vec!["/w".to_owned()]),
            ..spec("a", false)
        })
        .await;
    let frame = peer.expect("call_tool", "a").await;
    assert_eq!(
        frame["arguments"].to_string(),
        r#"{"a":1.00}"#.replace("1.00", "1.0")
    );
    assert_eq!(
        (&frame["timeout_ms"], &frame["roots"]),
        (&json!(5000), &json!(["/w"]))
    );
    peer.acknowledge("a").await;
    let CallEvent::Acknowledged { timeout } = first(&mut call).await else {
        panic!("no ack")
    };
    assert_eq!(timeout, Duration::from_secs(600));
    peer.progress("a", "running").await;
    assert!(matches!(first(&mut call).await, CallEvent::Progress(_)));
    peer.send(json!({"op": "partial", "request_id": "a", "text": "do"}))
        .await;
    peer.send(json!({"op": "partial", "request_id": "a", "text": "ne"}))
        .await;
    peer.finish("a").await;
    sleep(Duration::from_millis(1)).await;
    let CallEvent::Partial(text) = first(&mut call).await else {
        panic!("no text")
    };
    assert_eq!(text, "done");
    assert_eq!(
        end(&mut call).await.outputs.unwrap().get(),
        r#"[{"text":"done","type":"text"}]"#.replace(
            r#""text":"done","type":"text""#,
            r#""type":"text","text":"done""#
        )
    );
}

#[tokio::test(start_paused = true)]
async fn p22_a_call_without_a_daemon_waits_a_bounded_time_and_says_why() {
    let world = World::new(Weather::Refused);
    let start = Instant::now();
    let mut call = world.call("a", true).await;
    let result = end(&mut call).await;
    assert_eq!(start.elapsed().as_secs(), 10);
    let error = result.error.unwrap();
    assert_eq!((error.code, error.ran), (Code::Unavailable, Some(Ran::No)));
    for part in ["attempt", "refused", "exai-daemon start", "was not run"] {
        assert!(error.message.contains(part), "{part}: {}", error.message);
    }
}

#[tokio::test(start_paused = true)]
async fn the_callers_own_budget_ends_the_wait_earlier() {
    let world = World::new(Weather::Refused);
    let start = Instant::now();
    let mut call = world
        .client
        .call(CallSpec {
            timeout_ms: Some(700),
            ..spec("a", true)
        })
        .await;
    assert_eq!(failure(&mut call).await.0, Code::Unavailable);
    assert_eq!(start.elapsed().as_millis(), 700);
}

#[tokio::test(start_paused = true)]
async fn p05_the_same_daemon_is_asked_and_goes_on() {
    let mut world = World::new(Weather::Accepting);
    let mut peer = world.daemon("b").await;
    let mut call = world.call("a", false).await;
    peer.expect("call_tool", "a").await;
    peer.acknowledge("a").await;
    first(&mut call).await;
    drop(peer);
    let mut peer = world.daemon("b").await;
    peer.expect("attach", "a").await;
    peer.attach_state("a", "running").await;
    peer.progress("a", "running").await;
    assert!(matches!(first(&mut call).await, CallEvent::Progress(_)));
    peer.finish("a").await;
    assert!(end(&mut call).await.error.is_none());
}

#[tokio::test(start_paused = true)]
async fn p05_a_call_the_same_daemon_never_saw_is_sent_again() {
    let mut world = World::new(Weather::Accepting);
    let mut peer = world.daemon("b").await;
    let mut call = world.call("a", false).await;
    peer.expect("call_tool", "a").await;
    drop(peer);
    let mut peer = world.daemon("b").await;
    peer.expect("attach", "a").await;
    peer.attach_state("a", "unknown").await;
    peer.expect("call_tool", "a").await;
    peer.finish("a").await;
    assert!(end(&mut call).await.error.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_result_that_is_gone_is_expired_and_not_run_again() {
    let mut world = World::new(Weather::Accepting);
    let mut peer = world.daemon("b").await;
    let mut call = world.call("a", true).await;
    peer.expect("call_tool", "a").await;
    drop(peer);
    let mut peer = world.daemon("b").await;
    peer.expect("attach", "a").await;
    peer.attach_state("a", "expired").await;
    assert_eq!(failure(&mut call).await.0, Code::Expired);
    peer.silent(Duration::from_secs(60)).await;
}

#[tokio::test(start_paused = true)]
async fn r02_another_daemon_gets_repeatable_calls_again_and_no_others() {
    let mut world = World::new(Weather::Accepting);
    let mut peer = world.daemon("b1").await;
    let mut safe = world.call("safe", true).await;
    peer.expect("call_tool", "safe").await;
    for id in ["sent", "acknowledged", "started"] {
        let mut call = world.call(id, false).await;
        peer.expect("call_tool", id).await;
        if id != "sent" {
            peer.acknowledge(id).await;
            first(&mut call).await;
        }
        if id == "started" {
            peer.progress(id, "running").await;
            first(&mut call).await;
        }
        let phrase = match id {
            "sent" => "not known whether it was received",
            "acknowledged" => "was acknowledged",
            _ => "was started",
        };
        drop(peer);
        peer = world.daemon(&format!("after-{id}")).await;
        peer.knows_none(2).await;
        peer.expect("call_tool", "safe").await;
        let error = end(&mut call).await.error.unwrap();
        assert_eq!(
            (error.code, error.ran),
            (Code::OutcomeUnknown, Some(Ran::Unknown))
        );
        assert!(error.message.contains(phrase), "{id}: {}", error.message);
        assert!(
            error.message.contains("Check its effects"),
            "{}",
            error.message
        );
    }
    peer.finish("safe").await;
    assert!(end(&mut safe).await.error.is_none());
}

#[tokio::test(start_paused = true)]
async fn r02_a_new_daemon_that_knows_the_call_is_asked_first() {
    let mut world = World::new(Weather::Accepting);
    let mut peer = world.daemon("b1").await;
    let mut calls = Vec::new();
    for id in ["done", "goes on", "gone"] {
        calls.push(world.call(id, false).await);
        peer.expect("call_tool", id).await;
    }
    drop(peer);
    let mut peer = world.daemon("b2").await;
    for _ in 0..3 {
        let asked = peer.read().await;
        assert_eq!(asked["op"], "attach", "{asked}");
        let id = asked["request_id"].as_str().unwrap().to_owned();
        let state = match id.as_str() {
            "done" => "finished",
            "goes on" => "queued",
            _ => "expired",
        };
        peer.attach_state(&id, state).await;
        if id != "gone" {
            peer.finish(&id).await;
        }
    }
    let (code, _) = failure(&mut calls.pop().unwrap()).await;
    assert_eq!(code, Code::Expired);
    for mut call in calls {
        assert!(end(&mut call).await.error.is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn r02_what_no_journal_has_was_never_accepted_and_goes_to_the_next_daemon() {
    let mut world = World::new(Weather::Accepting);
    let mut peer = world.journaling_daemon("b1").await;
    let mut sent = world.call("sent", false).await;
    peer.expect("call_tool", "sent").await;
    drop(peer);
    let mut peer = world.journaling_daemon("b2").await;
    peer.knows_none(1).await;
    peer.expect("call_tool", "sent").await;
    // It was accepted, and the next journal has lost it: nobody knows.
    peer.acknowledge("sent").await;
    first(&mut sent).await;
    drop(peer);
    let mut peer = world.journaling_daemon("b3").await;
    peer.knows_none(1).await;
    let (code, _) = failure(&mut sent).await;
    assert_eq!(code, Code::OutcomeUnknown);
}

/// A damaged journal is begun anew: what only the first had may have been accepted, and what the
/// second would have was not.
#[tokio::test(start_paused = true)]
async fn r02_only_the_journal_that_would_have_a_call_proves_that_it_was_never_accepted() {
    let mut world = World::new(Weather::Accepting);
    let mut peer = world.daemon_with_journal("b1", "one").await;
    let mut first = world.call("first", false).await;
    peer.expect("call_tool", "first").await;
    drop(peer);
    let mut peer = world.daemon_with_journal("b2", "two").await;
    let mut second = world.call("second", false).await;
    peer.is_asked_and_has_none("first", Some("two")).await;
    let (code, _) = failure(&mut first).await;
    assert_eq!(code, Code::OutcomeUnknown);
    peer.expect("call_tool", "second").await;
    drop(peer);
    let mut peer = world.daemon_with_journal("b3", "two").await;
    peer.is_asked_and_has_none("second", Some("two")).await;
    peer.expect("call_tool", "second").await;
    drop(peer);
    // It was begun anew since the welcome, or cannot be read: no word is no proof.
    let mut peer = world.daemon_with_journal("b4", "two").await;
    peer.is_asked_and_has_none("second", None).await;
    let (code, _) = failure(&mut second).await;
    assert_eq!(code, Code::OutcomeUnknown);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_kills_its_daemons_is_not_sent_for_ever() {
    let mut world = World::new(Weather::Accepting);
    let mut call = world.call("a", true).await;
    for boot in 0..4 {
        let mut peer = world.daemon(&boot.to_string()).await;
        peer.knows_none(usize::from(boot > 0)).await;
        peer.expect("call_tool", "a").await;
    }
    let mut peer = world.daemon("last").await;
    peer.knows_none(1).await;
    let (code, message) = failure(&mut call).await;
    assert_eq!(code, Code::OutcomeUnknown);
    assert!(message.contains("went away 4 times"), "{message}");
    peer.silent(Duration::from_secs(5)).await;
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_call_waits_a_bounded_time_for_the_link() {
    let mut world = World::new(Weather::Accepting);
    let mut peer = world.daemon("b").await;
    let mut call = world.call("a", false).await;
    peer.expect("call_tool", "a").await;
    world.weather(Weather::Refused);
    drop(peer);
    let start = Instant::now();
    let (code, message) = failure(&mut call).await;
    assert_eq!(start.elapsed().as_secs(), 45);
    assert_eq!(code, Code::OutcomeUnknown);
    assert!(message.contains("not reachable (attempt"), "{message}");
}

#[tokio::test(start_paused = true)]
async fn a_draining_daemons_refusal_is_ridden_out() {
    let mut world = World::new(Weather::Accepting);
    let mut peer = world.daemon("b1").await;
    let mut call = world.call("a", false).await;
    peer.expect("call_tool", "a").await;
    let refusal = json!({"op": "call_tool_res", "request_id": "a", "error": {
        "code": "SHUTTING_DOWN", "message": "draining", "retry_after": 5, "ran": "no"}});
    peer.send(refusal.clone()).await;
    sleep(Duration::from_secs(3)).await;
    drop(peer);
    let mut peer = world.daemon("b2").await;
    peer.expect("call_tool", "a").await;
    peer.finish("a").await;
    assert!(end(&mut call).await.error.is_none());

    let mut call = world.call("c", false).await;
    peer.expect("call_tool", "c").await;
    let mut refusal = refusal;
    refusal["request_id"] = json!("c");
    peer.send(refusal).await;
    let start = Instant::now();
    assert_eq!(failure(&mut call).await.0, Code::ShuttingDown);
    assert_eq!(start.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn r25_a_refusal_of_a_daemon_its_owner_stopped_says_whose_will_it_was() {
    let mut world = World::new(Weather::Accepting);
    let mut peer = world.daemon("b1").await;
    let mut call = world.call("a", false).await;
    peer.expect("call_tool", "a").await;
    world.weather(Weather::Stopped);
    peer.send(json!({"op": "call_tool_res", "request_id": "a", "error": {
        "code": "SHUTTING_DOWN", "message": "draining", "retry_after": 5, "ran": "no"}}))
        .await;
    let start = Instant::now();
    let (code, message) = failure(&mut call).await;
    assert_eq!(code, Code::Unavailable);
    assert!(message.contains("stopped by you"), "{message}");
    assert_eq!(start.elapsed().as_secs(), 2, "long enough for a restart");
}

#[tokio::test(start_paused = true)]
async fn r25_what_crossed_with_a_farewell_was_never_taken_and_goes_to_the_next_daemon() {
    let mut world = World::new(Weather::Accepting);
    let mut peer = world.daemon("one").await;
    let mut crossed = world.call("crossed", false).await;
    let mut begun = world.call("begun", false).await;
    for id in ["crossed", "begun"] {
        peer.expect("call_tool", id).await;
    }
    peer.acknowledge("begun").await;
    peer.farewell().await;
    let mut peer = world.daemon("two").await;
    // One is sent, one is asked for; which comes first is all the same.
    for _ in 0..2 {
        let frame = peer.read().await;
        let id = frame["request_id"].as_str().unwrap();
        match frame["op"].as_str() {
            Some("attach") => {
                assert_eq!(id, "begun");
                peer.attach_state(id, "unknown").await;
            }
            _ => assert_eq!((&frame["op"], id), (&json!("call_tool"), "crossed")),
        }
    }
    peer.finish("crossed").await;
    assert!(end(&mut crossed).await.error.is_none());
    let (code, _) = failure(&mut begun).await;
    assert_eq!(code, Code::OutcomeUnknown);
    peer.silent(Duration::from_secs(60)).await;
}

#[tokio::test(start_paused = true)]
async fn p23_a_frame_over_the_limit_does_not_leave() {
    let mut world = World::with(Weather::Accepting, |config| config.max_frame_bytes = 10_000);
    let mut peer = world.daemon("b").await;
    let big = format!(r#"{{"text":"{}"}}"#, "x".repeat(10_000));
    let arguments = Some(RawValue::from_string(big).unwrap());
    let mut call = world
        .client
        .call(CallSpec {
            arguments,
            ..spec("big", false)
        })
        .await;
    let (code, message) = failure(&mut call).await;
    assert_eq!(code, Code::TooLarge);
    assert!(
        message.contains("10000") && message.contains("file path"),
        "{message}"
    );
    let mut call = world.call("small", false).await;
    peer.expect("call_tool", "small").await;
    peer.finish("small").await;
    assert!(end(&mut call).await.error.is_none());
}

#[tokio::test(start_paused = true)]
async fn an_answer_over_our_limit_ends_the_call_instead_of_looping() {
    let mut world = World::with(Weather::Accepting, |config| config.max_frame_bytes = 10_000);
    let mut call = world.call("a", false).await;
    for _ in 0..2 {
        let mut peer = world.daemon("b").await;
        let frame = peer.read().await;
        if frame["op"] == "attach" {
            peer.attach_state("a", "finished").await;
        }
        let text = "x".repeat(200_000);
        peer.send(json!({"op": "call_tool_res", "request_id": "a", "outputs": [text]}))
            .await;
        world.link(|link| !link.is_ready()).await;
    }
    assert_eq!(failure(&mut call).await.0, Code::TooLarge);
}

#[tokio::test(start_paused = true)]
async fn a_silent_daemon_is_bounded_by_its_own_word() {
    let mut world = World::new(Weather::Accepting);
    let mut peer = world.daemon("b").await;
    let mut call = world.call("a", false).await;
    peer.expect("call_tool", "a").await;
    peer.acknowledge("a").await;
    let start = Instant::now();
    let (frame, (code, _)) = tokio::join!(peer.read(), failure(&mut call));
    assert_eq!(code, Code::Timeout);
    assert_eq!(start.elapsed().as_secs(), 630);
    assert_eq!(
        (&frame["op"], &frame["mode"]),
        (&json!("cancel"), &json!("detach"))
    );
}

#[tokio::test(start_paused = true)]
async fn one_id_is_one_call_and_pending_is_bounded() {
    let world = World::with(Weather::Refused, |config| config.max_pending = 2);
    let _first = world.call("a", false).await;
    let mut twin = world.call("a", false).await;
    assert_eq!(failure(&mut twin).await.0, Code::InvalidArgument);
    let _second = world.call("b", false).await;
    let mut third = world.call("c", false).await;
    assert_eq!(failure(&mut third).await.0, Code::OverCapacity);
}

#[tokio::test(start_paused = true)]
async fn closing_ends_everything_pending_once() {
    let mut world = World::new(Weather::Accepting);
    let mut peer = world.daemon("b").await;
    let mut sent = world.call("sent", false).await;
    peer.expect("call_tool", "sent").await;
    let client = world.client.clone();
    let (asked, ()) = tokio::join!(client.list_tools(), async {
        peer.read().await;
        world.client.close().await;
    });
    assert!(asked.is_err());
    assert_eq!(failure(&mut sent).await.0, Code::OutcomeUnknown);
    let mut late = world.call("late", false).await;
    assert_eq!(failure(&mut late).await.0, Code::Unavailable);
}

#[tokio::test(start_paused = true)]
async fn r02_random_breaks_end_every_call_exactly_once() {
    let mut rng = fastrand::Rng::with_seed(11);
    let mut world = World::new(Weather::Accepting);
    let mut calls = Vec::new();
    for n in 0..200 {
        calls.push(world.call(&n.to_string(), n % 2 == 0).await);
    }
    let mut boot = 0;
    let serving = async {
        loop {
            boot += u32::from(rng.bool());
            let mut peer = world.accept().await;
            peer.send(super::peer::ack(&boot.to_string())).await;
            for _ in 0..rng.usize(1..80) {
                let Some(frame) = peer.try_read().await else {
                    break;
                };
                let id = frame["request_id"].as_str().unwrap_or_default().to_owned();
                match (frame["op"].as_str().unwrap(), rng.u8(0..4)) {
                    ("attach", 0) => peer.attach_state(&id, "unknown").await,
                    ("attach", 1) => peer.attach_state(&id, "expired").await,
                    ("attach", _) => {
                        peer.attach_state(&id, "running").await;
                        peer.finish(&id).await;
                    }
                    (_, 0) => peer.acknowledge(&id).await,
                    (_, 1) => peer.progress(&id, "running").await,
                    _ => peer.finish(&id).await,
                }
            }
        }
    };
    let ends = async {
        for call in &mut calls {
            end(call).await;
        }
    };
    tokio::select! {
        () = serving => {}
        () = ends => {}
    }
    for call in &mut calls {
        assert!(call.next().await.is_none());
    }
}
