//! What a ledger that remembers knows of a call decides what becomes of it; and a ledger that
//! stands still holds nobody up without a word.

use crate::{
    scripts::{Script, repeatable},
    world::{Plan, World, raw, secs, settle},
};
use exai_engine::{
    calls::{CallKey, Finished, Kept, Remembered},
    ports::ledger::{
        Ended, Entered, Entering, Entry, Interrupted, Ledger, LedgerError, LedgerFuture, Open,
        Recalled,
    },
    tool::Tool,
};
use exai_protocol::{Code, UnixMillis, control::CallState, error::Ran, request::CancelMode};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::time::Instant;

/// What it says of the next call that is entered.
#[derive(Clone)]
enum Says {
    Finished,
    Expired,
    Other,
    Interrupted,
    Left,
    NothingEver,
    Fails,
}

#[derive(Default)]
struct Memory {
    says: Mutex<VecDeque<Says>>,
    recalls: Mutex<Option<Recalled>>,
    log: Arc<Mutex<Vec<String>>>,
    finishes_in: Duration,
}

struct Noted {
    log: Arc<Mutex<Vec<String>>>,
    finishes_in: Duration,
}

const NEVER: Duration = Duration::from_secs(1_000_000);

fn kept(call: &Entering) -> Arc<Finished> {
    Arc::new(Finished::recalled(Kept {
        tool: Arc::clone(&call.facts.tool),
        args_hash: call.args_hash,
        outputs: Some(raw(r#"[{"type":"text","text":"from before"}]"#)),
        structured: None,
        usage: Some(raw(r#"{"cost":1}"#)),
        error: None,
        queue_us: 1,
        run_us: Some(2),
        ended_at: UnixMillis(5),
    }))
}

impl Ledger for Memory {
    fn remembers(&self) -> bool {
        true
    }

    fn enter(&self, call: Entering) -> LedgerFuture<'_, Entered> {
        let entry = Box::new(Noted {
            log: Arc::clone(&self.log),
            finishes_in: self.finishes_in,
        });
        let says = self.says.lock().unwrap().pop_front();
        Box::pin(async move {
            Ok(match says {
                None => Entered::New(entry),
                Some(Says::Finished) => Entered::Finished(kept(&call)),
                Some(Says::Expired) => Entered::Expired,
                Some(Says::Other) => Entered::Other("another".into()),
                Some(Says::Left) => Entered::Left(kept(&call), entry),
                Some(Says::NothingEver) => std::future::pending().await,
                Some(Says::Fails) => {
                    tokio::time::sleep(secs(1)).await;
                    let reason = "the disk is full".to_owned();
                    return Err(LedgerError { reason });
                }
                Some(Says::Interrupted) => Entered::Interrupted(
                    Interrupted {
                        runs: 1,
                        started_at: Some(UnixMillis(1_000_000)),
                        said: Some((UnixMillis(1_000_000), "writing".into(), "half".into())),
                        requests: vec!["glm-5 at glm".into()],
                    },
                    entry,
                ),
            })
        })
    }

    fn recall<'a>(&'a self, _: &'a CallKey) -> LedgerFuture<'a, Option<Recalled>> {
        let recalled = self.recalls.lock().unwrap().clone();
        Box::pin(async { Ok(recalled) })
    }

    fn left(&self, key: &CallKey) {
        let line = format!("left {}", key.request_id);
        self.log.lock().unwrap().push(line);
    }

    fn taken(&self, key: &CallKey) {
        let line = format!("taken {}", key.request_id);
        self.log.lock().unwrap().push(line);
    }
}

impl Entry for Noted {
    fn start(&mut self) -> LedgerFuture<'_, ()> {
        self.log.lock().unwrap().push("start".into());
        Box::pin(async { Ok(()) })
    }

    fn finish(self: Box<Self>, end: Ended) -> LedgerFuture<'static, ()> {
        let code = end.result.error.as_ref().map(|error| error.code.as_str());
        let line = format!("finish {} left={}", code.unwrap_or("ok"), end.left);
        self.log.lock().unwrap().push(line);
        Box::pin(async move {
            tokio::time::sleep(self.finishes_in).await;
            Ok(())
        })
    }

    fn withdraw(self: Box<Self>) {
        self.log.lock().unwrap().push("withdraw".into());
    }
}

impl Memory {
    fn of(says: &[Says]) -> Self {
        Self {
            says: Mutex::new(says.iter().cloned().collect()),
            ..Self::default()
        }
    }

    fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }
}

fn world(memory: Memory) -> (World, Arc<Memory>) {
    let memory = Arc::new(memory);
    let world = World::planned(Plan {
        ledger: Arc::clone(&memory) as _,
        ..Plan::default()
    });
    (world, memory)
}

#[tokio::test(start_paused = true)]
async fn r02_what_the_ledger_knows_is_answered_and_never_run() {
    let says = [
        Says::Finished,
        Says::Expired,
        Says::Other,
        Says::Interrupted,
    ];
    let (world, memory) = world(Memory::of(&says));
    let member = world.join("a");
    let end = world.run(&member, "1", "act", "{}").await;
    assert!(end.replayed && end.outputs.unwrap().contains("from before"));
    let end = world.run(&member, "2", "act", "{}").await;
    assert_eq!((end.code, end.ran), (Some(Code::Expired), Some(Ran::Yes)));
    let end = world.run(&member, "3", "act", "{}").await;
    assert_eq!(
        (end.code, end.ran),
        (Some(Code::InvalidArgument), Some(Ran::No))
    );
    assert!(end.message.contains("another"), "{}", end.message);
    assert_eq!(memory.log(), Vec::<String>::new());
    let end = world.run(&member, "4", "act", "{}").await;
    assert_eq!(
        (end.code, end.ran),
        (Some(Code::OutcomeUnknown), Some(Ran::Unknown))
    );
    for words in ["writing: half", "glm-5 at glm", "Check its effects"] {
        assert!(end.message.contains(words), "{}", end.message);
    }
    assert_eq!(memory.log(), ["finish OUTCOME_UNKNOWN left=false"]);
    assert_eq!(world.runs("act"), 0);
    // Once told, it is at hand.
    assert!(world.run(&member, "1", "act", "{}").await.replayed);
    world.audit().await;
    assert!(
        world.finished()[0].usage.is_none(),
        "what was used was used once"
    );
}

#[tokio::test(start_paused = true)]
async fn r02_a_call_left_open_is_taken_up_by_whoever_asks() {
    let (world, memory) = world(Memory::default());
    let member = world.join("a");
    let open = Open {
        tool: "act".into(),
        args_hash: [7; 32],
        arguments: Some(raw(r#"{"ms":10}"#)),
        operator: false,
        timeout: Some(secs(9)),
        evidence: Box::default(),
    };
    *memory.recalls.lock().unwrap() = Some(Recalled::Open(open));
    for (id, stop, code) in [("1", None, None), ("2", Some("no"), Some(Code::Cancelled))] {
        let remembered = world.engine.recall(&member.session, &id.into()).await;
        assert_eq!(remembered.state(), CallState::Queued);
        let Remembered::Open(revived) = remembered else {
            panic!("not open")
        };
        let ear = crate::ear::Ear::new(member.peer);
        let session = &member.session;
        let watcher = Arc::clone(&ear) as _;
        let stop = stop.map(str::to_owned);
        let taken_up = world
            .engine
            .revive(session, &id.into(), revived, watcher, stop);
        assert!(taken_up.is_ok());
        let end = ear.end().await;
        assert_eq!(end.code, code);
        assert!(code.is_none() || end.ran == Some(Ran::No));
    }
    assert_eq!(world.runs("act"), 1);
    world.audit().await;
}

#[tokio::test(start_paused = true)]
async fn i03_what_this_life_has_forgotten_runs_only_if_nobody_ever_ran_it() {
    let (world, memory) = world(Memory::default());
    let member = world.join("a");
    world.run(&member, "1", "act", "{}").await;
    tokio::time::sleep(secs(700)).await;
    memory.says.lock().unwrap().push_back(Says::Finished);
    assert!(world.run(&member, "1", "act", "{}").await.replayed);
    tokio::time::sleep(secs(700)).await;
    // The ledger has lost it; the tombstone has not.
    let end = world.run(&member, "1", "act", "{}").await;
    assert_eq!(end.code, Some(Code::Expired));
    assert_eq!(memory.log().last().map(String::as_str), Some("withdraw"));
    assert_eq!(world.runs("act"), 1);
    world.audit().await;
}

#[tokio::test(start_paused = true)]
async fn i02_a_ledger_that_stands_still_is_waited_for_with_signs_of_life_and_not_for_ever() {
    let (world, _) = world(Memory::of(&[Says::NothingEver]));
    let member = world.join("a");
    let ear = world.call_for(&member, "1", "act", "{}", Some(secs(20)));
    let end = ear.end().await;
    assert_eq!((end.code, end.ran), (Some(Code::Timeout), Some(Ran::No)));
    assert!(ear.progress().len() >= 5, "{:?}", ear.progress());
    world.audit().await;

    let memory = Memory {
        finishes_in: NEVER,
        ..Memory::default()
    };
    let (world, _) = self::world(memory);
    let member = world.join("a");
    let began = Instant::now();
    let end = world.run(&member, "1", "act", "{}").await;
    assert_eq!(end.code, None, "the answer is there");
    assert!(began.elapsed() < Duration::from_secs(6));
    world.audit().await;
}

#[tokio::test(start_paused = true)]
async fn r09_only_who_said_that_it_waits_no_longer_leaves_a_result() {
    let (world, memory) = world(Memory::default());
    let member = world.join("a");
    let call = r#"{"ms":1000}"#;
    world.call(&member, "left", "act", call);
    settle().await;
    world
        .engine
        .cancel(&member, &"left".into(), CancelMode::Detach, "");
    tokio::time::sleep(secs(2)).await;
    assert_eq!(memory.log(), ["finish ok left=true"]);

    world.call(&member, "back", "act", call);
    settle().await;
    world
        .engine
        .cancel(&member, &"back".into(), CancelMode::Detach, "");
    let back = world.call(&member, "back", "act", call);
    back.end().await;
    assert_eq!(memory.log().last().unwrap(), "finish ok left=false");

    world.call(&member, "lost", "act", call);
    settle().await;
    world.leave(&member);
    tokio::time::sleep(secs(2)).await;
    assert_eq!(
        memory.log().last().unwrap(),
        "finish ok left=false",
        "it will come back"
    );

    let member = world.join("a");
    memory.says.lock().unwrap().push_back(Says::Left);
    let end = world.run(&member, "again", "act", call).await;
    assert!(end.replayed);
    assert_eq!(memory.log().last().unwrap(), "finish ok left=false");
    world.run(&member, "left", "act", call).await;
    assert_eq!(memory.log().last().unwrap(), "taken left");
    world.audit().await;
}

/// The end of a call and its client's word that it waits no longer may cross on their way.
#[tokio::test(start_paused = true)]
async fn r09_who_lets_go_as_the_call_ends_leaves_its_result_too() {
    let (world, memory) = world(Memory {
        finishes_in: secs(1),
        ..Memory::default()
    });
    let member = world.join("a");
    let call = r#"{"ms":1000}"#;
    for (id, after) in [("being written", 1_500), ("ended", 2_500)] {
        world.call(&member, id, "act", call);
        tokio::time::sleep(Duration::from_millis(after)).await;
        let before = ["finish ok left=false".to_owned()];
        assert_eq!(memory.log().last_chunk(), Some(&before), "{id}");
        world
            .engine
            .cancel(&member, &id.into(), CancelMode::Detach, "");
        tokio::time::sleep(secs(1)).await;
        assert_eq!(memory.log().last(), Some(&format!("left {id}")));
    }

    // Whoever asks while that is on its way joins it, and has then taken it.
    world.call(&member, "third", "act", call);
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    world
        .engine
        .cancel(&member, &"third".into(), CancelMode::Detach, "");
    let runs = world.runs("act");
    let again = world.call(&member, "fourth", "act", call);
    assert!(again.end().await.outputs.is_some());
    assert_eq!(world.runs("act"), runs, "one run for both");
    let log = memory.log();
    let of = |line: &str| log.iter().rposition(|one| one == line);
    assert!(
        of("left third") < of("taken third"),
        "nobody else's any more: {log:?}"
    );
    world.audit().await;
}

/// A frozen daemon reads the old link after the new one: what the client said last on the new one
/// holds, wherever the call itself still lay.
#[tokio::test(start_paused = true)]
async fn r14_a_word_on_the_next_link_is_for_what_the_last_one_still_brings() {
    let (world, _) = world(Memory::default());
    let (old, new) = (world.join("a"), world.join("a"));
    let ms = r#"{"ms":5000}"#;
    // The call came by the old link, which still stands when the client lets go of it on the new.
    let first = world.call(&old, "first", "act", ms);
    settle().await;
    world
        .engine
        .cancel(&new, &"first".into(), CancelMode::Detach, "");
    let again = world.call(&new, "again", "act", ms);
    settle().await;
    assert_eq!(world.runs("act"), 1);
    assert_eq!(again.end().await.code, None);
    drop(first);
    // It comes after the word, and after the equal call that was made since.
    world
        .engine
        .cancel(&new, &"late".into(), CancelMode::Detach, "");
    let again = world.call(&new, "anew", "act", ms);
    settle().await;
    let late = world.call(&old, "late", "act", ms);
    settle().await;
    assert_eq!(world.runs("act"), 2);
    assert_eq!(again.end().await.code, None);
    let (state, ended) = world.engine.look_up(&new.session, &"late".into());
    assert_eq!(state, CallState::Finished);
    let error = ended.unwrap().error.clone().unwrap();
    assert_eq!((error.code, error.ran), (Code::Cancelled, Some(Ran::No)));
    assert_eq!(world.runs("act"), 2);
    drop(late);
}

/// Its client was told that the work goes on, and asks for it by its handle.
#[tokio::test(start_paused = true)]
async fn r14_what_was_left_and_then_refused_is_told_when_it_is_asked_for() {
    let (world, memory) = world(Memory::of(&[Says::Fails]));
    let member = world.join("a");
    let waits = world.call(&member, "left", "act", "{}");
    settle().await;
    world
        .engine
        .cancel(&member, &"left".into(), CancelMode::Detach, "");
    tokio::time::sleep(secs(2)).await;
    drop(waits);
    let (state, kept) = world.engine.look_up(&member.session, &"left".into());
    assert_eq!(state, CallState::Finished);
    let error = kept.unwrap().error.clone().unwrap();
    assert_eq!((error.code, error.ran), (Code::Unavailable, Some(Ran::No)));
    assert!(error.message.contains("the disk is full"), "{error:?}");
    assert_eq!((world.runs("act"), memory.log().len()), (0, 0));
    // Refused to somebody who waits it has not been, and may knock again; but who let go of it in
    // that moment asks for it by its handle.
    memory.says.lock().unwrap().push_back(Says::Fails);
    let end = world.run(&member, "waits", "act", "{}").await;
    assert_eq!(end.code, Some(Code::Unavailable));
    world
        .engine
        .cancel(&member, &"waits".into(), CancelMode::Detach, "");
    let (state, kept) = world.engine.look_up(&member.session, &"waits".into());
    let refusal = kept.unwrap().error.clone().unwrap();
    assert_eq!(
        (state, refusal.code),
        (CallState::Finished, Code::Unavailable)
    );
    assert_eq!(world.run(&member, "waits", "act", "{}").await.code, None);
    assert_eq!(world.runs("act"), 1);
}

#[tokio::test(start_paused = true)]
async fn r25_a_drain_leaves_open_what_may_run_again() {
    let (world, memory) = world(Memory::default());
    let again = Script::new("again", repeatable);
    world
        .engine
        .replace_tools("more", vec![again as Arc<dyn Tool>]);
    let member = world.join("a");
    let ears = ["again", "act"].map(|tool| world.call(&member, tool, tool, r#"{"ms":90000}"#));
    settle().await;
    world.engine.drain(Instant::now() + secs(1)).await;
    for ear in ears {
        assert_eq!(ear.end().await.code, Some(Code::ShuttingDown));
    }
    assert_eq!(memory.log(), ["finish SHUTTING_DOWN left=false"]);
}

/// What a dead life had begun is never said not to have begun by one that is about to end.
#[tokio::test(start_paused = true)]
async fn r25_a_call_begun_before_is_not_called_unbegun_by_a_daemon_that_ends() {
    use sha2::{Digest as _, Sha256};
    const ASKED: &str = r#"{"ms":1}"#;
    let (world, memory) = world(Memory::default());
    let again = Script::new("again", repeatable);
    world
        .engine
        .replace_tools("more", vec![again as Arc<dyn Tool>]);
    let member = world.join("a");
    world.engine.drain(Instant::now()).await;
    let open = |tool: &str, runs| Open {
        tool: tool.into(),
        args_hash: Sha256::digest(ASKED).into(),
        arguments: Some(raw(ASKED)),
        operator: false,
        timeout: None,
        evidence: Box::new(Interrupted {
            runs,
            ..Interrupted::default()
        }),
    };
    for (tool, runs, code, ran) in [
        ("again", 0, Code::ShuttingDown, Ran::No),
        ("again", 1, Code::ShuttingDown, Ran::Unknown),
        ("act", 0, Code::ShuttingDown, Ran::No),
        ("act", 1, Code::OutcomeUnknown, Ran::Unknown),
    ] {
        *memory.recalls.lock().unwrap() = Some(Recalled::Open(open(tool, runs)));
        let end = world.call(&member, &format!("{tool} {runs}"), tool, ASKED);
        let end = end.end().await;
        assert_eq!(
            (end.code, end.ran),
            (Some(code), Some(ran)),
            "{tool} {runs}"
        );
    }
    assert_eq!((world.runs("act"), memory.log().len()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn r09_who_asks_again_while_the_first_is_at_work_waits_for_it() {
    let (world, memory) = world(Memory::default());
    let member = world.join("a");
    let call = r#"{"ms":700000}"#;
    let leave = |id: &str| {
        world
            .engine
            .cancel(&member, &id.into(), CancelMode::Detach, "");
    };
    world.call(&member, "first", "act", call);
    settle().await;
    leave("first");
    tokio::time::sleep(secs(500)).await;
    let second = world.call(&member, "second", "act", call);
    // Beyond what an unwatched call would get.
    let end = second.end().await;
    assert_eq!(
        end.code,
        Some(Code::Timeout),
        "600 s is the limit of any call here"
    );
    assert_eq!(
        world.runs("act"),
        2,
        "the first came to no answer, so it ran for itself"
    );

    let call = r#"{"ms":5000}"#;
    world.call(&member, "third", "act", call);
    settle().await;
    leave("third");
    let other = world.join("another client");
    let theirs = world.call(&other, "theirs", "act", call);
    let fourth = world.call(&member, "fourth", "act", call);
    assert!(fourth.end().await.outputs.is_some() && theirs.end().await.outputs.is_some());
    assert_eq!(world.runs("act"), 4, "another client's call is its own");
    let log = memory.log();
    assert!(
        !log.iter().any(|line| line.contains("left=true")),
        "{log:?}"
    );

    // A person's stop reaches the one that is at work.
    world.call(&member, "fifth", "act", call);
    settle().await;
    leave("fifth");
    let sixth = world.call(&member, "sixth", "act", call);
    settle().await;
    world
        .engine
        .cancel(&member, &"sixth".into(), CancelMode::Stop, "enough");
    assert_eq!(sixth.end().await.code, Some(Code::Cancelled));
    world.audit().await;
    assert_eq!(world.runs("act"), 5);
}

/// Between the moment at which the ledger is told who was left, and the one at which clients move
/// to the next daemon, a client may still let go.
#[tokio::test(start_paused = true)]
async fn r09_who_lets_go_while_the_home_is_given_away_is_told_to_the_ledger_at_once() {
    let (world, memory) = world(Memory::default());
    let member = world.join("a");
    let lets_go = |id: &str| {
        let engine = &world.engine;
        engine.cancel(&member, &id.into(), CancelMode::Detach, "");
    };
    for id in ["before", "between", "after"] {
        world.call(&member, id, "act", r#"{"ms":60000}"#);
    }
    settle().await;
    lets_go("before");
    assert_eq!(
        memory.log(),
        Vec::<String>::new(),
        "equal calls join it here"
    );
    world.engine.hold_back();
    world.engine.tell_who_is_left();
    assert_eq!(memory.log(), ["left before"]);
    lets_go("between");
    assert_eq!(memory.log(), ["left before", "left between"]);
    world.engine.go_on();
    lets_go("after");
    assert_eq!(memory.log().len(), 2, "nothing was given away");
}
