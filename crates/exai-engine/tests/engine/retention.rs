//! Results are kept for a time, up to a number and a size; what is gone is remembered as such
//! and never runs again.

use crate::world::{Plan, TTL, World, secs};
use exai_engine::{Config, calls::RetentionLimits};
use exai_protocol::{Code, control::CallState, error::Ran};

fn keeping(retention: RetentionLimits) -> World {
    World::planned(Plan {
        config: Config {
            retention,
            ..Plan::default().config
        },
        ..Plan::default()
    })
}

async fn assert_expired(world: &World, id: &str) {
    let member = world.join("a");
    let (state, kept) = world.engine.look_up(&member.session, &id.into());
    assert_eq!(state, CallState::Expired, "{id}");
    assert!(kept.is_none());
    let before = world.runs("act");
    let end = world.run(&member, id, "act", r#"{"bytes":1000}"#).await;
    assert_eq!(
        (end.code, end.ran),
        (Some(Code::Expired), Some(Ran::Yes)),
        "{id}"
    );
    assert!(end.message.contains("not run again"), "{}", end.message);
    assert_eq!(world.runs("act"), before);
    let ear = crate::ear::Ear::new(member.peer);
    assert_eq!(
        world
            .engine
            .attach(&member.session, &id.into(), ear.clone()),
        CallState::Expired
    );
    assert_eq!(ear.heard(), []);
    world.leave(&member);
}

async fn run_some(world: &World, count: usize) {
    let member = world.join("a");
    for n in 0..count {
        world
            .run(&member, &n.to_string(), "act", r#"{"bytes":1000}"#)
            .await;
    }
}

fn state(world: &World, id: usize) -> CallState {
    let member = world.join("a");
    let state = world
        .engine
        .look_up(&member.session, &id.to_string().as_str().into())
        .0;
    world.leave(&member);
    state
}

#[tokio::test(start_paused = true)]
async fn eviction_by_time_leaves_a_tombstone() {
    let world = World::new();
    run_some(&world, 1).await;
    tokio::time::sleep(TTL - secs(1)).await;
    assert_eq!(state(&world, 0), CallState::Finished);
    tokio::time::sleep(secs(2)).await;
    world.engine.sweep();
    assert_expired(&world, "0").await;
    world.audit().await;
    let refusal = &world.finished()[1];
    assert_eq!(
        (&*refusal.call.tool, refusal.call.args_bytes),
        ("act", 14),
        "the retry has its own record"
    );
}

#[tokio::test(start_paused = true)]
async fn eviction_by_number_takes_the_oldest() {
    let world = keeping(RetentionLimits {
        ttl: TTL,
        results: 3,
        bytes: 64 << 20,
    });
    run_some(&world, 5).await;
    for id in 0..5 {
        let expected = if id < 2 {
            CallState::Expired
        } else {
            CallState::Finished
        };
        assert_eq!(state(&world, id), expected, "{id}");
    }
    assert_expired(&world, "0").await;
    world.audit().await;
}

#[tokio::test(start_paused = true)]
async fn eviction_by_size_takes_the_oldest() {
    let world = keeping(RetentionLimits {
        ttl: TTL,
        results: 10_000,
        bytes: 3000,
    });
    run_some(&world, 4).await;
    let states: Vec<CallState> = (0..4).map(|id| state(&world, id)).collect();
    assert_eq!(
        states,
        [
            CallState::Expired,
            CallState::Expired,
            CallState::Finished,
            CallState::Finished
        ]
    );
    assert_expired(&world, "1").await;
    world.audit().await;
}

#[tokio::test(start_paused = true)]
async fn a_result_larger_than_all_room_stays_until_the_next() {
    let world = keeping(RetentionLimits {
        ttl: TTL,
        results: 10,
        bytes: 500,
    });
    let member = world.join("a");
    run_some(&world, 1).await;
    let (state, kept) = world.engine.look_up(&member.session, &"0".into());
    assert_eq!(state, CallState::Finished);
    assert!(kept.is_some());
    world.leave(&member);
    run_some(&world, 2).await;
    assert_expired(&world, "0").await;
    world.audit().await;
}

#[tokio::test(start_paused = true)]
async fn what_does_not_fit_into_a_frame_is_recorded_as_such_and_kept() {
    let world = World::new();
    let member = world.join("a");
    world.run(&member, "1", "act", r#"{"bytes":1000001}"#).await;
    world.audit().await;
    let record = world.finished().remove(0);
    assert_eq!(record.outcome, exai_protocol::Outcome::TooLarge);
    assert!(record.error.is_some());
    let (state, kept) = world.engine.look_up(&member.session, &"1".into());
    assert_eq!(state, CallState::Finished);
    assert!(kept.is_some_and(|kept| kept.error.is_none()));
}
