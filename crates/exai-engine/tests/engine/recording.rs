//! The record channel at its bound: admission waits, timers do not, nothing is dropped.

use crate::{
    ear::Heard,
    world::{Plan, World, secs, settle},
};
use exai_engine::{Config, calls::Refusal};
use exai_protocol::{Code, Outcome, record::Record};
use std::time::Duration;
use tokio::sync::mpsc::Receiver;

fn bounded(record_bound: usize) -> (World, Receiver<Record>) {
    World::unread(Plan {
        record_bound,
        ..Plan::default()
    })
}

fn name(record: &Record) -> String {
    match record {
        Record::Received(call) => format!("received {}", call.request_id),
        Record::Finished(end) => format!("finished {}", end.call.request_id),
        Record::Progress(said) => format!("progress {}", said.call.request_id),
    }
}

async fn take(receiver: &mut Receiver<Record>, count: usize) -> Vec<String> {
    let mut names = Vec::new();
    for _ in 0..count {
        names.push(name(&receiver.recv().await.unwrap()));
    }
    names
}

#[tokio::test(start_paused = true)]
async fn r40_at_the_bound_admission_waits_and_nothing_is_dropped() {
    let (world, mut receiver) = bounded(2);
    let member = world.join("a");
    let one = world.call(&member, "1", "act", "{}");
    settle().await;
    assert_eq!(one.endings().len(), 1, "its room was there");
    let two = world.call(&member, "2", "act", "{}");
    let three = world.call(&member, "3", "instant", "{}");
    tokio::time::sleep(secs(60)).await;
    for waiting in [&two, &three] {
        let heard = waiting.heard();
        assert_eq!(heard.len(), 29, "a sign of life every 2 s: {heard:?}");
        let bare =
            |heard: &Heard| matches!(heard, Heard::Progress { message, .. } if message.is_empty());
        assert!(heard.iter().all(bare), "no room, no promise: {heard:?}");
    }
    let first = take(&mut receiver, 2).await;
    assert_eq!(first, ["received 1", "finished 1"]);
    let mut rest = take(&mut receiver, 4).await;
    assert_eq!(
        (two.end().await.outcome, three.end().await.outcome),
        (Outcome::Ok, Outcome::Ok)
    );
    rest.sort();
    assert_eq!(
        rest,
        ["finished 2", "finished 3", "received 2", "received 3"]
    );
    assert_eq!(world.engine.live_calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn more_waiting_calls_than_places_do_not_lock_each_other_out() {
    for bound in 1..5 {
        let (world, mut receiver) = bounded(bound);
        let member = world.join("a");
        let ears: Vec<_> = (0..40)
            .map(|n| {
                world.call(
                    &member,
                    &n.to_string(),
                    if n % 3 == 0 { "instant" } else { "act" },
                    "{}",
                )
            })
            .collect();
        settle().await;
        let mut all = tokio::time::timeout(secs(60), take(&mut receiver, 80))
            .await
            .expect("locked up");
        for ear in ears {
            assert_eq!(ear.end().await.outcome, Outcome::Ok);
        }
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 80);
    }
}

/// A disk that stands still while everybody goes on calling.
#[tokio::test(start_paused = true)]
async fn r40_while_the_record_stands_still_only_so_many_wait_and_none_is_lost() {
    const CALLS: usize = 5000;
    let mut plan = Plan {
        record_bound: 64,
        ..Plan::default()
    };
    plan.config.limits.queue_calls = 100;
    let (world, mut receiver) = World::unread(plan);
    let members = [world.join("a"), world.join("b"), world.join("")];
    let tools = ["act", "instant", "nonsense", "other"];
    let ears: Vec<_> = (0..CALLS)
        .map(|n| {
            let (member, tool) = (&members[n % 3], tools[n % 4]);
            world.call(member, &n.to_string(), tool, "{}")
        })
        .collect();
    for _ in 0..5 {
        tokio::time::sleep(secs(60)).await;
        assert_eq!(world.engine.waiting_for_the_record(), 100);
        assert!(
            world.engine.live_calls() <= 132,
            "{}",
            world.engine.live_calls()
        );
    }
    let answered = ears.iter().filter(|ear| !ear.endings().is_empty()).count();
    assert_eq!(answered, 32, "those whose record has room");
    let waiting = ears.iter().filter(|ear| ear.heard().len() > 100).count();
    assert_eq!(waiting, 100, "those that wait are told signs of life");
    let all = take(&mut receiver, 2 * CALLS);
    let mut all = tokio::time::timeout(secs(600), all).await.expect("stuck");
    for (n, ear) in ears.iter().enumerate() {
        let end = ear.end().await;
        let expected = if tools[n % 4] == "nonsense" {
            Outcome::NotFound
        } else {
            Outcome::Ok
        };
        assert_eq!(end.outcome, expected, "{n}");
        assert_eq!(ear.endings().len(), 1);
    }
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 2 * CALLS, "each came and each ended");
    assert_eq!(world.engine.waiting_for_the_record(), 0);
    assert_eq!(world.engine.live_calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn r40_what_waits_for_the_record_is_bounded_in_bytes_too() {
    let mut plan = Plan {
        record_bound: 2,
        ..Plan::default()
    };
    plan.config.limits.queue_bytes = 100_000;
    let (world, mut receiver) = World::unread(plan);
    let member = world.join("a");
    let large = format!(r#"{{"x":"{}"}}"#, "x".repeat(30_000));
    let ears: Vec<_> = (0..50)
        .map(|n| world.call(&member, &n.to_string(), "act", &large))
        .collect();
    tokio::time::sleep(secs(60)).await;
    assert_eq!(world.engine.waiting_for_the_record(), 4);
    let all = tokio::time::timeout(secs(60), take(&mut receiver, 100)).await;
    assert_eq!(all.expect("stuck").len(), 100);
    for ear in ears {
        assert_eq!(ear.end().await.outcome, Outcome::Ok);
    }
}

/// Refusals are recorded too, and cost no more than calls.
#[tokio::test(start_paused = true)]
async fn r40_a_flood_of_what_is_no_call_waits_like_calls() {
    let mut plan = Plan {
        record_bound: 4,
        ..Plan::default()
    };
    plan.config.limits.queue_calls = 10;
    let (world, mut receiver) = World::unread(plan);
    let member = world.join("a");
    let long = "n".repeat(100_000);
    let refuse = || {
        world.engine.record_refusal(Refusal {
            session: &member.session,
            request_id: Some("r".into()),
            name: Some(&long),
            arguments: None,
            message: &long,
        })
    };
    let taken = (0..1000).filter(|_| refuse().is_ok()).count();
    assert_eq!(taken, 12, "two have room, ten wait");
    for _ in 0..12 {
        let Some(Record::Received(call)) = receiver.recv().await else {
            continue;
        };
        assert_eq!(call.tool.len(), 256);
    }
    settle().await;
    assert_eq!(refuse(), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn i06_a_writer_that_stalls_delays_no_deadline_and_no_heartbeat() {
    let (world, mut receiver) = bounded(2);
    let member = world.join("a");
    let order = r#"{"ms":600000,"say":"step"}"#;
    let ear = world.call_for(&member, "1", "act", order, Some(secs(9)));
    let end = ear.end().await;
    assert_eq!(end.code, Some(Code::Timeout));
    let beats = ear.progress();
    assert_eq!(beats.len(), 4, "{beats:?}");
    assert!(
        beats.iter().all(|(.., message)| message.is_empty()),
        "what cannot be recorded is not said"
    );
    assert_eq!(take(&mut receiver, 1).await, ["received 1"]);
    let Some(Record::Finished(end)) = receiver.recv().await else {
        panic!("its end comes next");
    };
    let late: Vec<&str> = end
        .late_progress
        .iter()
        .map(|said| &*said.message)
        .collect();
    let said: Vec<String> = (0..900).map(|n| format!("step {n}")).collect();
    assert_eq!(late, said, "what found no room goes with the end");
}

#[tokio::test(start_paused = true)]
async fn words_that_found_no_room_are_said_later() {
    let (world, mut receiver) = bounded(2);
    let member = world.join("a");
    let tool = crate::scripts::Script::acting(
        "once",
        |_| {},
        |call| {
            Box::pin(async move {
                call.progress.say("stage", "the one message");
                tokio::time::sleep(secs(10)).await;
                Ok(exai_engine::tool::ToolOutput::text(""))
            })
        },
    );
    world.engine.replace_tools("more", vec![tool]);
    let ear = world.call(&member, "1", "once", "{}");
    tokio::time::sleep(secs(1)).await;
    assert_eq!(ear.progress(), []);
    assert_eq!(take(&mut receiver, 1).await, ["received 1"]);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(ear.progress()[0].3, "the one message");
    ear.end().await;
    assert_eq!(take(&mut receiver, 2).await, ["progress 1", "finished 1"]);
}

#[tokio::test(start_paused = true)]
async fn r09_what_was_stopped_or_ran_out_while_it_waited_for_room_never_starts() {
    let (world, mut receiver) = bounded(2);
    let member = world.join("a");
    world.call(&member, "1", "act", r#"{"ms":5000}"#);
    let stopped = world.call(&member, "2", "other", "{}");
    let late = world.call_for(&member, "3", "other", "{}", Some(secs(1)));
    settle().await;
    world.engine.cancel(
        &member,
        &"2".into(),
        exai_protocol::request::CancelMode::Stop,
        "esc",
    );
    tokio::time::sleep(secs(6)).await;
    take(&mut receiver, 6).await;
    assert_eq!(
        (stopped.end().await.code, late.end().await.code),
        (Some(Code::Cancelled), Some(Code::Timeout))
    );
    assert_eq!(world.runs("other"), 0);
}

#[tokio::test(start_paused = true)]
async fn without_a_writer_nothing_is_promised() {
    let (world, receiver) = bounded(8);
    drop(receiver);
    let member = world.join("a");
    for tool in ["act", "instant", "nonsense"] {
        let end = world.run(&member, tool, tool, "{}").await;
        assert_eq!(end.code, Some(Code::ShuttingDown), "{tool}");
    }
    assert_eq!(
        (
            world.engine.live_calls(),
            world.runs("act"),
            world.runs("instant")
        ),
        (0, 0, 0)
    );
}

#[tokio::test(start_paused = true)]
async fn arguments_are_kept_only_where_the_owner_asked() {
    for log_arguments in [false, true] {
        let world = World::planned(Plan {
            config: Config {
                log_arguments,
                ..Plan::default().config
            },
            ..Plan::default()
        });
        let member = world.join("a");
        let order = r#"{"secret":"hush"}"#;
        world.run(&member, "1", "act", order).await;
        world.audit().await;
        let call = &world.received()[0];
        let kept = call.arguments.as_ref().map(|raw| raw.get().to_owned());
        assert_eq!(kept.as_deref(), log_arguments.then_some(order));
        assert_eq!(call.args_bytes, order.len() as u64);
        assert_ne!(call.args_hash, 0);
    }
}
