//! Limits hold, the queue is fair and bounded, and who finds no room is told when to come back.

use crate::world::{Plan, World, raw, secs, settle};
use exai_engine::{Config, admission::Limits};
use exai_protocol::{Code, Outcome, error::Ran};
use std::time::Duration;
use tokio::time::Instant;

const SECOND: &str = r#"{"ms":1000}"#;

fn limited(change: impl FnOnce(&mut Limits)) -> World {
    let mut config = Plan::default().config;
    change(&mut config.limits);
    World::planned(Plan {
        config: Config { ..config },
        ..Plan::default()
    })
}

fn running(world: &World) -> usize {
    world.engine.admission().depth().running
}

#[tokio::test(start_paused = true)]
async fn a_client_runs_eight_and_all_together_twenty_four() {
    let world = World::new();
    let members: Vec<_> = ["a", "b", "c", "d"].map(|name| world.join(name)).into();
    let mut ears = Vec::new();
    for (at, member) in members.iter().enumerate() {
        for n in 0..10 {
            ears.push(world.call(member, &n.to_string(), "act", SECOND));
        }
        settle().await;
        assert_eq!(running(&world), (8 * (at + 1)).min(24));
    }
    for ear in ears {
        assert_eq!(ear.end().await.outcome, Outcome::Ok);
    }
    world.audit().await;
}

#[tokio::test(start_paused = true)]
async fn a_providers_limit_holds_up_only_its_own_calls() {
    let world = World::new();
    let (a, b) = (world.join("a"), world.join("b"));
    let slow: Vec<_> = (0..5)
        .map(|n| {
            world.call(
                if n % 2 == 0 { &a } else { &b },
                &format!("g{n}"),
                "glm",
                SECOND,
            )
        })
        .collect();
    let local = world.call(&a, "local", "act", "{}");
    settle().await;
    assert_eq!(running(&world), 2);
    assert_eq!(
        local.endings().len(),
        1,
        "a local call passes the waiting ones"
    );
    let begin = Instant::now();
    for ear in slow {
        ear.end().await;
    }
    assert_eq!(begin.elapsed().as_secs(), 2, "five calls by twos");
    world.audit().await;
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_refuses_with_a_hint_and_keeps_nothing() {
    let world = limited(|limits| (limits.global, limits.queue_calls) = (1, 3));
    let a = world.join("a");
    let waiting: Vec<_> = (0..4)
        .map(|n| world.call(&a, &n.to_string(), "act", SECOND))
        .collect();
    let end = world.run(&a, "refused", "act", SECOND).await;
    assert_eq!(
        (end.code, end.ran, end.retry_after),
        (Some(Code::OverCapacity), Some(Ran::No), Some(3))
    );
    assert!(
        end.message.contains("3 of 3 calls") && end.message.contains("1 running"),
        "{}",
        end.message
    );
    for ear in waiting {
        ear.end().await;
    }
    let end = world.run(&a, "refused", "act", SECOND).await;
    assert_eq!(
        (end.outcome, end.replayed),
        (Outcome::Ok, false),
        "the same id may come again"
    );
    world.audit().await;
}

#[tokio::test(start_paused = true)]
async fn the_queue_is_bounded_in_bytes_too() {
    let world = limited(|limits| (limits.global, limits.queue_bytes) = (1, 100));
    let a = world.join("a");
    let big = format!(r#"{{"pad":"{}"}}"#, "x".repeat(50));
    let first = world.call(&a, "1", "act", SECOND);
    let second = world.call(&a, "2", "act", &big);
    let third = world.run(&a, "3", "act", &big).await;
    assert_eq!(third.code, Some(Code::OverCapacity));
    assert!(
        third.message.contains("60 of 100 bytes"),
        "{}",
        third.message
    );
    first.end().await;
    second.end().await;
    world.audit().await;
    assert_eq!(raw(&big).get().len(), 60);
}

#[tokio::test(start_paused = true)]
async fn a_burst_of_one_client_delays_another_by_about_one_call() {
    let world = limited(|limits| limits.global = 8);
    let (greedy, modest) = (world.join("greedy"), world.join("modest"));
    let burst: Vec<_> = (0..500)
        .map(|n| world.call(&greedy, &n.to_string(), "act", SECOND))
        .collect();
    tokio::time::sleep(Duration::from_millis(300)).await;
    for n in 0..5 {
        let begin = Instant::now();
        let end = world.run(&modest, &n.to_string(), "act", "{}").await;
        assert_eq!(end.outcome, Outcome::Ok);
        assert!(
            begin.elapsed() <= Duration::from_millis(1010),
            "waited {:?}",
            begin.elapsed()
        );
    }
    let begin = Instant::now();
    for ear in burst {
        ear.end().await;
    }
    assert!(
        begin.elapsed() < secs(64),
        "and the burst is not held up: {:?}",
        begin.elapsed()
    );
    world.audit().await;
}

#[tokio::test(start_paused = true)]
async fn those_who_leave_the_queue_make_room() {
    let world = limited(|limits| (limits.global, limits.queue_calls) = (1, 2));
    let a = world.join("a");
    let first = world.call(&a, "1", "act", r#"{"ms":10000}"#);
    let hasty = world.call_for(&a, "2", "act", "{}", Some(secs(1)));
    let stopped = world.call(&a, "3", "act", "{}");
    settle().await;
    world.engine.cancel(
        &a,
        &"3".into(),
        exai_protocol::request::CancelMode::Stop,
        "",
    );
    stopped.end().await;
    hasty.end().await;
    assert_eq!(world.engine.admission().depth().queued, 0);
    let later = world.call(&a, "4", "act", "{}");
    assert_eq!(
        (first.end().await.code, later.end().await.code),
        (None, None)
    );
    world.audit().await;
}
