//! Conversations through the engine's port: kept whole, once, for their owner alone.

use crate::support::{NOON, Place};
use exai_engine::{
    admission::Seat,
    ports::{
        models::{Carry, Pin, Spent},
        threads::{
            Failure, Imported, ListQuery, Open, Said, SearchQuery, Sent, ThreadError, Threads, Turn,
        },
    },
    progress::ProgressHandle,
    tool::{ToolCall, no_arguments},
};
use exai_protocol::{Principal, RequestId, SessionId, UnixMillis};
use exai_store::{Options, Reader, Store, StoredThreads, ThreadLimits};
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

const DAY_MS: u64 = 86_400_000;

pub(crate) fn limits() -> ThreadLimits {
    ThreadLimits {
        unused: Duration::from_secs(90 * 86_400),
        turns: 1000,
        bytes: 1 << 30,
    }
}

fn threads(place: &Place, limits: ThreadLimits) -> StoredThreads {
    StoredThreads::new(place.open("boot"), limits)
}

fn call_of(principal: &str, seconds: f64) -> ToolCall {
    ToolCall {
        principal: Principal::new(principal),
        session_id: SessionId::new("s"),
        client_id: None,
        request_id: RequestId::new("r"),
        arguments: no_arguments(),
        roots: vec!["/work/a".to_owned()].into(),
        progress: ProgressHandle::default(),
        seat: Seat::default(),
        cancelled: CancellationToken::new(),
        deadline: tokio::time::Instant::now() + Duration::from_secs_f64(seconds),
    }
}

fn call() -> ToolCall {
    call_of("owner", 60.0)
}

pub(crate) fn owner() -> Principal {
    Principal::new("owner")
}

pub(crate) fn said(question: &str, answer: &str) -> Said {
    Said {
        tool: "chat".to_owned(),
        question: question.to_owned(),
        answer: Some(answer.to_owned()),
        ..Said::default()
    }
}

pub(crate) async fn open(threads: &StoredThreads, id: Option<&str>) -> Open {
    threads.open(&call(), id).await.unwrap()
}

/// A conversation of these turns; its id.
async fn begun(threads: &StoredThreads, turns: &[(&str, &str)]) -> String {
    let mut id = None;
    for (question, answer) in turns {
        let open = open(threads, id.as_deref()).await;
        threads.append(&open, said(question, answer)).await.unwrap();
        id = Some(open.id.to_string());
    }
    id.unwrap()
}

async fn refused(threads: &StoredThreads, id: &str) -> ThreadError {
    let opened = threads.open(&call(), Some(id)).await;
    opened.err().unwrap()
}

pub(crate) fn questions(turns: &[Turn]) -> Vec<&str> {
    turns
        .iter()
        .map(|turn| turn.said.question.as_str())
        .collect()
}

#[tokio::test]
async fn p19_a_turn_is_kept_whole_and_once_and_survives_the_process() {
    let place = Place::new();
    let whole = Said {
        instructions: Some("Be brief.".to_owned()),
        findings: Some("a leak".to_owned()),
        files: vec![Sent {
            path: "/work/a/x.rs".to_owned(),
            name: "x.rs".to_owned(),
            sha256: "00".repeat(32),
            lines: 7,
            ..Sent::default()
        }],
        mark: Some("c0de".to_owned()),
        expert: Some("agreed".to_owned()),
        state: Some(serde_json::json!({"step": 2})),
        pin: Some(Pin {
            endpoint: "glm".to_owned(),
            model: "glm-5".to_owned(),
        }),
        spent: Some(Spent {
            total_ms: 5,
            ..Spent::default()
        }),
        carry: Some(Carry {
            dialect: "anthropic".to_owned(),
            endpoint: "e".to_owned(),
            model: "m".to_owned(),
            items: serde_json::json!([{"signature": "s"}]),
        }),
        ..said("why is the sky blue?", "Because.")
    };
    let id = {
        let store = place.open("first");
        let threads = StoredThreads::new(store.clone(), limits());
        let opened = open(&threads, None).await;
        assert!(opened.turns.is_empty() && opened.id.len() == 36);
        assert_eq!(threads.append(&opened, whole.clone()).await.unwrap(), 1);
        let id = opened.id.to_string();
        store.close().await;
        id
    };
    let threads = threads(&place, limits());
    let opened = open(&threads, Some(&id)).await;
    assert_eq!(opened.turns.len(), 1);
    assert_eq!(opened.turns[0].said, whole);
    assert_eq!(opened.turns[0].at, UnixMillis(NOON));
    assert_eq!((opened.parent(), opened.pin()), (Some(1), whole.pin));
    drop(opened);
    let query = ListQuery {
        most: 9,
        ..ListQuery::default()
    };
    let listed = threads.list(&owner(), query).await.unwrap();
    assert_eq!((listed.of, listed.rows[0].turns), (1, 1));
    assert_eq!(listed.rows[0].title, "why is the sky blue?");
    assert_eq!(listed.rows[0].workspace, "/work/a");
    // Without a daemon, and by the beginning of its id.
    let reader = Reader::open(&place.path()).unwrap();
    let thread = reader.thread(&id[..8]).unwrap().unwrap();
    assert_eq!((thread.id, thread.turns.len()), (id, 1));
}

#[tokio::test]
async fn a_conversation_nobody_answered_does_not_exist() {
    let place = Place::new();
    let threads = threads(&place, limits());
    let opened = open(&threads, None).await;
    threads.failed(&opened, Failure::default());
    let id = opened.id.to_string();
    drop(opened);
    assert!(matches!(
        refused(&threads, &id).await,
        ThreadError::Unknown(_)
    ));
    // Of one that exists the fact is kept, and none of the words.
    let id = begun(&threads, &[("q", "a")]).await;
    let opened = open(&threads, Some(&id)).await;
    let failure = Failure {
        tool: "chat".to_owned(),
        code: "TIMEOUT".to_owned(),
        why: "no answer".to_owned(),
        ..Failure::default()
    };
    threads.failed(&opened, failure);
    drop(opened);
    // Another write is a fence behind the one nobody waits for.
    threads.rename(&owner(), &id, "named").await.unwrap();
    let thread = threads.load(&owner(), &id).await.unwrap();
    assert_eq!((thread.turns.len(), thread.failures.len()), (1, 1));
    assert_eq!(thread.failures[0].code, "TIMEOUT");
    assert_eq!(thread.title, "named");
}

#[tokio::test]
async fn those_of_another_principal_do_not_exist() {
    let place = Place::new();
    let threads = threads(&place, limits());
    let id = begun(&threads, &[("a secret question", "a secret answer")]).await;
    let other = Principal::new("other");
    let opened = threads.open(&call_of("other", 60.0), Some(&id)).await;
    let unknown = ThreadError::Unknown(id.clone());
    assert_eq!(opened.err(), Some(unknown.clone()));
    assert_eq!(threads.load(&other, &id).await.err(), Some(unknown.clone()));
    let renamed = threads.rename(&other, &id, "mine").await;
    assert_eq!(renamed.err(), Some(unknown.clone()));
    assert_eq!(
        threads.delete(&other, &id).await.err(),
        Some(unknown.clone())
    );
    let query = ListQuery {
        most: 9,
        ..ListQuery::default()
    };
    assert_eq!(threads.list(&other, query).await.unwrap().of, 0);
    let search = SearchQuery {
        words: "secret".to_owned(),
        most: 9,
        ..SearchQuery::default()
    };
    assert!(
        threads
            .search(&other, search.clone())
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(threads.search(&owner(), search).await.unwrap().len(), 1);
    // Nor does another hear that it was deleted.
    threads.delete(&owner(), &id).await.unwrap();
    let opened = threads.open(&call_of("other", 60.0), Some(&id)).await;
    assert_eq!(opened.err(), Some(unknown));
    assert!(matches!(
        refused(&threads, &id).await,
        ThreadError::Deleted(_)
    ));
}

#[tokio::test]
async fn a_branch_is_a_row_with_another_parent() {
    let place = Place::new();
    let threads = threads(&place, limits());
    let id = begun(&threads, &[("one", "1"), ("two", "2"), ("three", "3")]).await;
    let back = open(&threads, Some(&format!("{id}#1"))).await;
    assert_eq!(questions(&back.turns), ["one"]);
    assert_eq!(
        threads
            .append(&back, said("other two", "2'"))
            .await
            .unwrap(),
        4
    );
    drop(back);
    let on = open(&threads, Some(&id)).await;
    assert_eq!(questions(&on.turns), ["one", "other two"]);
    drop(on);
    let first = open(&threads, Some(&format!("{id}#3"))).await;
    assert_eq!(questions(&first.turns), ["one", "two", "three"]);
    drop(first);
    let all = threads.load(&owner(), &id).await.unwrap();
    let parents: Vec<_> = all.turns.iter().map(|turn| turn.parent).collect();
    assert_eq!(parents, [None, Some(1), Some(2), Some(1)]);
    for turn in ["0", "9", "x", ""] {
        let refused = refused(&threads, &format!("{id}#{turn}")).await;
        assert!(
            matches!(refused, ThreadError::NoTurn { count: 4, .. }),
            "{refused}"
        );
    }
}

#[tokio::test]
async fn what_is_not_used_expires_and_says_so_before_and_after_it_is_removed() {
    let place = Place::new();
    let threads = threads(&place, limits());
    let old = begun(&threads, &[("old", "1")]).await;
    place.set_time(NOON + 60 * DAY_MS);
    let used = begun(&threads, &[("used", "1")]).await;
    place.set_time(NOON + 91 * DAY_MS);
    let told = |error: &ThreadError| {
        assert_eq!(error.cause(), "thread_expired");
        assert!(
            error.to_string().contains("EXAI_THREADS_KEEP_SECS"),
            "{error}"
        );
    };
    told(&refused(&threads, &old).await);
    let query = || ListQuery {
        most: 9,
        ..ListQuery::default()
    };
    assert_eq!(threads.list(&owner(), query()).await.unwrap().of, 1);
    begun(&threads, &[("new", "1")]).await;
    told(&refused(&threads, &old).await);
    assert_eq!(open(&threads, Some(&used)).await.turns.len(), 1);
    let search = SearchQuery {
        words: "old".to_owned(),
        most: 9,
        ..SearchQuery::default()
    };
    assert!(threads.search(&owner(), search).await.unwrap().is_empty());
}

/// A clock that is set ahead, as after a flat battery, and back when the time is heard from the
/// network: nobody has stopped using anything meanwhile.
#[tokio::test]
async fn a_jump_of_the_clock_ends_no_conversation() {
    let place = Place::new();
    let options = Options {
        steady_for: Duration::from_secs(600),
        ..place.options("boot")
    };
    let threads = StoredThreads::new(Store::open(options), limits());
    let id = begun(&threads, &[("before", "1")]).await;
    for days in [400, 0] {
        place.set_time(NOON + days * DAY_MS);
        begun(&threads, &[("meanwhile", "2")]).await;
        let all = ListQuery {
            most: 9,
            ..ListQuery::default()
        };
        let listed = threads.list(&owner(), all).await.unwrap();
        assert!(listed.rows.iter().any(|thread| thread.id == id), "{days}");
        assert_eq!(open(&threads, Some(&id)).await.turns.len(), 1, "{days}");
    }
    // And a start with such a clock.
    place.set_time(NOON + 400 * DAY_MS);
    let options = Options {
        steady_for: Duration::from_secs(600),
        ..place.options("next")
    };
    let threads = StoredThreads::new(Store::open(options), limits());
    begun(&threads, &[("after", "3")]).await;
    assert_eq!(open(&threads, Some(&id)).await.turns.len(), 1);
}

#[tokio::test]
async fn what_was_unused_longest_makes_room() {
    let place = Place::new();
    let small = ThreadLimits {
        bytes: 4000,
        ..limits()
    };
    let threads = threads(&place, small);
    let text = "x".repeat(900);
    let mut ids = Vec::new();
    for at in 0..6 {
        place.set_time(NOON + at);
        ids.push(begun(&threads, &[("q", &text)]).await);
    }
    let gone = refused(&threads, &ids[0]).await;
    assert_eq!(gone.cause(), "thread_expired");
    assert!(
        gone.to_string().contains("EXAI_THREADS_MAX_BYTES"),
        "{gone}"
    );
    assert_eq!(open(&threads, Some(&ids[5])).await.turns.len(), 1);
}

#[tokio::test]
async fn p19_a_full_conversation_says_so_and_can_still_be_read() {
    let place = Place::new();
    let few = ThreadLimits {
        turns: 2,
        ..limits()
    };
    let threads = threads(&place, few);
    let id = begun(&threads, &[("one", "1"), ("two", "2")]).await;
    let full = refused(&threads, &id).await;
    assert_eq!(full.cause(), "thread_full");
    assert!(
        full.to_string().contains("EXAI_THREADS_MAX_TURNS allows 2"),
        "{full}"
    );
    assert_eq!(threads.load(&owner(), &id).await.unwrap().turns.len(), 2);
    let large = ThreadLimits {
        bytes: 400,
        ..limits()
    };
    let threads = StoredThreads::new(place.open("boot"), large);
    let id = begun(&threads, &[("q", &"x".repeat(200))]).await;
    assert_eq!(refused(&threads, &id).await.cause(), "thread_full");
}

#[tokio::test]
async fn words_are_found_however_they_are_written() {
    let place = Place::new();
    let threads = threads(&place, limits());
    let id = begun(
        &threads,
        &[
            (
                "why does the Straße leak?",
                "A file-handle is left open in parse_line().",
            ),
            ("and now?", "Über alles: fixed."),
        ],
    )
    .await;
    let search = async |words: &str| {
        let query = SearchQuery {
            words: words.to_owned(),
            most: 9,
            ..SearchQuery::default()
        };
        let found = threads.search(&owner(), query).await.unwrap();
        found.iter().map(|found| found.turn).collect::<Vec<_>>()
    };
    for (words, turns) in [
        ("file-handle", &[1][..]),
        ("LEFT open", &[1]),
        ("parse_line()", &[1]),
        ("uber", &[2]),
        ("fix", &[2]),
        ("straße OR nothing", &[]),
        ("\"; DROP TABLE turns; --", &[]),
        ("NEAR(", &[]),
        ("*", &[]),
        ("", &[]),
    ] {
        assert_eq!(search(words).await, turns, "{words}");
    }
    let elsewhere = SearchQuery {
        words: "leak".to_owned(),
        workspaces: vec!["/work/b".to_owned()],
        most: 9,
    };
    assert!(
        threads
            .search(&owner(), elsewhere)
            .await
            .unwrap()
            .is_empty()
    );
    threads.delete(&owner(), &id).await.unwrap();
    assert!(search("leak").await.is_empty());
    let store = place.open("other");
    store.check().await.unwrap();
}

#[tokio::test]
async fn p19_a_second_turn_waits_for_the_first_and_sees_it() {
    let place = Place::new();
    let threads = Arc::new(threads(&place, limits()));
    let id = begun(&threads, &[("one", "1")]).await;
    let first = open(&threads, Some(&id)).await;
    let late = threads.open(&call_of("owner", 0.4), Some(&id)).await;
    assert_eq!(late.err().unwrap().cause(), "thread_busy");
    let waits = {
        let (threads, id) = (Arc::clone(&threads), id.clone());
        async move {
            let second = open(&threads, Some(&id)).await;
            threads.append(&second, said("three", "3")).await.unwrap();
            questions(&second.turns).join(" ")
        }
    };
    let finishes = async {
        threads.append(&first, said("two", "2")).await.unwrap();
        drop(first);
    };
    let (seen, ()) = tokio::join!(waits, finishes);
    assert_eq!(seen, "one two");
    let all = threads.load(&owner(), &id).await.unwrap();
    assert_eq!(questions(&all.turns), ["one", "two", "three"]);
    // Whoever goes away without a word keeps nobody out.
    drop(open(&threads, Some(&id)).await);
    drop(open(&threads, Some(&id)).await);
}

#[tokio::test]
async fn two_new_ones_never_share_a_turn() {
    let place = Place::new();
    let threads = threads(&place, limits());
    let (a, b) = (open(&threads, None).await, open(&threads, None).await);
    assert_ne!(a.id, b.id);
    let (one, two) = tokio::join!(
        threads.append(&a, said("a", "1")),
        threads.append(&b, said("b", "2"))
    );
    assert_eq!((one.unwrap(), two.unwrap()), (1, 1));
    // The same one kept twice is kept once.
    let again = threads.append(&a, said("a", "1")).await;
    assert_eq!(again.err().unwrap().cause(), "thread_busy");
    assert_eq!(threads.load(&owner(), &a.id).await.unwrap().turns.len(), 1);
}

#[tokio::test]
async fn what_is_imported_is_there_once_with_its_own_times() {
    let place = Place::new();
    let threads = threads(&place, limits());
    let turn = |number: u32| Turn {
        number,
        parent: number.checked_sub(1).filter(|parent| *parent > 0),
        at: UnixMillis(NOON - 1000 + u64::from(number)),
        said: said(&format!("question {number}"), "answer"),
    };
    let imported = Imported {
        id: "0f8fad5b-d9cb-469f-a165-70867728950e".to_owned(),
        turns: vec![turn(1), turn(2)],
        ..Imported::default()
    };
    assert!(threads.import(&owner(), imported.clone()).await.unwrap());
    assert!(!threads.import(&owner(), imported.clone()).await.unwrap());
    let opened = open(&threads, Some(&imported.id)).await;
    assert_eq!(questions(&opened.turns), ["question 1", "question 2"]);
    assert_eq!(
        threads.append(&opened, said("three", "3")).await.unwrap(),
        3
    );
    let thread = threads.load(&owner(), &imported.id).await.unwrap();
    assert_eq!(
        (thread.title.as_str(), thread.turns.len()),
        ("question 1", 3)
    );
    assert_eq!(thread.created_at, UnixMillis(NOON - 999));
}

#[tokio::test]
async fn a_file_that_cannot_be_used_says_so_and_a_new_one_can_be_begun() {
    let place = Place::new();
    let store = place.open("boot");
    let threads = StoredThreads::new(store.clone(), limits());
    let id = begun(&threads, &[("one", "1")]).await;
    let opened = open(&threads, Some(&id)).await;
    store.close().await;
    let failed = threads
        .append(&opened, said("two", "2"))
        .await
        .err()
        .unwrap();
    assert_eq!(failed.cause(), "threads_unavailable");
    assert!(open(&threads, None).await.turns.is_empty());
}

#[tokio::test]
async fn of_a_damaged_file_conversations_are_taken_over_too() {
    let place = Place::new();
    let store = place.open("first");
    let threads = StoredThreads::new(store.clone(), limits());
    let id = begun(&threads, &[("findable words", "1"), ("two", "2")]).await;
    store.close().await;
    drop((store, threads));
    damage_an_index(&place);
    let store = place.open("second");
    let _ = store.check().await;
    let threads = StoredThreads::new(store.clone(), limits());
    crate::support::eventually("it is set aside", || async {
        !store.condition().set_aside.is_empty()
    })
    .await;
    let thread = threads.load(&owner(), &id).await.unwrap();
    assert_eq!(questions(&thread.turns), ["findable words", "two"]);
    let query = SearchQuery {
        words: "findable".to_owned(),
        most: 9,
        ..SearchQuery::default()
    };
    assert_eq!(threads.search(&owner(), query).await.unwrap().len(), 1);
    store.close().await;
}

/// Writes over the page of one index, which nothing else is read through.
fn damage_an_index(place: &Place) {
    let db = rusqlite::Connection::open(place.path()).unwrap();
    let root = "SELECT rootpage FROM sqlite_schema WHERE name = 'threads_by_use'";
    let root: i64 = db.query_row(root, [], |row| row.get(0)).unwrap();
    let log = "PRAGMA wal_checkpoint(TRUNCATE)";
    db.query_row(log, [], |_| Ok(())).unwrap();
    db.close().unwrap();
    let mut bytes = std::fs::read(place.path()).unwrap();
    let page = usize::from(u16::from_be_bytes([bytes[16], bytes[17]]));
    let at = (usize::try_from(root).unwrap() - 1) * page;
    bytes[at..at + page].fill(0xff);
    std::fs::File::create(place.path())
        .and_then(|mut file| std::io::Write::write_all(&mut file, &bytes))
        .unwrap();
}

/// For files of released schemas.
pub(crate) async fn keep_one(store: &exai_store::Store) {
    let threads = StoredThreads::new(store.clone(), limits());
    begun(
        &threads,
        &[("a question to be found", "an answer"), ("and?", "so")],
    )
    .await;
}

/// What [`keep_one`] kept.
pub(crate) async fn find_the_one(store: &exai_store::Store) {
    let threads = StoredThreads::new(store.clone(), limits());
    let search = SearchQuery {
        words: "found".to_owned(),
        most: 9,
        ..SearchQuery::default()
    };
    let found = threads.search(&owner(), search).await.unwrap();
    let opened = open(&threads, Some(&found[0].thread.id)).await;
    assert_eq!(questions(&opened.turns), ["a question to be found", "and?"]);
}
