//! Files of every released schema open, keep what they hold and are brought up to date.
//! `tests/db` is only ever added to.

use crate::journal::{call, end_with, entered, keeping, key};
use crate::support::{NOON, Place, ask, ceiling, options, sums, usage};
use exai_engine::ports::ledger::{Entering, Ledger as _, Recalled};
use exai_store::{By, Journal, MicroUsd, Scope, State, Store, UsageQuery};
use std::path::PathBuf;

fn checked_in(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/db")
        .join(name)
}

fn copy_of(name: &str) -> Place {
    let place = Place::new();
    std::fs::copy(checked_in(name), place.path()).unwrap();
    place
}

/// Made once for each released schema: `cargo test -p exai-store -- --ignored make_file`.
#[tokio::test]
#[ignore = "writes a file to check in; it never replaces one"]
async fn make_file_of_today() {
    let path = checked_in("v3.sqlite");
    assert!(
        !path.exists(),
        "a released file is never made again: name a new one"
    );
    let store = Store::open(options(&path, "first boot"));
    for cost in [100, 200] {
        let grant = store.reserve(ask("done", 500, &[])).await.unwrap();
        grant.reservation.settle(usage(cost)).await.unwrap();
    }
    std::mem::forget(store.reserve(ask("open", 50, &[])).await.unwrap());
    let journal = Journal::new(&store, keeping(&path.with_extension("results")));
    for (request, starts) in [("accepted", false), ("started", true), ("finished", true)] {
        let call = Entering {
            starts,
            ..call(request, r#"{"a":1}"#)
        };
        let entry = entered(&journal, call.clone()).await.ok().unwrap();
        if request == "finished" {
            entry.finish(end_with(&call, "kept")).await.unwrap();
        }
    }
    crate::threads::keep_one(&store).await;
    store.close().await;
}

#[tokio::test]
async fn v3_opens_with_all_it_held() {
    let place = copy_of("v3.sqlite");
    let store = place.open("second boot");
    assert_eq!(sums(&store, Scope::Day).await, (350, 0));
    crate::threads::find_the_one(&store).await;
}

#[tokio::test]
async fn v2_opens_with_all_it_held() {
    let place = copy_of("v2.sqlite");
    let store = place.open("second boot");
    assert_eq!(sums(&store, Scope::Day).await, (350, 0));
    let journal = Journal::new(&store, keeping(&place.dir.path().join("results")));
    let recalled = async |request: &str| journal.recall(&key(request)).await.unwrap();
    let Some(Recalled::Open(open)) = recalled("accepted").await else {
        panic!("not open")
    };
    assert_eq!(open.arguments.unwrap().get(), r#"{"a":1}"#);
    assert!(matches!(recalled("started").await, Some(Recalled::Open(_))));
    let Some(Recalled::Finished(kept)) = recalled("finished").await else {
        panic!("not finished")
    };
    assert!(kept.outputs.as_ref().unwrap().get().contains("kept"));
}

#[tokio::test]
async fn v1_opens_with_all_it_held() {
    let place = copy_of("v1.sqlite");
    let store = place.open("second boot");
    assert_eq!(store.condition().state, State::Good);
    assert_eq!(sums(&store, Scope::Day).await, (350, 0));
    let by = Some(By::Model);
    let totals = store
        .usage(UsageQuery {
            by,
            ..UsageQuery::default()
        })
        .await
        .unwrap();
    assert_eq!(totals.len(), 1);
    assert_eq!((totals[0].calls, totals[0].counted), (3, MicroUsd(350)));
    store
        .reserve(ask("r", 1, &[ceiling(Scope::Day, 350)]))
        .await
        .unwrap_err();
    store
        .reserve(ask("r", 1, &[ceiling(Scope::Day, 351)]))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_newer_file_is_refused_and_not_touched() {
    let place = copy_of("v3.sqlite");
    let path = place.path();
    let db = rusqlite::Connection::open(&path).unwrap();
    // More steps than this build has.
    for number in 4..=99 {
        let row = (number, NOON.cast_signed());
        db.execute("INSERT INTO migrations VALUES (?1, 'later', 'x', ?2)", row)
            .unwrap();
    }
    db.close().unwrap();
    let before = std::fs::read(&path).unwrap();

    let store = place.open("b");
    let condition = store.condition();
    let State::Refused(why) = &condition.state else {
        panic!("{condition:?}")
    };
    assert!(
        why.contains("newer version") && why.contains("exai.db"),
        "{why}"
    );
    assert!(condition.set_aside.is_empty());
    let error = store.reserve(ask("r", 1, &[])).await.unwrap_err();
    assert!(error.to_string().contains("newer version"), "{error}");
    assert!(exai_store::Reader::open(&path).is_err());
    store.close().await;
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[tokio::test]
async fn a_database_of_another_program_is_refused_and_not_touched() {
    let place = Place::new();
    let db = rusqlite::Connection::open(place.path()).unwrap();
    db.execute_batch("CREATE TABLE bookmarks (url TEXT)")
        .unwrap();
    db.close().unwrap();
    let before = std::fs::read(place.path()).unwrap();
    let store = place.open("a");
    assert_eq!(store.condition().state.word(), "refused");
    store.close().await;
    assert_eq!(std::fs::read(place.path()).unwrap(), before);
}
