//! Several threads at the same call: who comes while it starts, runs or ends is told its one
//! end, last of all, and nothing runs twice.

use crate::{
    ear::{Ear, Heard},
    world::{Plan, World, settle},
};
use exai_engine::{Config, admission::Limits};
use exai_protocol::request::CancelMode;
use std::sync::Arc;
use tokio_util::task::TaskTracker;

const CALLS: usize = 400;

fn roomy() -> Arc<World> {
    let config = Plan::default().config;
    let limits = Limits {
        global: 64,
        client: 64,
        ..config.limits
    };
    Arc::new(World::planned(Plan {
        config: Config { limits, ..config },
        ..Plan::default()
    }))
}

fn told_in_order(ear: &Ear) {
    let heard = ear.heard();
    assert_eq!(ear.endings().len(), 1, "{heard:?}");
    assert!(matches!(heard.last(), Some(Heard::End(_))), "{heard:?}");
    let place = |wanted: fn(&Heard) -> bool| heard.iter().position(wanted);
    let accepted = place(|heard| matches!(heard, Heard::Accepted));
    let acknowledged = place(|heard| matches!(heard, Heard::Acknowledged(_)));
    assert!(
        acknowledged.is_none() || accepted < acknowledged,
        "{heard:?}"
    );
    for once in [
        |heard: &Heard| matches!(heard, Heard::Accepted),
        |heard: &Heard| matches!(heard, Heard::Acknowledged(_)),
    ] {
        assert!(
            heard.iter().filter(|heard| once(heard)).count() <= 1,
            "{heard:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn i03_three_connections_at_once_are_one_run() {
    let world = roomy();
    let tasks = TaskTracker::new();
    let members: Vec<_> = (0..3).map(|_| Arc::new(world.join("a"))).collect();
    let ears: Vec<_> = members
        .iter()
        .map(|member| {
            let (world, member) = (Arc::clone(&world), Arc::clone(member));
            tasks.spawn(async move {
                let mut ears = Vec::new();
                for n in 0..CALLS {
                    let tool = if n % 2 == 0 { "act" } else { "shared" };
                    ears.push(world.call(
                        &member,
                        &n.to_string(),
                        tool,
                        r#"{"say":"step","stream":"text"}"#,
                    ));
                    tokio::task::yield_now().await;
                }
                ears
            })
        })
        .collect();
    for connection in ears {
        for ear in connection.await.unwrap() {
            ear.end().await;
            settle().await;
            told_in_order(&ear);
        }
    }
    world.audit().await;
    assert_eq!(world.runs("act"), CALLS as u64 / 2);
    assert_eq!(world.received().len(), CALLS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn i01_stops_and_losses_race_with_the_end() {
    let world = roomy();
    let tasks = TaskTracker::new();
    let owner = Arc::new(world.join("a"));
    let rival = Arc::new(world.join("a"));
    let stopper = {
        let (world, rival) = (Arc::clone(&world), Arc::clone(&rival));
        tasks.spawn(async move {
            let mut ears = Vec::new();
            for n in 0..CALLS {
                let id = n.to_string();
                let ear = Ear::new(rival.peer);
                let state = world
                    .engine
                    .attach(&rival.session, &id.as_str().into(), ear.clone());
                world
                    .engine
                    .cancel(&rival, &id.as_str().into(), CancelMode::Stop, "race");
                if !matches!(state, exai_protocol::control::CallState::Unknown) {
                    ears.push(ear);
                }
                tokio::task::yield_now().await;
            }
            ears
        })
    };
    let mut ears = Vec::new();
    for n in 0..CALLS {
        ears.push(world.call(&owner, &n.to_string(), "act", r#"{"ms":1}"#));
        tokio::task::yield_now().await;
    }
    ears.extend(stopper.await.unwrap());
    for ear in &ears {
        ear.end().await;
        told_in_order(ear);
    }
    world.audit().await;
    assert_eq!(world.received().len(), CALLS);
}
