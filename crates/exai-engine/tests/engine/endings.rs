//! Every way a call can end: one terminal update, one record, permits back.

use crate::{
    ear::Heard,
    scripts::quiet_panic,
    world::{Plan, UNWATCHED, World, secs, settle},
};
use exai_engine::ports::ledger::{
    Ended, Entered, Entering, Entry, Ledger, LedgerError, LedgerFuture,
};
use exai_protocol::{Code, Outcome, control::CallState, error::Ran, request::CancelMode};
use std::sync::{Arc, Mutex};
use tokio::time::Instant;

#[tokio::test(start_paused = true)]
async fn i01_an_answer() {
    let world = World::new();
    let member = world.join("a");
    let ear = world.call(&member, "1", "act", r#"{ "ms" : 5 }"#);
    let end = ear.end().await;
    assert_eq!(end.outcome, Outcome::Ok);
    assert_eq!(
        end.outputs.as_deref(),
        Some(r#"[{"type":"text","text":"{ \"ms\" : 5 }"}]"#)
    );
    assert!(end.started && !end.attached && !end.replayed);
    let heard = ear.heard();
    assert_eq!(
        heard[..2],
        [Heard::Accepted, Heard::Acknowledged(secs(600))]
    );
    assert_eq!(heard.len(), 3, "{heard:?}");
    world.audit().await;
    assert_eq!(world.finished()[0].watchers, 1);
    assert_eq!(world.finished()[0].run_us, Some(5000));
}

#[tokio::test(start_paused = true)]
async fn i01_a_tools_own_errors() {
    let world = World::new();
    let member = world.join("a");
    let cases = [
        (
            r#"{"then":"fail"}"#,
            Code::ExecError,
            Outcome::ToolError,
            Ran::Yes,
        ),
        (
            r#"{"then":"refuse"}"#,
            Code::OverBudget,
            Outcome::OverBudget,
            Ran::Yes,
        ),
        (
            r#"{"ms":"soon"}"#,
            Code::InvalidArgument,
            Outcome::InvalidArgument,
            Ran::No,
        ),
        (
            r#"{"ms":1,"ms":2}"#,
            Code::InvalidArgument,
            Outcome::InvalidArgument,
            Ran::No,
        ),
    ];
    for (arguments, code, outcome, ran) in cases {
        let end = world.run(&member, arguments, "act", arguments).await;
        assert_eq!(
            (end.code, end.outcome, end.ran),
            (Some(code), outcome, Some(ran)),
            "{arguments}"
        );
        assert_eq!(end.outputs, None);
    }
    world.audit().await;
    let outcomes = world.engine.outcomes();
    assert_eq!(outcomes.get("invalid_argument"), Some(&2));
    assert_eq!(outcomes.values().sum::<u64>(), 4);
}

#[tokio::test(start_paused = true)]
async fn i01_panics_before_and_in_the_future() {
    let world = World::new();
    let member = world.join("a");
    for (tool, arguments, words) in [
        ("panic_in_run", "{}", "before the future"),
        ("act", r#"{"then":"panic"}"#, "scripted panic"),
        ("act", r#"{"ms":50,"then":"panic"}"#, "scripted panic"),
        ("instant", r#"{"then":"panic"}"#, "scripted panic"),
    ] {
        let ear = world.call(&member, &format!("{tool}{arguments}"), tool, arguments);
        let end = ear.end().await;
        assert_eq!(
            (end.code, end.ran),
            (Some(Code::Internal), Some(Ran::Yes)),
            "{tool}"
        );
        assert!(
            end.message.contains(words) && end.message.contains("reference call"),
            "{}",
            end.message
        );
        assert_eq!(ear.endings().len(), 1);
    }
    world.audit().await;
    assert_eq!(
        world.run(&member, "after", "act", "{}").await.outcome,
        Outcome::Ok
    );
}

#[tokio::test(start_paused = true)]
async fn i01_an_unknown_name_gets_the_closest_ones() {
    let world = World::new();
    let member = world.join("a");
    let end = world.run(&member, "1", "instnt", "{}").await;
    assert_eq!(
        (end.code, end.ran),
        (Some(Code::ToolNotFound), Some(Ran::No))
    );
    assert!(
        end.message.contains("Unknown tool: instnt") && end.message.contains("instant"),
        "{}",
        end.message
    );
    let end = world.run(&member, "2", "zzzzzzzzzzzzzz", "{}").await;
    assert!(end.message.contains("tools_search"), "{}", end.message);
    world.audit().await;
    assert_eq!(&*world.finished()[0].call.tool, "instnt");
}

#[tokio::test(start_paused = true)]
async fn decorated_names_run_the_tool_under_its_own_name() {
    let world = World::new();
    let member = world.join("a");
    for name in [
        "act",
        "act_exai",
        "act_EXAI-WS",
        "mcp__exai__act",
        "act_EXAI-WS-VSCode1",
    ] {
        assert_eq!(
            world.run(&member, name, name, "{}").await.outcome,
            Outcome::Ok,
            "{name}"
        );
    }
    world.audit().await;
    assert!(world.finished().iter().all(|end| &*end.call.tool == "act"));
    assert_eq!(world.runs("act"), 5);
}

#[tokio::test(start_paused = true)]
async fn r09_stop_while_running() {
    let world = World::new();
    let member = world.join("a");
    let ear = world.call(&member, "1", "act", r#"{"ms":60000}"#);
    settle().await;
    let state = world
        .engine
        .cancel(&member, &"1".into(), CancelMode::Stop, "esc");
    assert_eq!(state, CallState::Running);
    let end = ear.end().await;
    assert_eq!((end.code, end.ran), (Some(Code::Cancelled), Some(Ran::Yes)));
    assert!(end.message.contains("esc"), "{}", end.message);
    world.audit().await;
    assert_eq!(
        world.tools["act"].dropped(),
        1,
        "the tool's own work has ended too"
    );
}

#[tokio::test(start_paused = true)]
async fn r09_stop_while_queued_never_starts_it() {
    let world = World::new();
    let member = world.join("a");
    let running: Vec<_> = (0..8)
        .map(|n| world.call(&member, &format!("r{n}"), "act", r#"{"ms":1000}"#))
        .collect();
    let queued = world.call(&member, "q", "other", "{}");
    settle().await;
    assert_eq!(
        world
            .engine
            .cancel(&member, &"q".into(), CancelMode::Stop, ""),
        CallState::Queued
    );
    let end = queued.end().await;
    assert_eq!(
        (end.code, end.ran, end.started),
        (Some(Code::Cancelled), Some(Ran::No), false)
    );
    for ear in running {
        assert_eq!(ear.end().await.outcome, Outcome::Ok);
    }
    world.audit().await;
    assert_eq!(world.runs("other"), 0);
}

#[tokio::test(start_paused = true)]
async fn r09_stop_of_what_is_over_or_never_was() {
    let world = World::new();
    let member = world.join("a");
    let cancel = |id: &str| {
        world
            .engine
            .cancel(&member, &id.into(), CancelMode::Stop, "late")
    };
    assert_eq!(cancel("1"), CallState::Unknown);
    let ear = world.call(&member, "1", "act", "{}");
    ear.end().await;
    assert_eq!(cancel("1"), CallState::Finished);
    tokio::time::sleep(secs(601)).await;
    assert_eq!(cancel("1"), CallState::Expired);
    assert_eq!(ear.endings().len(), 1);
    world.audit().await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_cannot_be_given_by_another_client() {
    let world = World::new();
    let (owner, stranger) = (world.join("a"), world.join("b"));
    let ear = world.call(&owner, "1", "act", r#"{"ms":100}"#);
    settle().await;
    let state = world
        .engine
        .cancel(&stranger, &"1".into(), CancelMode::Stop, "not yours");
    assert_eq!(state, CallState::Unknown);
    assert_eq!(ear.end().await.outcome, Outcome::Ok);
    world.audit().await;
}

#[tokio::test(start_paused = true)]
async fn a_detached_call_finishes_and_can_be_collected() {
    let world = World::new();
    let member = world.join("a");
    let ear = world.call(&member, "1", "act", r#"{"ms":1000}"#);
    settle().await;
    assert_eq!(
        world
            .engine
            .cancel(&member, &"1".into(), CancelMode::Detach, ""),
        CallState::Running
    );
    tokio::time::sleep(secs(2)).await;
    assert_eq!(ear.endings(), [], "nobody waited");
    let (state, kept) = world.engine.look_up(&member.session, &"1".into());
    assert_eq!(state, CallState::Finished);
    assert_eq!(kept.unwrap().outcome(), Outcome::Ok);
    world.audit().await;
    assert_eq!(world.finished()[0].watchers, 0);
}

#[tokio::test(start_paused = true)]
async fn detaching_is_one_connections_own_affair() {
    let world = World::new();
    let (first, second) = (world.join("a"), world.join("a"));
    let leaving = world.call(&first, "1", "act", r#"{"ms":1000}"#);
    let staying = world.call(&second, "1", "act", r#"{"ms":1000}"#);
    settle().await;
    world
        .engine
        .cancel(&first, &"1".into(), CancelMode::Detach, "");
    assert_eq!(staying.end().await.outcome, Outcome::Ok);
    assert_eq!(leaving.endings(), []);
    world.audit().await;
}

#[tokio::test(start_paused = true)]
async fn a_call_nobody_watches_is_stopped_in_the_end() {
    let world = World::planned(Plan {
        config: exai_engine::Config {
            call_timeout: secs(86_400),
            ..Plan::default().config
        },
        ..Plan::default()
    });
    let member = world.join("a");
    let begin = Instant::now();
    world.call(&member, "1", "act", r#"{"ms":80000000}"#);
    tokio::time::sleep(secs(100)).await;
    world.leave(&member);
    // Somebody who comes back in time starts the wait anew.
    tokio::time::sleep(secs(500)).await;
    let back = world.join("a");
    let ear = crate::ear::Ear::new(back.peer);
    assert_eq!(
        world.engine.attach(&back.session, &"1".into(), ear),
        CallState::Running
    );
    world.leave(&back);
    while world.engine.live_calls() > 0 {
        tokio::time::sleep(secs(1)).await;
    }
    let waited = begin.elapsed();
    assert!(
        waited >= secs(600) + UNWATCHED && waited <= secs(602) + UNWATCHED,
        "{waited:?}"
    );
    world.audit().await;
    let end = &world.finished()[0];
    assert_eq!(end.outcome, Outcome::Cancelled);
    assert!(
        end.error
            .as_ref()
            .unwrap()
            .message
            .contains("EXAI_UNWATCHED_SECS")
    );
    assert_eq!(world.tools["act"].dropped(), 1);
}

#[tokio::test(start_paused = true)]
async fn i01_a_drain_answers_what_waits_and_lets_work_finish() {
    let world = World::new();
    let member = world.join("a");
    let running: Vec<_> = (0..8)
        .map(|n| world.call(&member, &format!("r{n}"), "act", r#"{"ms":5000}"#))
        .collect();
    let queued = world.call(&member, "q", "act", "{}");
    settle().await;
    let engine = Arc::clone(&world.engine);
    let begin = Instant::now();
    assert_eq!(engine.drain(begin + secs(30)).await, 0);
    assert!(begin.elapsed() < secs(6), "a drain ends when the work does");
    for ear in running {
        assert_eq!(ear.endings()[0].outcome, Outcome::Ok);
    }
    let end = queued.end().await;
    assert_eq!(
        (end.code, end.ran, end.retry_after),
        (Some(Code::ShuttingDown), Some(Ran::No), Some(1))
    );
    for tool in ["act", "instant", "nonsense"] {
        let late = world
            .run(&member, &format!("late-{tool}"), tool, "{}")
            .await;
        assert!(
            matches!(late.code, Some(Code::ShuttingDown | Code::ToolNotFound)),
            "{late:?}"
        );
    }
    world.audit().await;
}

#[tokio::test(start_paused = true)]
async fn i01_a_drain_cuts_work_short_at_its_deadline() {
    let world = World::new();
    let member = world.join("a");
    let ear = world.call(&member, "1", "act", r#"{"ms":60000}"#);
    settle().await;
    let begin = Instant::now();
    assert_eq!(world.engine.drain(begin + secs(30)).await, 1);
    assert!(begin.elapsed() < secs(32));
    let end = ear.end().await;
    assert_eq!(
        (end.code, end.ran),
        (Some(Code::ShuttingDown), Some(Ran::Yes))
    );
    assert!(end.message.contains("in part"), "{}", end.message);
    world.audit().await;
}

/// Fails at one step and notes all.
struct Faulty {
    fails: &'static str,
    steps: Arc<Mutex<Vec<String>>>,
}

/// A call in it.
struct FaultyEntry {
    fails: &'static str,
    steps: Arc<Mutex<Vec<String>>>,
    number: u64,
}

fn step<T: Send + 'static>(
    fails: &str,
    steps: &Mutex<Vec<String>>,
    name: &str,
    number: u64,
    done: T,
) -> LedgerFuture<'static, T> {
    steps.lock().unwrap().push(format!("{name} {number}"));
    let (fails, panics) = (fails == name, fails == format!("{name} panics"));
    Box::pin(async move {
        if panics {
            quiet_panic("a bug of ours");
        }
        if fails {
            let reason = "the disk is full".to_owned();
            return Err(LedgerError { reason });
        }
        Ok(done)
    })
}

impl Faulty {
    fn new(fails: &'static str) -> Arc<Self> {
        let steps = Arc::default();
        Arc::new(Self { fails, steps })
    }
}

impl Ledger for Faulty {
    fn enter(&self, call: Entering) -> LedgerFuture<'_, Entered> {
        let (fails, steps, number) = (self.fails, Arc::clone(&self.steps), call.facts.number);
        let name = if call.starts { "enter+start" } else { "enter" };
        let entry = FaultyEntry {
            fails,
            steps,
            number,
        };
        step(
            fails,
            &self.steps,
            name,
            number,
            Entered::New(Box::new(entry)),
        )
    }
}

impl Entry for FaultyEntry {
    fn start(&mut self) -> LedgerFuture<'_, ()> {
        step(self.fails, &self.steps, "start", self.number, ())
    }
    fn finish(self: Box<Self>, end: Ended) -> LedgerFuture<'static, ()> {
        step(
            self.fails,
            &self.steps,
            "finish",
            end.record.call.number,
            (),
        )
    }
    fn withdraw(self: Box<Self>) {
        let line = format!("withdraw {}", self.number);
        self.steps.lock().unwrap().push(line);
    }
}

#[tokio::test(start_paused = true)]
async fn i01_a_ledger_that_cannot_keep_its_promise_refuses_the_call() {
    // The second call has to wait for its permit, so that its start is a step of its own.
    for (fails, runs, codes, last) in [
        (
            "enter+start",
            0,
            [Some(Code::Unavailable); 2],
            "enter+start",
        ),
        ("start", 1, [None, Some(Code::Unavailable)], "withdraw"),
        ("enter", 1, [None, Some(Code::Unavailable)], "finish"),
        ("finish", 2, [None, None], "finish"),
    ] {
        let ledger = Faulty::new(fails);
        let mut plan = Plan {
            ledger: Arc::clone(&ledger) as _,
            ..Plan::default()
        };
        plan.config.limits.client = 1;
        let world = World::planned(plan);
        let member = world.join("a");
        let ears = [
            world.call(&member, "1", "act", r#"{"ms":1000}"#),
            world.call(&member, "2", "act", r#"{"ms":1000}"#),
        ];
        for (ear, code) in ears.iter().zip(codes) {
            let end = ear.end().await;
            assert_eq!(end.code, code, "{fails}");
            assert!(code.is_none() || end.message.contains("the disk is full"));
            assert!(code.is_none() || end.ran == Some(Ran::No));
        }
        assert_eq!(world.runs("act"), runs, "{fails}");
        world.audit().await;
        let steps = ledger.steps.lock().unwrap().clone();
        assert!(
            steps.iter().any(|step| step.starts_with(last)),
            "{fails}: {steps:?}"
        );
        // An id that was turned away may knock again.
        if fails == "start" {
            let finished = steps.iter().filter(|step| step.starts_with("finish"));
            assert_eq!(finished.count(), 1, "{steps:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn i01_a_call_whose_own_task_dies_is_ended_by_its_guard() {
    // The first dies in the door's own step, the start of a queued call in a task of its own.
    for (fails, lost) in [
        ("enter+start panics", [true, false]),
        ("start panics", [false, true]),
    ] {
        let mut plan = Plan {
            ledger: Faulty::new(fails),
            ..Plan::default()
        };
        plan.config.limits.client = 1;
        let world = World::planned(plan);
        let member = world.join("a");
        let ears = [
            world.call(&member, "1", "act", r#"{"ms":1000}"#),
            world.call(&member, "2", "act", r#"{"ms":1000}"#),
        ];
        for (ear, lost) in ears.into_iter().zip(lost) {
            let end = ear.end().await;
            if lost {
                assert_eq!(
                    (end.code, end.ran),
                    (Some(Code::Internal), Some(Ran::Unknown)),
                    "{fails}"
                );
                assert!(end.message.contains("lost track of act"), "{}", end.message);
            }
            assert_eq!(ear.endings().len(), 1);
        }
        world.audit().await;
    }
}

#[tokio::test(start_paused = true)]
async fn i01_a_tool_whose_task_is_taken_away_is_answered() {
    let runner: exai_engine::Runner = Arc::new(drop);
    let world = World::planned(Plan {
        runner,
        ..Plan::default()
    });
    let member = world.join("a");
    let end = world.run(&member, "1", "act", "{}").await;
    assert_eq!(
        (end.code, end.ran),
        (Some(Code::Internal), Some(Ran::Unknown))
    );
    world.audit().await;
}

#[tokio::test(start_paused = true)]
async fn the_ledger_hears_of_nothing_that_never_entered_it() {
    let ledger = Faulty::new("");
    let world = World::planned(Plan {
        ledger: Arc::clone(&ledger) as _,
        ..Plan::default()
    });
    let member = world.join("a");
    world.run(&member, "1", "nonsense", "{}").await;
    world.run(&member, "2", "instant", "{}").await;
    world.audit().await;
    assert_eq!(*ledger.steps.lock().unwrap(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn an_endless_error_message_is_cut() {
    let world = World::new();
    let tool = crate::scripts::Script::acting(
        "long",
        |_| {},
        |_| Box::pin(async { Err(exai_engine::tool::ToolError::failed("ä".repeat(1 << 20))) }),
    );
    world.engine.replace_tools("more", vec![tool]);
    let member = world.join("a");
    let end = world.run(&member, "1", "long", "{}").await;
    assert!(end.message.len() < 70_000 && end.message.ends_with("… (cut)"));
    world.audit().await;
}
