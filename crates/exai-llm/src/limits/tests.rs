//! The gate, in paused time.

use super::{
    breaker::{Position, Verdict},
    gate::{Gate, MOST_WAITING, Place},
};
use crate::{
    fault::{Fault, FaultClass},
    provider::Limits,
};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::time::{Instant, advance};

fn gate(limits: Limits) -> Arc<Gate> {
    Gate::new("e", &limits, |_| {})
}

fn later(seconds: u64) -> Instant {
    Instant::now() + Duration::from_secs(seconds)
}

async fn place(gate: &Arc<Gate>, tokens: u64) -> Place {
    let place = gate.place(tokens, later(3600), &mut |_| {}).await;
    let place = place.unwrap_or_else(|fault| panic!("no place: {fault:?}"));
    place.begin();
    place
}

fn refused(place: &Place, retry_after_ms: Option<u64>) {
    let mut fault = Fault::new(FaultClass::RateLimited, "slow down");
    fault.retry_after_ms = retry_after_ms;
    place.judge(&Verdict::Bad(fault));
}

#[tokio::test(start_paused = true)]
async fn requests_and_tokens_a_minute_hold_in_every_minute() {
    let limits = Limits {
        requests_per_minute: Some(5),
        tokens_per_minute: Some(1000),
        ..Limits::default()
    };
    let gate = gate(limits);
    let mut begun: Vec<Instant> = Vec::new();
    for _ in 0..17 {
        drop(place(&gate, 100).await);
        begun.push(Instant::now());
    }
    for start in &begun {
        let minute = begun
            .iter()
            .filter(|at| **at >= *start && **at - *start < Duration::from_secs(60));
        assert!(minute.count() <= 5);
    }
    assert_eq!(begun[16] - begun[0], Duration::from_secs(180));
    advance(Duration::from_secs(60)).await;
    let began = Instant::now();
    drop(place(&gate, 900).await);
    drop(place(&gate, 900).await);
    assert_eq!(began.elapsed().as_secs(), 60);
}

#[tokio::test(start_paused = true)]
async fn a_further_request_in_the_same_place_is_counted() {
    let limits = Limits {
        requests_per_minute: Some(2),
        ..Limits::default()
    };
    let gate = gate(limits);
    let began = Instant::now();
    let first = place(&gate, 1).await;
    first.begin();
    drop(first);
    drop(place(&gate, 1).await);
    assert_eq!(began.elapsed().as_secs(), 60);
}

#[tokio::test(start_paused = true)]
async fn places_are_given_in_the_order_of_asking() {
    let gate = gate(Limits {
        concurrency: 1,
        ..Limits::default()
    });
    let order = Arc::new(Mutex::new(Vec::new()));
    let first = place(&gate, 1).await;
    let mut all = tokio::task::JoinSet::new();
    for number in 0..20 {
        let (its_gate, order) = (Arc::clone(&gate), Arc::clone(&order));
        all.spawn(async move {
            let held = place(&its_gate, 1).await;
            order.lock().unwrap().push(number);
            tokio::time::sleep(Duration::from_millis(5)).await;
            drop(held);
        });
        // Each stands in the queue before the next one comes.
        while gate.standing().queued <= number {
            tokio::task::yield_now().await;
        }
    }
    drop(first);
    all.join_all().await;
    assert_eq!(*order.lock().unwrap(), (0..20).collect::<Vec<_>>());
    assert_eq!((gate.standing().queued, gate.standing().in_flight), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn after_a_storm_one_goes_then_two_then_all() {
    let gate = gate(Limits {
        concurrency: 4,
        ..Limits::default()
    });
    let mut storm = Vec::new();
    for _ in 0..4 {
        storm.push(place(&gate, 1).await);
    }
    // All four are refused: one storm, one wait.
    let began = Instant::now();
    for (index, place) in storm.iter().enumerate() {
        advance(Duration::from_millis(10 * index as u64)).await;
        refused(place, None);
    }
    drop(storm);
    let one = place(&gate, 1).await;
    assert_eq!(began.elapsed().as_millis(), 1000);
    let soon = Instant::now() + Duration::from_secs(1);
    assert!(
        gate.place(1, soon, &mut |_| {}).await.is_err(),
        "only one goes"
    );
    one.judge(&Verdict::Lives);
    let two = place(&gate, 1).await;
    assert_eq!(gate.standing().allowed, 2);
    two.judge(&Verdict::Lives);
    let _more = [place(&gate, 1).await, place(&gate, 1).await];
    assert_eq!((gate.standing().in_flight, gate.standing().allowed), (4, 4));
    assert_eq!(gate.standing().breaker, Position::Closed);
}

#[tokio::test(start_paused = true)]
async fn the_longest_wish_to_wait_counts_and_ours_grows_in_its_absence() {
    let gate = gate(Limits::default());
    let (one, two) = (place(&gate, 1).await, place(&gate, 1).await);
    let began = Instant::now();
    refused(&one, Some(7000));
    refused(&two, Some(3000));
    drop((one, two));
    let mut next = place(&gate, 1).await;
    assert_eq!(began.elapsed().as_secs(), 7);
    let mut waits = Vec::new();
    for _ in 0..7 {
        let began = Instant::now();
        refused(&next, None);
        drop(next);
        next = place(&gate, 1).await;
        waits.push(began.elapsed().as_secs());
    }
    assert_eq!(waits, [2, 4, 8, 16, 30, 30, 30]);
    next.judge(&Verdict::Lives);
    let began = Instant::now();
    refused(&next, None);
    drop(next);
    drop(place(&gate, 1).await);
    assert_eq!(began.elapsed().as_secs(), 1);
}

#[tokio::test(start_paused = true)]
async fn no_header_can_stop_the_clock() {
    let gate = gate(Limits::default());
    let held = place(&gate, 1).await;
    refused(&held, Some(u64::MAX));
    drop(held);
    let fault = gate.place(1, later(60), &mut |_| {}).await.err().unwrap();
    assert!(
        fault.retry_after_ms.unwrap() <= 7 * 24 * 3_600_000,
        "{fault:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_queue_is_bounded() {
    let gate = gate(Limits {
        concurrency: 1,
        ..Limits::default()
    });
    let _held = place(&gate, 1).await;
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..MOST_WAITING {
        let gate = Arc::clone(&gate);
        waiting.spawn(async move { gate.place(1, later(60), &mut |_| {}).await.is_ok() });
    }
    while gate.standing().queued < MOST_WAITING {
        tokio::task::yield_now().await;
    }
    let fault = gate.place(1, later(60), &mut |_| {}).await.err().unwrap();
    assert_eq!(fault.class, FaultClass::RateLimited);
    assert!(
        waiting.join_all().await.into_iter().all(|got| !got),
        "their deadline came"
    );
    assert_eq!(gate.standing().queued, 0);
}

#[tokio::test(start_paused = true)]
async fn random_lives_end_with_all_places_back() {
    let gate = gate(Limits {
        concurrency: 3,
        ..Limits::default()
    });
    let mut all = tokio::task::JoinSet::new();
    for seed in 0..300 {
        let gate = Arc::clone(&gate);
        all.spawn(async move {
            let mut rng = fastrand::Rng::with_seed(seed);
            tokio::time::sleep(Duration::from_millis(rng.u64(0..5000))).await;
            let patience = Duration::from_millis(rng.u64(1..4000));
            let living = async {
                let deadline = Instant::now() + Duration::from_secs(30);
                if let Ok(place) = gate.place(1, deadline, &mut |_| {}).await {
                    place.begin();
                    tokio::time::sleep(Duration::from_millis(rng.u64(0..200))).await;
                    let class = [
                        FaultClass::Server,
                        FaultClass::RateLimited,
                        FaultClass::Auth,
                    ];
                    match rng.usize(0..8) {
                        odd @ 0..3 => place.judge(&Verdict::Bad(Fault::new(class[odd], ""))),
                        3 => place.judge(&Verdict::Nothing),
                        _ => {
                            place.judge(&Verdict::Lives);
                            place.judge(&Verdict::Good);
                        }
                    }
                }
            };
            // Many go away in the middle of it.
            let _ = tokio::time::timeout(patience, living).await;
            assert!(gate.standing().in_flight <= 3);
        });
    }
    all.join_all().await;
    let standing = gate.standing();
    assert_eq!((standing.in_flight, standing.queued), (0, 0));
    advance(Duration::from_secs(3600)).await;
    // Whatever happened, the endpoint can be asked again.
    place(&gate, 1).await.judge(&Verdict::Good);
    assert_eq!(gate.standing().breaker, Position::Closed);
}
