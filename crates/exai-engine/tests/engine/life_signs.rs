//! Heartbeats come from their own timer, progress is the tool's own words and never a flood.

use crate::{
    ear::{Ear, Heard},
    world::{HEARTBEAT, World, secs, settle},
};
use std::time::Duration;
use tokio::time::Instant;

fn gaps(ear: &Ear) -> Vec<Duration> {
    let times: Vec<Instant> = ear.progress().into_iter().map(|(at, ..)| at).collect();
    times.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

#[tokio::test(start_paused = true)]
async fn i02_a_tool_that_sleeps_two_and_a_half_heartbeats() {
    let world = World::new();
    let member = world.join("a");
    let begin = Instant::now();
    let ear = world.call(&member, "1", "act", r#"{"ms":5000}"#);
    assert_eq!(ear.end().await.code, None);
    let beats = ear.progress();
    let at: Vec<u64> = beats
        .iter()
        .map(|(at, ..)| (*at - begin).as_secs())
        .collect();
    assert_eq!(at, [2, 4]);
    assert!(
        beats
            .iter()
            .all(|(_, _, stage, message)| stage == "running" && message.is_empty())
    );
    assert_eq!(
        beats.iter().map(|(_, seq, ..)| *seq).collect::<Vec<_>>(),
        [1, 2]
    );
    world.audit().await;
    assert_eq!(
        world.progress_records(),
        Vec::<String>::new(),
        "a bare heartbeat is not logged"
    );
}

#[tokio::test(start_paused = true)]
async fn i02_heartbeats_go_on_for_the_whole_run_on_every_connection() {
    let world = World::new();
    let members = [world.join("a"), world.join("a"), world.join("b")];
    let order = r#"{"ms":120000}"#;
    let ears = [
        world.call(&members[0], "1", "act", order),
        world.call(&members[1], "1", "act", order),
        world.call(&members[2], "1", "act", order),
    ];
    for ear in &ears {
        ear.end().await;
        assert_eq!(
            ear.progress().len(),
            59,
            "one every 2 s, and the end at 120 s"
        );
        assert!(
            gaps(ear)
                .iter()
                .all(|gap| gap.abs_diff(HEARTBEAT) < Duration::from_millis(5))
        );
    }
    world.audit().await;
}

#[tokio::test(start_paused = true)]
async fn i02_a_flood_of_progress_is_spaced_and_beats_nonetheless() {
    let world = World::new();
    let member = world.join("a");
    let ear = world.call(&member, "1", "act", r#"{"ms":10000,"say":"step"}"#);
    ear.end().await;
    let progress = ear.progress();
    assert!(
        (38..=41).contains(&progress.len()),
        "{} messages in 10 s",
        progress.len()
    );
    assert!(
        gaps(&ear)
            .iter()
            .all(|gap| *gap >= Duration::from_millis(250)),
        "{:?}",
        gaps(&ear)
    );
    let seqs: Vec<u64> = progress.iter().map(|(_, seq, ..)| *seq).collect();
    assert!(seqs.windows(2).all(|pair| pair[0] < pair[1]));
    assert!(
        progress
            .iter()
            .all(|(_, _, stage, message)| stage == "working" && message.starts_with("step "))
    );
    world.audit().await;
    let said: Vec<String> = (0..1000).map(|n| format!("step {n}")).collect();
    assert_eq!(world.progress_records(), said, "each message is recorded");
    assert_eq!(world.finished()[0].progress, 1000);
    assert_eq!(world.finished()[0].progress_left_out, 0);
}

#[tokio::test(start_paused = true)]
async fn i02_beyond_the_bound_what_is_sent_is_recorded_and_the_rest_is_counted() {
    let world = World::new();
    let member = world.join("a");
    let ear = world.call(&member, "1", "act", r#"{"ms":30000,"say":"step"}"#);
    ear.end().await;
    world.audit().await;
    let records = world.progress_records();
    for (.., message) in ear.progress() {
        assert!(records.contains(&message), "{message}");
    }
    assert_eq!(records.last().unwrap(), "step 2999", "the last word");
    let end = &world.finished()[0];
    assert_eq!(records.len() as u64 + end.progress_left_out, 3000);
    assert!(records.len() < 1130, "{}", records.len());
}

#[tokio::test(start_paused = true)]
async fn i02_the_last_words_are_recorded_however_the_call_ends() {
    for (ms, then, timeout, left) in [
        (105, "", None, false),
        (105, "fail", None, false),
        (105, "panic", None, false),
        (5000, "", Some(Duration::from_millis(105)), false),
        (5000, "", None, true),
    ] {
        let world = World::new();
        let member = world.join("a");
        let order = format!(r#"{{"ms":{ms},"say":"step","then":"{then}"}}"#);
        let ear = world.call_for(&member, "1", "act", &order, timeout);
        if left {
            tokio::time::sleep(Duration::from_millis(105)).await;
            let stop = exai_protocol::request::CancelMode::Stop;
            world.engine.cancel(&member, &"1".into(), stop, "esc");
        }
        ear.end().await;
        world.audit().await;
        let said: Vec<String> = (0..=10).map(|n| format!("step {n}")).collect();
        assert_eq!(world.progress_records(), said, "{order} {timeout:?} {left}");
        assert_eq!(ear.progress().len(), 1, "too close to the first to be sent");
    }
}

#[tokio::test(start_paused = true)]
async fn i02_a_tool_that_ends_at_once_leaves_its_words_too() {
    let world = World::new();
    let tool = crate::scripts::Script::acting(
        "quick",
        |spec| {
            spec.instant = true;
            crate::scripts::repeatable(spec);
        },
        |call| {
            Box::pin(async move {
                call.progress.say("stage", "in passing");
                Ok(exai_engine::tool::ToolOutput::text(""))
            })
        },
    );
    world.engine.replace_tools("more", vec![tool]);
    let member = world.join("a");
    world.run(&member, "1", "quick", "{}").await;
    world.audit().await;
    assert_eq!(world.progress_records(), ["in passing"]);
}

#[tokio::test(start_paused = true)]
async fn r10_nothing_is_told_after_the_end() {
    let world = World::new();
    let member = world.join("a");
    let ear = world.call(
        &member,
        "1",
        "act",
        r#"{"ms":3100,"say":"step","stream":"text"}"#,
    );
    ear.end().await;
    tokio::time::sleep(secs(60)).await;
    let heard = ear.heard();
    assert!(matches!(heard.last(), Some(Heard::End(_))), "{heard:?}");
    assert_eq!(ear.endings().len(), 1);
    world.audit().await;
}

#[tokio::test(start_paused = true)]
async fn streamed_text_is_whole_and_never_logged() {
    let world = World::new();
    let member = world.join("a");
    let ear = world.call(&member, "1", "act", r#"{"stream":"all of it"}"#);
    ear.end().await;
    let text: String = ear
        .heard()
        .into_iter()
        .filter_map(|heard| {
            if let Heard::Partial(text) = heard {
                Some(text)
            } else {
                None
            }
        })
        .collect();
    assert_eq!(text, "all of it");
    world.audit().await;
    assert_eq!(world.progress_records(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn streamed_text_comes_at_once_and_then_at_its_own_pace() {
    let world = World::new();
    let member = world.join("a");
    let begin = Instant::now();
    let ear = world.call(&member, "1", "act", r#"{"ms":1000,"pieces":true}"#);
    ear.end().await;
    let pieces = ear.pieces();
    let after = |at: Instant| (at - begin).as_millis();
    assert!(
        after(pieces[0].0) <= 11,
        "the first waits for nothing: {pieces:?}"
    );
    assert!((45..=55).contains(&pieces.len()), "{} pieces", pieces.len());
    let gaps = pieces.windows(2).map(|pair| pair[1].0 - pair[0].0);
    assert!(
        gaps.rev()
            .skip(1)
            .all(|gap| gap >= Duration::from_millis(20)),
        "all but the last: {pieces:?}"
    );
    let text: String = pieces.into_iter().map(|(_, text)| text).collect();
    let whole: String = (0..100).map(|n| format!("{n} ")).collect();
    assert_eq!(text, whole);
    world.audit().await;
}

#[tokio::test(start_paused = true)]
async fn endless_words_are_cut() {
    let world = World::new();
    let tool = crate::scripts::Script::acting(
        "wordy",
        |_| {},
        |call| {
            Box::pin(async move {
                call.progress.say("stage", "ö".repeat(100_000));
                tokio::time::sleep(secs(1)).await;
                Ok(exai_engine::tool::ToolOutput::text(""))
            })
        },
    );
    world.engine.replace_tools("more", vec![tool]);
    let member = world.join("a");
    let ear = world.call(&member, "1", "wordy", "{}");
    ear.end().await;
    let (.., message) = ear.progress().remove(0);
    assert_eq!(message, "ö".repeat(2048));
    world.audit().await;
}

#[tokio::test(start_paused = true)]
async fn a_waiting_call_tells_its_place() {
    let world = World::new();
    let (busy, other) = (world.join("a"), world.join("b"));
    for n in 0..10 {
        world.call(&busy, &format!("r{n}"), "act", r#"{"ms":7000}"#);
    }
    let last = world.call(&busy, "last", "act", "{}");
    settle().await;
    assert_eq!(
        last.progress()[0].3,
        "waiting for capacity: position 3 of 3"
    );
    assert_eq!(last.progress()[0].2, "queued");
    tokio::time::sleep(secs(3)).await;
    assert_eq!(last.progress().len(), 2, "told again with each heartbeat");
    assert_eq!(
        world.run(&other, "1", "act", "{}").await.code,
        None,
        "another client need not wait"
    );
    last.end().await;
    tokio::time::sleep(secs(7)).await;
    world.audit().await;
}
