//! Reserve, settle, release: sums, ceilings, days, and what happens to holders who go away.

use crate::support::{MIDNIGHT, NOON, Place, ask, call, ceiling, eventually, sums, usage};
use exai_protocol::{Code, UnixMillis};
use exai_store::{Cost, Day, Expected, MicroUsd, ReserveError, Scope, Sums, UsageQuery};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

#[tokio::test]
async fn what_is_held_becomes_what_is_spent() {
    let place = Place::new();
    let store = place.open("a");
    let grant = store
        .reserve(ask("r", 700, &[ceiling(Scope::Day, 1000)]))
        .await
        .unwrap();
    assert_eq!(grant.reservation.held(), MicroUsd(700));
    assert!(grant.warnings.is_empty());
    for scope in Scope::ALL {
        assert_eq!(sums(&store, scope).await, (0, 700), "{scope:?}");
    }
    let settled = grant.reservation.settle(usage(300)).await.unwrap();
    assert_eq!(
        (settled.counted, settled.held),
        (MicroUsd(300), MicroUsd(700))
    );
    for scope in Scope::ALL {
        assert_eq!(sums(&store, scope).await, (300, 0), "{scope:?}");
    }
    let next = store
        .reserve(ask("r", 600, &[ceiling(Scope::Day, 1000)]))
        .await
        .unwrap();
    assert_eq!(next.warnings.len(), 1, "900 of 1000 is past 80 %");
    next.reservation.release().await.unwrap();
    assert_eq!(sums(&store, Scope::Day).await, (300, 0));
}

#[tokio::test]
async fn each_scope_refuses_with_its_numbers_and_holds_nothing() {
    let place = Place::new();
    let store = place.open("a");
    store.record(call("r"), usage(900)).unwrap().await.unwrap();
    for scope in Scope::ALL {
        let refused = store
            .reserve(ask("r", 101, &[ceiling(scope, 1000)]))
            .await
            .unwrap_err();
        assert_eq!(refused.code(), Code::OverBudget);
        let ReserveError::Over(over) = refused else {
            panic!("{refused}")
        };
        assert_eq!(over.standing.ceiling.scope, scope);
        assert_eq!(over.standing.left(), MicroUsd(100));
        assert_eq!(sums(&store, scope).await, (900, 0));
    }
    // Another call, thread and window are other budgets; the day is the same.
    let mut other = ask(
        "other",
        101,
        &[
            ceiling(Scope::Call, 1000),
            ceiling(Scope::Thread, 1000),
            ceiling(Scope::Client, 1000),
        ],
    );
    let mut elsewhere = (*other.call).clone();
    elsewhere.who.thread = None;
    elsewhere.who.client = None;
    other.call = Arc::new(elsewhere);
    store
        .reserve(other)
        .await
        .unwrap()
        .reservation
        .release()
        .await
        .unwrap();
}

#[tokio::test]
async fn an_unknown_price_holds_nothing_and_stops_at_a_budget_that_is_used_up() {
    let place = Place::new();
    let store = place.open("a");
    let mut unpriced = ask("r", 0, &[ceiling(Scope::Day, 1000)]);
    let cost = Cost::Unknown("no price in the catalogue".into());
    unpriced.expected = Expected {
        cost: cost.clone(),
        ..unpriced.expected
    };
    let grant = store.reserve(unpriced.clone()).await.unwrap();
    let mut used = usage(0);
    used.cost = cost;
    grant.reservation.settle(used).await.unwrap();
    store.record(call("r"), usage(1000)).unwrap().await.unwrap();
    let refused = store.reserve(unpriced).await.unwrap_err().to_string();
    assert!(
        refused.contains("no known cost (no price in the catalogue)"),
        "{refused}"
    );
    // What costs nothing is free even then.
    store
        .reserve(ask("r", 0, &[ceiling(Scope::Day, 1000)]))
        .await
        .unwrap()
        .reservation
        .release()
        .await
        .unwrap();
    let total = store.usage(UsageQuery::default()).await.unwrap().remove(0);
    assert_eq!(
        (total.calls, total.unpriced, total.cost),
        (2, 1, MicroUsd(1000))
    );
}

#[tokio::test]
async fn an_unreported_cost_counts_as_what_was_held() {
    let place = Place::new();
    let store = place.open("a");
    let grant = store.reserve(ask("r", 700, &[])).await.unwrap();
    let mut used = usage(0);
    used.cost = Cost::Unknown("the stream broke off".into());
    let settled = grant.reservation.settle(used).await.unwrap();
    assert_eq!(settled.counted, MicroUsd(700));
    assert_eq!(sums(&store, Scope::Day).await, (700, 0));
}

#[tokio::test]
async fn a_holder_that_goes_away_without_a_word_is_counted_in_full() {
    let place = Place::new();
    let store = place.open("a");
    drop(store.reserve(ask("r", 700, &[])).await.unwrap());
    eventually("it is counted", || async {
        sums(&store, Scope::Day).await == (700, 0)
    })
    .await;
    let total = store.usage(UsageQuery::default()).await.unwrap().remove(0);
    assert_eq!(
        (total.calls, total.estimated, total.tokens.output),
        (1, 1, 50)
    );
}

#[tokio::test]
async fn an_asker_that_stops_waiting_holds_nothing() {
    let place = Place::new();
    let store = place.open("a");
    for _ in 0..50 {
        let asked = store.reserve(ask("r", 10, &[]));
        // Polled once, so that the question is on its way, then dropped.
        let mut asked = Box::pin(asked);
        std::future::poll_fn(|context| {
            let _ = asked.as_mut().poll(context);
            std::task::Poll::Ready(())
        })
        .await;
    }
    store
        .reserve(ask("r", 1, &[]))
        .await
        .unwrap()
        .reservation
        .release()
        .await
        .unwrap();
    eventually("all are free again", || async {
        sums(&store, Scope::Day).await == (0, 0)
    })
    .await;
    assert!(store.usage(UsageQuery::default()).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_at_once_never_exceed_the_budget() {
    let place = Place::new();
    let store = place.open("a");
    let granted = Arc::new(AtomicUsize::new(0));
    let barrier = Arc::new(std::sync::Barrier::new(50));
    let handle = tokio::runtime::Handle::current();
    let threads: Vec<_> = (0..50)
        .map(|number| {
            let (store, granted, barrier, handle) = (
                store.clone(),
                granted.clone(),
                barrier.clone(),
                handle.clone(),
            );
            std::thread::spawn(move || {
                barrier.wait();
                for round in 0..10 {
                    let request = format!("{number}-{round}");
                    let asked = ask(&request, 100, &[ceiling(Scope::Day, 10_050)]);
                    let Ok(grant) = handle.block_on(store.reserve(asked)) else {
                        continue;
                    };
                    granted.fetch_add(1, Ordering::Relaxed);
                    // Some use less, and what they leave is there for others.
                    let used = if round % 2 == 0 { 100 } else { 50 };
                    handle
                        .block_on(grant.reservation.settle(usage(used)))
                        .unwrap();
                }
            })
        })
        .collect();
    let watching = store.clone();
    tokio::task::spawn_blocking(move || {
        while threads.iter().any(|thread| !thread.is_finished()) {
            let (spent, held) =
                tokio::runtime::Handle::current().block_on(sums(&watching, Scope::Day));
            assert!(spent + held <= 10_050, "{spent} spent, {held} held");
        }
        threads
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
    })
    .await
    .unwrap();
    let (spent, held) = sums(&store, Scope::Day).await;
    assert_eq!(held, 0);
    assert!(
        (9_951..=10_050).contains(&spent),
        "used up to the last that fits: {spent}"
    );
    assert!(granted.load(Ordering::Relaxed) >= 100);
}

#[tokio::test]
async fn midnight_begins_a_new_budget_and_late_ends_count_to_the_day_they_began() {
    let place = Place::new();
    let store = place.open("a");
    let day = Day::of(UnixMillis(NOON));
    let limits = [ceiling(Scope::Day, 1000)];
    place.set_time(MIDNIGHT + 86_399_999);
    let late = store.reserve(ask("late", 900, &limits)).await.unwrap();
    place.set_time(MIDNIGHT + 86_400_000);
    let next = store.reserve(ask("next", 900, &limits)).await.unwrap();
    late.reservation.settle(usage(800)).await.unwrap();
    next.reservation.settle(usage(1)).await.unwrap();
    let spent = |day| store.sums(Scope::Day, crate::support::who("r"), day);
    let sums = |spent| Sums {
        spent: MicroUsd(spent),
        held: MicroUsd(0),
    };
    assert_eq!(spent(day).await.unwrap(), sums(800));
    assert_eq!(spent(Day(day.0 + 1)).await.unwrap(), sums(1));
}

#[tokio::test]
async fn a_new_boot_counts_what_the_last_left_open() {
    let place = Place::new();
    let store = place.open("a");
    let held = store.reserve(ask("r", 700, &[])).await.unwrap();
    store.close().await;
    // The writer is gone: this can no longer be told, and must not be forgotten either.
    assert!(held.reservation.settle(usage(1)).await.is_err());
    let error = store.reserve(ask("r", 1, &[])).await.unwrap_err();
    assert_eq!(error.code(), Code::Unavailable);
    assert_eq!(store.condition().state.word(), "closed");

    for boot in ["b", "c"] {
        let store = place.open(boot);
        assert_eq!(sums(&store, Scope::Day).await, (700, 0), "boot {boot}");
        assert_eq!(sums(&store, Scope::Thread).await, (700, 0), "boot {boot}");
        let total = store.usage(UsageQuery::default()).await.unwrap().remove(0);
        assert_eq!(
            (total.calls, total.estimated, total.counted),
            (1, 1, MicroUsd(700))
        );
        store.close().await;
    }
}
