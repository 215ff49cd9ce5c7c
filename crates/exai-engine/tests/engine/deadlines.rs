//! A missed deadline is answered in time, by the limit that fired, with what was said last.

use crate::world::{CALL_TIMEOUT, World, secs};
use exai_protocol::{Code, error::Ran};
use std::time::Duration;
use tokio::time::Instant;

#[tokio::test(start_paused = true)]
async fn i06_each_limit_fires_on_time_and_is_named() {
    let world = World::new();
    let member = world.join("a");
    let long = r#"{"ms":9000000}"#;
    let cases = [
        ("act", None, CALL_TIMEOUT, "EXAI_WS_CALL_TIMEOUT"),
        ("act", Some(secs(7)), secs(7), "timeout_ms"),
        ("brief", None, secs(5), "the tool's own limit"),
        ("brief", Some(secs(9)), secs(5), "the tool's own limit"),
        ("brief", Some(secs(3)), secs(3), "timeout_ms"),
    ];
    for (at, (tool, timeout, limit, named)) in cases.into_iter().enumerate() {
        let begin = Instant::now();
        let ear = world.call_for(&member, &at.to_string(), tool, long, timeout);
        let end = ear.end().await;
        assert_eq!(
            (end.code, end.ran),
            (Some(Code::Timeout), Some(Ran::Yes)),
            "{at}"
        );
        assert!(end.message.contains(named), "{}", end.message);
        assert!(
            end.message
                .contains(&format!("exceeded {}s", limit.as_secs())),
            "{}",
            end.message
        );
        let late = begin.elapsed() - limit;
        assert!(late < Duration::from_millis(50), "{late:?} late");
    }
    world.audit().await;
    assert_eq!(world.tools["act"].dropped(), 2, "the work is stopped too");
}

#[tokio::test(start_paused = true)]
async fn i06_a_deadline_fires_in_the_queue() {
    let world = World::new();
    let member = world.join("a");
    for n in 0..8 {
        world.call(&member, &format!("r{n}"), "act", r#"{"ms":60000}"#);
    }
    let begin = Instant::now();
    let ear = world.call_for(&member, "q", "other", "{}", Some(secs(10)));
    let end = ear.end().await;
    assert_eq!(
        (end.code, end.ran, end.started),
        (Some(Code::Timeout), Some(Ran::No), false)
    );
    assert!(
        end.message.contains("before it started") && end.message.contains("position 1 of 1"),
        "{}",
        end.message
    );
    assert_eq!(begin.elapsed().as_secs(), 10);
    tokio::time::sleep(secs(60)).await;
    world.audit().await;
    assert_eq!(world.runs("other"), 0);
}

#[tokio::test(start_paused = true)]
async fn i06_a_budget_of_nothing_starts_nothing() {
    let world = World::new();
    let member = world.join("a");
    let end = world
        .call_for(&member, "1", "act", "{}", Some(Duration::ZERO))
        .end()
        .await;
    assert_eq!((end.code, end.ran), (Some(Code::Timeout), Some(Ran::No)));
    world.audit().await;
    assert_eq!(world.runs("act"), 0);
}

#[tokio::test(start_paused = true)]
async fn i06_the_last_words_are_in_the_answer() {
    let world = World::new();
    let member = world.join("a");
    let order = r#"{"ms":60000,"say":"file"}"#;
    let end = world
        .call_for(&member, "1", "act", order, Some(secs(3)))
        .end()
        .await;
    assert!(
        end.message.contains("The last it said: file "),
        "{}",
        end.message
    );
    world.audit().await;
}
