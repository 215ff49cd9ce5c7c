//! The simulations.

use crate::world::{Told, World};
use std::{collections::HashMap, time::Duration};
use tokio::time::sleep;

/// Runs of each kind; each lives through several minutes.
const RUNS: u64 = 4;
const CLIENTS: u64 = 5;
const CALLS: u64 = 50;

/// What the weather does next.
#[derive(Clone, Copy)]
enum Event {
    Kill,
    Restart,
    Partition,
    Cut,
}

/// Lets clients work while things happen, and reckons at the end.
async fn play(seed: u64, events: &[Event]) -> HashMap<&'static str, usize> {
    let mut world = World::new(seed);
    let mut working = world.clients(CLIENTS, CALLS);
    let mut told: Vec<Told> = Vec::new();
    while told.len() < usize::try_from(CLIENTS * CALLS).unwrap() {
        let pause = Duration::from_millis(world.rng.u64(500..20_000));
        tokio::select! {
            ended = working.join_next() => collect(&mut told, ended, seed),
            () = sleep(pause) => happen(&mut world, events).await,
        }
    }
    world.reckon(&told)
}

fn collect(
    told: &mut Vec<Told>,
    ended: Option<Result<Vec<Told>, tokio::task::JoinError>>,
    seed: u64,
) {
    match ended {
        Some(Ok(more)) => told.extend(more),
        other => panic!(
            "seed {seed}: a client ended with {:?}",
            other.map(|ended| ended.err())
        ),
    }
}

async fn happen(world: &mut World, events: &[Event]) {
    match events[world.rng.usize(..events.len())] {
        Event::Kill => world.kill().await,
        Event::Restart => world.restart().await,
        Event::Partition => world.partition().await,
        Event::Cut => world.network.cut(),
    }
}

/// Many worlds; the seed of each is in every message.
fn worlds(events: &'static [Event]) -> HashMap<&'static str, usize> {
    let given = std::env::var("EXAI_TEST_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let mut sums = HashMap::new();
    for run in 0..RUNS {
        let seed = given.unwrap_or_else(|| fastrand::u64(..));
        println!("world {run}: EXAI_TEST_SEED={seed}");
        // Each in a runtime of its own: its clock begins anew, and nothing of it is left.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        for (what, times) in runtime.block_on(play(seed, events)) {
            *sums.entry(what).or_default() += times;
        }
    }
    println!("{sums:?}");
    sums
}

fn of(sums: &HashMap<&'static str, usize>, what: &str) -> usize {
    sums.get(what).copied().unwrap_or_default()
}

/// Whatever else happens, most work gets done.
fn mostly_answered(sums: &HashMap<&'static str, usize>) {
    let all: usize = sums.values().sum();
    assert_eq!(all, usize::try_from(RUNS * CLIENTS * CALLS).unwrap());
    assert!(of(sums, "answered") * 10 > all * 7, "{sums:?}");
}

#[test]
fn r12_partitions_and_links_that_speak_late_lose_nothing_and_make_nothing_unknown() {
    let sums = worlds(&[Event::Partition, Event::Partition, Event::Cut]);
    mostly_answered(&sums);
}

#[test]
fn r02_deaths_at_any_moment_lose_nothing_and_run_nothing_twice() {
    let sums = worlds(&[Event::Kill]);
    mostly_answered(&sums);
    assert!(of(&sums, "unknown") > 0, "no death hit a call: {sums:?}");
}

#[test]
fn r25_restarts_are_not_noticed() {
    let sums = worlds(&[Event::Restart]);
    mostly_answered(&sums);
    assert_eq!(of(&sums, "unknown"), 0, "{sums:?}");
}

#[test]
fn r02_everything_at_once_loses_nothing_and_runs_nothing_twice() {
    let sums = worlds(&[Event::Kill, Event::Restart, Event::Partition, Event::Cut]);
    mostly_answered(&sums);
}
