//! A call that waits behind an equal one, which another daemon of the home still has at work.

use crate::{
    journal::{end_with, entered, journal, key, recalled, starting, text_of},
    support::Place,
};
use exai_engine::ports::ledger::{Entered, Ledger as _, Recalled};
use exai_store::Store;
use std::sync::Arc;

#[tokio::test]
async fn it_is_known_to_the_next_daemon_and_gets_what_the_first_one_left() {
    let place = Place::new();
    let elder = journal(&place.open("elder"), &place);
    let first = starting("first", "{}");
    let entry = entered(&elder, first.clone()).await.ok().unwrap();
    elder.left(&key("first"));
    elder.caught_up().await;
    let mut options = place.options("heir");
    options.lives = Arc::new(|boot| boot == "elder");
    let heir = journal(&Store::open(options), &place);
    let second = heir.enter(starting("second", "{}")).await.unwrap();
    let Entered::Behind(before, _waits) = second else {
        panic!("it is not behind the first one")
    };
    assert_eq!(before, key("first"));
    let mut end = end_with(&first, "done");
    end.left = true;
    entry.finish(end).await.unwrap();
    // Both die now.
    let third = journal(&place.open("third"), &place);
    let known = recalled(&third, "second").await;
    assert!(matches!(known, Some(Recalled::Open(_))), "{known:?}");
    let second = third.enter(starting("second", "{}")).await.unwrap();
    let Entered::Left(kept, _) = second else {
        panic!("it does not get what the first one left")
    };
    assert!(text_of(&kept).contains("done"));
}

#[tokio::test]
async fn asked_for_twice_it_waits_once_and_other_arguments_are_another_call() {
    let place = Place::new();
    let elder = journal(&place.open("elder"), &place);
    let first = starting("first", "{}");
    let _entry = entered(&elder, first).await.ok().unwrap();
    elder.left(&key("first"));
    elder.caught_up().await;
    let mut options = place.options("heir");
    options.lives = Arc::new(|boot| boot == "elder");
    let heir = journal(&Store::open(options), &place);
    for _ in 0..2 {
        let waits = entered(&heir, starting("second", "{}")).await;
        assert_eq!(waits.err(), Some("behind"));
    }
    let other = entered(&heir, starting("second", r#"{"x":1}"#)).await;
    assert_eq!(other.err(), Some("other"));
}
