//! The journal as the engine's ledger: what a daemon promised, the next one knows.

use crate::support::{NOON, Place, ask, eventually};
use exai_engine::{
    calls::{CallKey, Finished, Kept},
    ports::ledger::{Ended, Entered, Entering, Entry, Ledger, LedgerError, Open, Recalled},
};
use exai_protocol::{
    Code, Outcome, Principal, RawValue, RequestId, SessionId, UnixMillis, WireError,
    record::{CallFacts, FinishedRecord, ProgressRecord},
};
use exai_store::{CallsQuery, Journal, Keeping, Options, Reader, State, Store};
use std::{path::Path, sync::Arc, time::Duration};

pub(crate) fn keeping(directory: &Path) -> Keeping {
    Keeping {
        directory: directory.to_owned(),
        results_for: Duration::from_secs(600),
        left_for: Duration::from_secs(60),
        result_bytes: 1 << 30,
        most_bytes: 64 << 20,
        rows_for: Duration::from_secs(3600),
        rows: 1000,
    }
}

pub(crate) fn journal(store: &Store, place: &Place) -> Journal {
    Journal::new(store, keeping(&place.dir.path().join("results")))
}

fn raw(json: &str) -> Arc<RawValue> {
    Arc::from(RawValue::from_string(json.to_owned()).unwrap())
}

pub(crate) fn key(request: &str) -> CallKey {
    CallKey {
        principal: Principal::new("owner"),
        scope: "client:window".into(),
        request_id: RequestId::new(request),
    }
}

pub(crate) fn call(request: &str, args: &str) -> Entering {
    let mut args_hash = [0; 32];
    args_hash[..args.len().min(32)].copy_from_slice(&args.as_bytes()[..args.len().min(32)]);
    Entering {
        key: key(request),
        facts: Arc::new(CallFacts {
            number: 7,
            principal: Principal::new("owner"),
            session_id: SessionId::new("s"),
            client_id: None,
            client_name: "editor".into(),
            request_id: RequestId::new(request),
            tool: "act".into(),
            provider: "".into(),
            args_bytes: args.len() as u64,
            args_hash: 1,
            arguments: None,
            received_at: UnixMillis(NOON),
        }),
        args_hash,
        arguments: raw(args),
        repeatable: false,
        operator: false,
        timeout: Some(Duration::from_secs(9)),
        starts: false,
    }
}

pub(crate) fn starting(request: &str, args: &str) -> Entering {
    Entering {
        starts: true,
        ..call(request, args)
    }
}

pub(crate) fn end_with(call: &Entering, text: &str) -> Ended {
    end(call, Some(text), None)
}

fn end(call: &Entering, text: Option<&str>, error: Option<WireError>) -> Ended {
    let outputs = text.map(|text| raw(&format!(r#"[{{"type":"text","text":"{text}"}}]"#)));
    let result = Finished::recalled(Kept {
        tool: call.facts.tool.clone(),
        args_hash: call.args_hash,
        outputs,
        structured: Some(raw(r#"{"n":1}"#)),
        usage: None,
        error: error.clone(),
        queue_us: 5,
        run_us: Some(6),
        ended_at: UnixMillis(NOON),
    });
    let record = FinishedRecord {
        call: call.facts.clone(),
        outcome: Outcome::Ok,
        error,
        usage: None,
        finished_at: UnixMillis(NOON),
        queue_us: 5,
        run_us: Some(6),
        result_bytes: result.result_bytes() as u64,
        late_progress: Vec::new(),
        progress_left_out: 0,
        progress: 0,
        watchers: 1,
    };
    Ended {
        record: Arc::new(record),
        result: Arc::new(result),
        left: false,
    }
}

/// A new entry, or what there was instead.
pub(crate) async fn entered(
    journal: &Journal,
    call: Entering,
) -> Result<Box<dyn Entry>, &'static str> {
    Err(match journal.enter(call).await.unwrap() {
        Entered::New(entry) => return Ok(entry),
        Entered::Finished(_) => "finished",
        Entered::Expired => "expired",
        Entered::Other(_) => "other",
        Entered::Interrupted(..) => "interrupted",
        Entered::Elsewhere { .. } => "elsewhere",
        Entered::Behind(..) => "behind",
        Entered::Left(..) => "left",
    })
}

pub(crate) async fn recalled(journal: &Journal, request: &str) -> Option<Recalled> {
    journal.recall(&key(request)).await.unwrap()
}

pub(crate) fn text_of(finished: &Finished) -> String {
    finished.outputs.as_ref().unwrap().get().to_owned()
}

#[tokio::test]
async fn a_result_is_known_to_the_next_daemon_and_never_run_again() {
    let place = Place::new();
    let store = place.open("first");
    let first = journal(&store, &place);
    let call = starting("r1", "{}");
    let entry = entered(&first, call.clone()).await.ok().unwrap();
    entry.finish(end_with(&call, "done")).await.unwrap();
    store.close().await;

    let second = journal(&place.open("second"), &place);
    let Some(Recalled::Finished(kept)) = recalled(&second, "r1").await else {
        panic!("not kept")
    };
    assert_eq!(text_of(&kept), r#"[{"type":"text","text":"done"}]"#);
    assert_eq!(kept.structured.as_ref().unwrap().get(), r#"{"n":1}"#);
    assert_eq!(
        (kept.queue_us, kept.run_us, kept.recalled),
        (5, Some(6), true)
    );
    assert_eq!(entered(&second, call).await.err(), Some("finished"));
    assert_eq!(
        entered(&second, starting("r1", r#"{"x":1}"#)).await.err(),
        Some("other")
    );
    assert!(recalled(&second, "r2").await.is_none());
}

#[tokio::test]
async fn a_call_that_was_accepted_and_not_started_can_be_taken_up() {
    let place = Place::new();
    let store = place.open("first");
    drop(entered(&journal(&store, &place), call("r", r#"{"a":1}"#)).await);
    store.close().await;
    let second = journal(&place.open("second"), &place);
    let Some(Recalled::Open(Open {
        tool,
        arguments,
        timeout,
        ..
    })) = recalled(&second, "r").await
    else {
        panic!("not open")
    };
    assert_eq!((&*tool, timeout), ("act", Some(Duration::from_secs(9))));
    assert_eq!(arguments.unwrap().get(), r#"{"a":1}"#);
    let mut entry = entered(&second, call("r", r#"{"a":1}"#))
        .await
        .ok()
        .unwrap();
    entry.start().await.unwrap();
    let mine = call("r", r#"{"a":1}"#);
    entry.finish(end_with(&mine, "late")).await.unwrap();
    assert!(matches!(
        recalled(&second, "r").await,
        Some(Recalled::Finished(_))
    ));
}

#[tokio::test]
async fn an_interrupted_call_runs_again_only_where_that_is_harmless() {
    let place = Place::new();
    let store = place.open("first");
    let first = journal(&store, &place);
    drop(entered(&first, starting("once", "{}")).await);
    let repeatable = Entering {
        repeatable: true,
        ..starting("again", "{}")
    };
    drop(entered(&first, repeatable.clone()).await);
    first.said(
        &key("once"),
        &ProgressRecord {
            call: call("once", "{}").facts,
            at: UnixMillis(NOON + 1),
            seq: 1,
            stage: "writing".into(),
            message: "half of it".into(),
        },
    );
    // A request to a provider that was under way when the daemon died.
    let mut request = ask("once", 50, &[]);
    Arc::make_mut(&mut request.call).who.client = Some("window".into());
    std::mem::forget(store.reserve(request).await.unwrap());
    store.close().await;

    let second = journal(&place.open("second"), &place);
    let Entered::Interrupted(evidence, entry) = second.enter(call("once", "{}")).await.unwrap()
    else {
        panic!("not interrupted")
    };
    assert_eq!(evidence.started_at, Some(UnixMillis(NOON)));
    let said = evidence.said.unwrap();
    assert_eq!((&*said.1, &*said.2), ("writing", "half of it"));
    assert_eq!(
        evidence.requests,
        ["glm-5 at glm (about 100 tokens sent, no answer known)"]
    );
    let error = WireError::new(Code::OutcomeUnknown, "who knows");
    let mine = call("once", "{}");
    entry.finish(end(&mine, None, Some(error))).await.unwrap();
    let Some(Recalled::Finished(kept)) = recalled(&second, "once").await else {
        panic!("its end is not kept")
    };
    assert_eq!(kept.error.as_ref().unwrap().code, Code::OutcomeUnknown);

    assert!(matches!(
        recalled(&second, "again").await,
        Some(Recalled::Open(_))
    ));
    assert!(entered(&second, repeatable).await.is_ok());
    let rows = Reader::open(&place.path()).unwrap();
    let which = Some("again".to_owned());
    let query = CallsQuery {
        which,
        most: 9,
        ..CallsQuery::default()
    };
    let row = rows.calls(&query).unwrap().remove(0);
    assert_eq!(
        (row.runs, &*row.state, &*row.boot),
        (2, "started", "second")
    );
}

#[tokio::test]
async fn what_was_turned_away_or_asked_for_by_nobody_may_come_again() {
    let place = Place::new();
    let journal = journal(&place.open("a"), &place);
    entered(&journal, call("r", "{}"))
        .await
        .ok()
        .unwrap()
        .withdraw();
    eventually("it is forgotten", || async {
        recalled(&journal, "r").await.is_none()
    })
    .await;
    // Somebody else's transaction keeps the writer from answering at once.
    let other = rusqlite::Connection::open(place.path()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    for round in 0..20 {
        // Polled once, so that it is on its way, and dropped.
        let mut asked = journal.enter(call(&format!("gone {round}"), "{}"));
        let mut nobody = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(asked.as_mut().poll(&mut nobody).is_pending());
    }
    other.execute_batch("COMMIT").unwrap();
    // Asked for last, so that the others are through when it is.
    let last = entered(&journal, call("last", "{}")).await.ok().unwrap();
    eventually("none of them is there", || async {
        let rows = Reader::open(&place.path()).unwrap();
        let query = CallsQuery {
            most: 99,
            ..CallsQuery::default()
        };
        let left = rows.calls(&query).unwrap();
        left.len() == 1 && &*left[0].request == "last"
    })
    .await;
    drop(last);
}

#[tokio::test]
async fn large_results_are_files_of_the_owner_and_go_with_age_and_size() {
    let place = Place::new();
    let store = place.open("a");
    let results = place.dir.path().join("results");
    let mut keeping = keeping(&results);
    keeping.result_bytes = 5_000_000;
    keeping.most_bytes = 4_000_000;
    let journal = Journal::new(&store, keeping);
    for (request, bytes) in [
        ("first", 3_000_000),
        ("second", 3_000_001),
        ("huge", 4_000_001),
    ] {
        let call = Entering {
            facts: Arc::new(CallFacts {
                number: bytes as u64,
                ..CallFacts::clone(&call(request, "{}").facts)
            }),
            ..call(request, "{}")
        };
        let entry = entered(&journal, call.clone()).await.ok().unwrap();
        entry
            .finish(end_with(&call, &"x".repeat(bytes)))
            .await
            .unwrap();
    }
    let Some(Recalled::Finished(kept)) = recalled(&journal, "first").await else {
        panic!("not kept")
    };
    assert_eq!(text_of(&kept).len(), 3_000_000 + 27);
    assert!(matches!(
        recalled(&journal, "huge").await,
        Some(Recalled::Expired)
    ));
    let files = || {
        std::fs::read_dir(&results)
            .unwrap()
            .flatten()
            .collect::<Vec<_>>()
    };
    assert_eq!(files().len(), 2);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(
            files()[0].metadata().unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(
            results.metadata().unwrap().permissions().mode() & 0o777,
            0o700
        );
    }
    place.set_time(NOON + 1000);
    journal.sweep().await;
    // Over the bound in bytes: the oldest go.
    assert!(matches!(
        recalled(&journal, "first").await,
        Some(Recalled::Expired)
    ));
    place.set_time(NOON + 601_000);
    journal.sweep().await;
    assert!(matches!(
        recalled(&journal, "second").await,
        Some(Recalled::Expired)
    ));
    assert!(files().is_empty());
    let again = entered(&journal, call("second", "{}")).await;
    assert_eq!(
        again.err(),
        Some("expired"),
        "it ran, and does not run again"
    );
    place.set_time(NOON + 3_601_000);
    journal.sweep().await;
    assert!(recalled(&journal, "second").await.is_none());
}

/// What ended a moment ago is not the oldest because the clock was set ahead and back.
#[tokio::test]
async fn beyond_the_bound_the_newest_result_stays_whatever_the_clock_said() {
    let place = Place::new();
    let store = place.open("a");
    let mut keeping = keeping(&place.dir.path().join("results"));
    keeping.result_bytes = 5_000_000;
    let journal = Journal::new(&store, keeping);
    let calls = ["one", "two", "three", "four"];
    for (number, request) in (1..).zip(calls) {
        let call = Entering {
            facts: Arc::new(CallFacts {
                number,
                ..CallFacts::clone(&call(request, "{}").facts)
            }),
            ..call(request, "{}")
        };
        let entry = entered(&journal, call.clone()).await.ok().unwrap();
        let mut end = end_with(&call, &"x".repeat(1_500_000));
        if request == "four" {
            let record = FinishedRecord::clone(&end.record);
            let finished_at = UnixMillis(NOON - 300_000);
            end.record = Arc::new(FinishedRecord {
                finished_at,
                ..record
            });
        }
        entry.finish(end).await.unwrap();
    }
    journal.sweep().await;
    for request in calls {
        let kept = matches!(
            recalled(&journal, request).await,
            Some(Recalled::Finished(_))
        );
        assert_eq!(
            kept,
            request != "one",
            "{request}: no more than is too much, and the oldest"
        );
    }
}

/// A clock that is set ahead by days, as after a flat battery: what was promised stays.
#[tokio::test]
async fn a_jump_of_the_clock_makes_nothing_old() {
    let place = Place::new();
    let store = Store::open(Options {
        steady_for: Duration::from_secs(600),
        ..place.options("a")
    });
    let journal = Journal::new(&store, keeping(&place.dir.path().join("results")));
    let finished = starting("finished", "{}");
    let entry = entered(&journal, finished.clone()).await.ok().unwrap();
    entry.finish(end_with(&finished, "done")).await.unwrap();
    let _runs = entered(&journal, starting("runs", "{}"))
        .await
        .ok()
        .unwrap();
    for jump in [3_600_000_000, 40 * 86_400_000, 0] {
        place.set_time(NOON + jump);
        journal.sweep().await;
        assert!(matches!(
            recalled(&journal, "finished").await,
            Some(Recalled::Finished(_))
        ));
        assert_eq!(
            entered(&journal, starting("runs", r#"{"other":1}"#))
                .await
                .err(),
            Some("other"),
            "it is known that it was made"
        );
    }
}

#[tokio::test]
async fn a_result_nobody_waited_for_is_the_next_equal_calls_once() {
    let place = Place::new();
    let journal = journal(&place.open("a"), &place);
    let leave = async |request: &str, error: Option<WireError>| {
        let call = starting(request, "{}");
        let entry = entered(&journal, call.clone()).await.ok().unwrap();
        let mut end = end(&call, Some(request), error);
        end.left = true;
        entry.finish(end).await.unwrap();
    };
    leave("failed", Some(WireError::new(Code::ExecError, "no"))).await;
    assert!(entered(&journal, starting("fresh 1", "{}")).await.is_ok());
    leave("left", None).await;
    assert!(
        entered(&journal, starting("other", r#"{"x":1}"#))
            .await
            .is_ok()
    );
    let Entered::Left(kept, entry) = journal.enter(starting("mine", "{}")).await.unwrap() else {
        panic!("not left")
    };
    assert!(text_of(&kept).contains("left"));
    let mine = starting("mine", "{}");
    entry.finish(end_with(&mine, "left")).await.unwrap();
    assert!(
        entered(&journal, starting("fresh 2", "{}")).await.is_ok(),
        "only once"
    );
    assert_eq!(entered(&journal, mine).await.err(), Some("finished"));

    leave("left 2", None).await;
    journal.taken(&key("left 2"));
    assert!(
        entered(&journal, starting("fresh 3", "{}")).await.is_ok(),
        "it was taken"
    );
    leave("left 3", None).await;
    place.set_time(NOON + 61_000);
    assert!(
        entered(&journal, starting("fresh 4", "{}")).await.is_ok(),
        "too old"
    );
}

#[tokio::test]
async fn without_room_nothing_new_is_promised_and_nothing_promised_is_lost() {
    let place = Place::new();
    let mut options = place.options("a");
    options.most_bytes = Some(300 * 1024);
    let store = Store::open(options);
    let journal = journal(&store, &place);
    let early = starting("early", "{}");
    let entry = entered(&journal, early.clone()).await.ok().unwrap();
    crate::full::fill(&store).await;
    // What is left of a page may still take a row or two.
    let mut fitted = Vec::new();
    let (late, LedgerError { reason }) = loop {
        let late = format!("late-{}", fitted.len());
        match journal.enter(call(&late, "{}")).await {
            Ok(entered) => fitted.push(entered),
            Err(error) => break (late, error),
        }
        assert!(fitted.len() < 200, "a full file takes calls for ever");
    };
    assert!(reason.contains("no room"), "{reason}");
    let told = entry.finish(end_with(&early, &"y".repeat(20_000))).await;
    assert!(
        told.is_err(),
        "an answer does not wait for a person to make room"
    );

    let db = rusqlite::Connection::open(place.path()).unwrap();
    db.busy_timeout(Duration::from_secs(10)).unwrap();
    db.execute_batch("DELETE FROM usage WHERE request LIKE 'filler%'; DELETE FROM spending WHERE name LIKE 'filler%'").unwrap();
    drop(db);
    eventually("it is good again", || async {
        store.condition().state == State::Good
    })
    .await;
    eventually("the end is there", || async {
        matches!(
            recalled(&journal, "early").await,
            Some(Recalled::Finished(_))
        )
    })
    .await;
    assert!(recalled(&journal, &late).await.is_none());
}

#[tokio::test]
async fn the_end_of_a_call_that_the_file_has_lost_is_kept_all_the_same() {
    let place = Place::new();
    let journal = journal(&place.open("a"), &place);
    let lost = starting("lost", "{}");
    let entry = entered(&journal, lost.clone()).await.ok().unwrap();
    let db = rusqlite::Connection::open(place.path()).unwrap();
    db.busy_timeout(Duration::from_secs(10)).unwrap();
    db.execute("DELETE FROM calls", []).unwrap();
    entry.finish(end_with(&lost, "here")).await.unwrap();
    assert!(matches!(
        recalled(&journal, "lost").await,
        Some(Recalled::Finished(_))
    ));
}

#[tokio::test]
async fn a_damaged_file_gives_its_calls_to_the_new_one() {
    let place = Place::new();
    let store = place.open("a");
    let first = journal(&store, &place);
    for number in 0..600 {
        let call = starting(&format!("r{number}"), "{}");
        let entry = entered(&first, call.clone()).await.ok().unwrap();
        entry
            .finish(end_with(&call, &"z".repeat(300)))
            .await
            .unwrap();
    }
    store.close().await;
    let length = std::fs::metadata(place.path()).unwrap().len();
    let store = place.open("b");
    crate::faults::damage(&place.path(), length / 2 / 4096 * 4096, &[0xa5; 4096]);
    let _ = store.check().await;
    eventually("it is set aside", || async {
        store.condition().set_aside.len() == 1
    })
    .await;
    eventually("it is good again", || async { store.condition().keeps() }).await;
    let second = journal(&store, &place);
    let mut known = 0;
    for number in 0..600 {
        known += usize::from(recalled(&second, &format!("r{number}")).await.is_some());
    }
    assert!(known > 200, "{known} of 600 came over");
}
