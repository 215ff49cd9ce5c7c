//! Equal calls of a tool that allows it share one run, and nothing else: each has its own
//! record, its own heartbeats, its own end.

use crate::{
    ear::Mailbox,
    world::{World, secs, settle},
};
use exai_protocol::{Code, Outcome, request::CancelMode};

const ORDER: &str = r#"{"ms":5000}"#;

#[tokio::test(start_paused = true)]
async fn equal_overlapping_calls_share_one_run() {
    let world = World::new();
    let (a, b) = (world.join("a"), world.join("b"));
    let ears = [
        world.call(&a, "1", "shared", ORDER),
        world.call(&a, "2", "shared", ORDER),
        world.call(&b, "1", "shared", ORDER),
    ];
    let mut outputs = Vec::new();
    for ear in &ears {
        outputs.push(ear.end().await.outputs.unwrap());
        assert_eq!(ear.endings().len(), 1);
        assert!(
            ear.progress().len() >= 2,
            "a follower hears signs of life too: {:?}",
            ear.heard()
        );
    }
    assert!(outputs.iter().all(|bytes| *bytes == outputs[0]));
    world.audit().await;
    assert_eq!((world.runs("shared"), world.finished().len()), (1, 3));
    assert_eq!(
        world
            .finished()
            .iter()
            .filter(|end| end.run_us.is_some())
            .count(),
        1
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_not_equal_or_not_overlapping_or_not_allowed_runs() {
    let world = World::new();
    let a = world.join("a");
    let stranger = world.join_as("somebody else", "a", Mailbox::new(false));
    let ears = [
        world.call(&a, "1", "shared", ORDER),
        world.call(&a, "2", "shared", r#"{"ms": 5000}"#),
        world.call(&stranger, "1", "shared", ORDER),
        world.call(&a, "3", "act", ORDER),
        world.call(&a, "4", "act", ORDER),
        world.call(&a, "5", "never_shared", ORDER),
        world.call(&a, "6", "never_shared", ORDER),
    ];
    for ear in ears {
        ear.end().await;
    }
    world.run(&a, "7", "shared", ORDER).await;
    world.audit().await;
    assert_eq!(
        (
            world.runs("shared"),
            world.runs("act"),
            world.runs("never_shared")
        ),
        (4, 2, 2)
    );
}

#[tokio::test(start_paused = true)]
async fn a_tools_error_is_shared() {
    let world = World::new();
    let a = world.join("a");
    let order = r#"{"ms":100,"then":"fail"}"#;
    let (one, two) = (
        world.call(&a, "1", "shared", order),
        world.call(&a, "2", "shared", order),
    );
    assert_eq!(one.end().await.message, two.end().await.message);
    world.audit().await;
    assert_eq!(world.runs("shared"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_follower_runs_itself_when_its_leader_is_stopped() {
    let world = World::new();
    let a = world.join("a");
    let leader = world.call(&a, "1", "shared", ORDER);
    let heir = world.call(&a, "2", "shared", ORDER);
    let third = world.call(&a, "3", "shared", ORDER);
    settle().await;
    world.engine.cancel(&a, &"1".into(), CancelMode::Stop, "");
    assert_eq!(leader.end().await.code, Some(Code::Cancelled));
    assert_eq!(heir.end().await.outcome, Outcome::Ok);
    assert_eq!(third.end().await.outcome, Outcome::Ok);
    world.audit().await;
    assert_eq!(world.runs("shared"), 2, "the heir ran for both");
}

#[tokio::test(start_paused = true)]
async fn a_panic_or_a_deadline_befalls_only_the_leader() {
    let world = World::new();
    let a = world.join("a");
    let order = r#"{"ms":5000}"#;
    let hasty = world.call_for(&a, "1", "shared", order, Some(secs(1)));
    let patient = world.call(&a, "2", "shared", order);
    assert_eq!(hasty.end().await.code, Some(Code::Timeout));
    assert_eq!(patient.end().await.outcome, Outcome::Ok);
    let order = r#"{"ms":10,"then":"panic"}"#;
    let (one, two) = (
        world.call(&a, "3", "shared", order),
        world.call(&a, "4", "shared", order),
    );
    assert_eq!(
        (one.end().await.code, two.end().await.code),
        (Some(Code::Internal), Some(Code::Internal))
    );
    world.audit().await;
    assert_eq!(world.runs("shared"), 4);
}

#[tokio::test(start_paused = true)]
async fn a_follower_can_be_stopped_time_out_and_go_unwatched_by_itself() {
    let world = World::new();
    let (a, b) = (world.join("a"), world.join("b"));
    let order = r#"{"ms":700000}"#;
    let leader = world.call(&a, "1", "shared", order);
    let stopped = world.call(&a, "2", "shared", order);
    let late = world.call_for(&a, "3", "shared", order, Some(secs(3)));
    let alone = world.call_for(&b, "4", "shared", order, None);
    settle().await;
    world.engine.cancel(&a, &"2".into(), CancelMode::Stop, "");
    assert_eq!(stopped.end().await.code, Some(Code::Cancelled));
    assert_eq!(late.end().await.code, Some(Code::Timeout));
    world.leave(&b);
    assert_eq!(leader.end().await.code, Some(Code::Timeout), "600 s");
    assert_eq!(alone.endings(), []);
    tokio::time::sleep(secs(700)).await;
    world.audit().await;
}
