//! What looks at the daemon's own files for a moment needs nothing that may be missing: no
//! permit, and no ledger that takes anything. What bounds it is shown here too.

use crate::world::{CALL_TIMEOUT, Plan, World, secs, settle};
use exai_engine::ports::ledger::{Entered, Entering, Ledger, LedgerError, LedgerFuture};
use exai_protocol::{Code, control::CallState, error::Ran, request::CancelMode};
use std::sync::Arc;
use tokio::time::Instant;

/// A ledger that takes nothing, at once or never.
struct Shut {
    says_so: bool,
}

impl Ledger for Shut {
    fn remembers(&self) -> bool {
        true
    }

    fn enter(&self, _: Entering) -> LedgerFuture<'_, Entered> {
        Box::pin(async move {
            if !self.says_so {
                std::future::pending::<()>().await;
            }
            let reason = "the disk is full".to_owned();
            Err(LedgerError { reason })
        })
    }
}

fn shut(says_so: bool) -> World {
    World::planned(Plan {
        ledger: Arc::new(Shut { says_so }),
        ..Plan::default()
    })
}

#[tokio::test(start_paused = true)]
async fn i02_a_glance_waits_for_no_permit() {
    let world = World::new();
    let member = world.join("a");
    let stalled = r#"{"ms":100000}"#;
    for n in 0..24 {
        let client = world.join(&format!("client {}", n % 3));
        world.call(&client, &format!("stalled {n}"), "act", stalled);
    }
    settle().await;
    assert_eq!(world.engine.admission().depth().running, 24);
    let began = Instant::now();
    let ear = world.call(&member, "g", "glance", r#"{"ms":500}"#);
    let end = ear.end().await;
    assert!(end.code.is_none() && end.started, "{}", end.message);
    assert!(began.elapsed() < secs(1));
    // In line, and not before its turn, is who has no claim to this.
    let once = world.call(&member, "o", "glance_once", r#"{"ms":500}"#);
    tokio::time::sleep(secs(20)).await;
    assert!(once.endings().is_empty());
    assert_eq!(once.end().await.code, None);
    tokio::time::sleep(secs(200)).await;
    world.audit().await;
}

#[tokio::test(start_paused = true)]
async fn i02_a_glance_needs_no_ledger() {
    for says_so in [true, false] {
        let world = shut(says_so);
        let member = world.join("a");
        let end = world.run(&member, "g", "glance", r#"{"ms":500}"#).await;
        assert!(end.code.is_none() && end.started, "{}", end.message);
        let once = world.call_for(&member, "o", "glance_once", "{}", Some(secs(5)));
        let once = once.end().await;
        assert_eq!(once.ran, Some(Ran::No), "{}", once.message);
        world.audit().await;
        assert_eq!(world.finished().len(), 2, "both are in the record");
    }
}

#[tokio::test(start_paused = true)]
async fn a_glance_is_a_call_like_any_other() {
    let world = World::new();
    let member = world.join("a");
    let order = r#"{"ms":5000}"#;
    let ear = world.call(&member, "g", "glance", order);
    settle().await;
    let again = world.call(&world.join("a"), "g", "glance", order);
    let other = world.run(&member, "g", "act", "{}").await;
    assert_eq!(other.code, Some(Code::InvalidArgument));
    let (one, two) = (ear.end().await, again.end().await);
    assert!(one.code.is_none() && two.code.is_none());
    assert_eq!(world.runs("glance"), 1);
    assert!(!ear.progress().is_empty(), "signs of life");
    assert!(world.run(&member, "g", "glance", order).await.replayed);

    let stopped = world.call(&member, "s", "glance", order);
    settle().await;
    let id = "s".into();
    let state = world.engine.cancel(&member, &id, CancelMode::Stop, "");
    assert_eq!(state, CallState::Running);
    assert_eq!(stopped.end().await.code, Some(Code::Cancelled));

    world.engine.start_draining();
    let late = world.run(&member, "l", "glance", "{}").await;
    assert_eq!(
        (late.code, late.ran),
        (Some(Code::ShuttingDown), Some(Ran::No))
    );
    world.audit().await;
}

#[tokio::test(start_paused = true)]
async fn a_glance_has_seconds_whatever_it_says_of_itself() {
    let world = World::new();
    let member = world.join("a");
    let began = Instant::now();
    let end = world.run(&member, "g", "glance", r#"{"ms":100000}"#).await;
    assert_eq!(end.code, Some(Code::Timeout), "{}", end.message);
    assert_eq!(began.elapsed().as_secs(), 10, "its spec asks for a minute");
    assert!(CALL_TIMEOUT > secs(10));
    world.audit().await;
}

#[tokio::test(start_paused = true)]
async fn more_glances_than_there_are_places_stand_in_line() {
    let world = shut(true);
    let member = world.join("a");
    let order = r#"{"ms":5000}"#;
    let eight: Vec<_> = (0..8)
        .map(|n| world.call(&member, &format!("g{n}"), "glance", order))
        .collect();
    settle().await;
    let ninth = world.run(&member, "ninth", "glance", order).await;
    assert_eq!(ninth.code, Some(Code::Unavailable), "{}", ninth.message);
    for ear in eight {
        assert_eq!(ear.end().await.code, None);
    }
    let later = world.run(&member, "ninth", "glance", order).await;
    assert_eq!(later.code, None, "the places are free again");
    world.audit().await;
}
