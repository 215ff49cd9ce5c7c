//! The list of tools: always there, changed only when it changed.

use crate::editor::{by_hand, listing, names, reached, settled, window};
use exai_testkit::{Daemon, Heard, Sandbox, Shim};
use serde_json::{Value, json};
use std::time::Duration;

const CHANGED: &str = "notifications/tools/list_changed";

/// How often the window was told since it was last asked.
async fn news(shim: &mut Shim) -> usize {
    // What comes of a list comes with the link; a call over it comes after.
    reached(shim).await;
    let mut told = shim.take_aside();
    while let Heard::Message(message) = shim.hear(Duration::from_millis(700)).await {
        told.push(message);
    }
    told.iter()
        .filter(|message| message["method"] == CHANGED)
        .count()
}

async fn again(sandbox: &Sandbox, daemon: &mut Daemon) {
    daemon.kill().await;
    *daemon = sandbox.daemon().await;
}

#[tokio::test]
async fn r03_list_changed_is_said_when_the_list_changed_and_only_then() {
    let mut sandbox = by_hand();
    let mut daemon = sandbox.daemon().await;
    let mut shim = window(&sandbox).await;
    listing(&mut shim, "test_sleep").await;
    news(&mut shim).await;

    again(&sandbox, &mut daemon).await;
    assert_eq!(news(&mut shim).await, 0, "the same list");

    sandbox.unset("EXAI_TEST_TOOLS");
    again(&sandbox, &mut daemon).await;
    assert_eq!(news(&mut shim).await, 1, "a shorter list");
    let list = shim.ask("tools/list", json!({})).await;
    assert!(!names(&list).iter().any(|name| name == "test_sleep"));

    again(&sandbox, &mut daemon).await;
    assert_eq!(news(&mut shim).await, 0, "the shorter list again");

    sandbox.set("EXAI_TEST_TOOLS", "1");
    again(&sandbox, &mut daemon).await;
    assert_eq!(news(&mut shim).await, 1, "the long list");
    listing(&mut shim, "test_sleep").await;
}

#[tokio::test]
async fn r03_the_ability_is_declared_before_there_is_a_daemon() {
    let sandbox = by_hand();
    let mut shim = sandbox.shim();
    let answer = shim.initialize("2025-11-25").await;
    assert_eq!(
        answer["result"]["capabilities"]["tools"]["listChanged"],
        true
    );
    let list = shim.ask("tools/list", json!({})).await;
    let before = names(&list);
    // The first daemon brings another list, and the window is told once.
    let _daemon = sandbox.daemon().await;
    shim.recv_where(|message| message["method"] == CHANGED)
        .await;
    let list = shim.ask("tools/list", json!({})).await;
    assert_ne!(names(&list), before);
    assert_eq!(news(&mut shim).await, 0);
}

#[tokio::test]
async fn r03_a_window_that_never_listed_has_nothing_to_be_told() {
    let sandbox = by_hand();
    let mut shim = sandbox.shim();
    shim.initialize("2025-11-25").await;
    let _daemon = sandbox.daemon().await;
    assert_eq!(news(&mut shim).await, 0);
}

#[tokio::test]
async fn r03_a_dead_daemon_takes_no_tool_away() {
    let sandbox = by_hand();
    let mut daemon = sandbox.daemon().await;
    let mut shim = window(&sandbox).await;
    let before = settled(&mut shim).await;
    daemon.kill().await;
    for _ in 0..5 {
        let list = shim.ask("tools/list", json!({})).await;
        assert_eq!(list["result"], before["result"]);
    }
    let told: Vec<Value> = shim.take_aside();
    assert!(
        told.iter().all(|message| message["method"] != CHANGED),
        "{told:?}"
    );
}

/// Prompt caches want the same bytes for the same list.
#[tokio::test]
async fn r03_every_window_and_every_asking_gets_the_same_order() {
    let sandbox = by_hand();
    let _daemon = sandbox.daemon().await;
    let mut first = None;
    for _ in 0..3 {
        let mut shim = window(&sandbox).await;
        for _ in 0..2 {
            let list = listing(&mut shim, "test_sleep").await["result"].to_string();
            let first = first.get_or_insert_with(|| list.clone());
            assert_eq!(*first, list);
        }
    }
}

/// The first daemon of a home lists what the shim was built with: a window that has asked
/// already need not ask again.
#[tokio::test]
async fn r03_the_first_daemon_of_a_home_changes_nothing() {
    let mut sandbox = by_hand();
    sandbox.unset("EXAI_TEST_TOOLS");
    let mut shim = sandbox.shim();
    shim.initialize("2025-11-25").await;
    let built_in = shim.ask("tools/list", json!({})).await;
    let _daemon = sandbox.daemon().await;
    assert_eq!(news(&mut shim).await, 0);
    let list = shim.ask("tools/list", json!({})).await;
    assert_eq!(list["result"]["tools"], built_in["result"]["tools"]);
}
