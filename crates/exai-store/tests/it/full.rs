//! No room: what was promised is kept in memory and written when there is room again; what is
//! asked meanwhile is refused with the reason.

use crate::support::{Place, ask, call, eventually, sums, usage};
use exai_protocol::Code;
use exai_store::{Scope, State, Store, StoreError};

/// Writes until the file takes no more.
pub(crate) async fn fill(store: &Store) -> u64 {
    for count in 0..100_000 {
        let Ok(receipt) = store.record(call(&format!("filler {count}")), usage(1)) else {
            return count;
        };
        // What does not fit is kept for later, so its receipt stays open.
        let written = tokio::time::timeout(std::time::Duration::from_millis(500), receipt).await;
        if written.is_err() {
            return count + 1;
        }
    }
    panic!("the file never filled up");
}

#[tokio::test]
async fn what_was_promised_is_written_when_there_is_room_again() {
    let place = Place::new();
    let mut options = place.options("a");
    options.most_bytes = Some(200 * 1024);
    let store = Store::open(options);
    let early = store.reserve(ask("early", 700, &[])).await.unwrap();
    let filled = fill(&store).await;
    assert_eq!(store.condition().state.word(), "full");
    assert!(store.condition().warnings()[0].contains("free some space"));

    let settling = early.reservation.settle(usage(300));
    let refused = store.reserve(ask("late", 1, &[])).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
    assert!(refused.to_string().contains("no room"), "{refused}");
    let (spent, held) = sums(&store, Scope::Day).await;
    assert_eq!(held, 700, "reading goes on, and what was held is held");
    assert!(spent < filled, "the last one is not written yet");

    // Room, as a person makes it.
    let db = rusqlite::Connection::open(place.path()).unwrap();
    db.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
    db.execute("DELETE FROM usage WHERE request LIKE 'filler%'", [])
        .unwrap();
    db.execute(
        "DELETE FROM spending WHERE scope = 'call' AND name LIKE 'filler%'",
        [],
    )
    .unwrap();
    drop(db);

    settling.await.unwrap();
    eventually("it is good again", || async {
        store.condition().state == State::Good
    })
    .await;
    assert_eq!(sums(&store, Scope::Day).await, (filled + 300, 0));
}

#[tokio::test]
async fn more_than_there_is_room_for_is_refused_not_waited_for() {
    let place = Place::new();
    let mut options = place.options("a");
    options.most_bytes = Some(200 * 1024);
    let store = Store::open(options);
    fill(&store).await;
    let mut taken = 0;
    let busy = loop {
        match store.record(call("more"), usage(1)) {
            Ok(_) => taken += 1,
            Err(error) => break error,
        }
        assert!(taken < 10_000, "memory is not bounded");
    };
    assert_eq!(busy, StoreError::Busy);
    assert_eq!(busy.code(), Code::OverCapacity);
    let refused = store.reserve(ask("late", 1, &[])).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable, "{refused}");
}
