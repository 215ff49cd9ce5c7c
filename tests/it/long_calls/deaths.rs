//! A handle outlives the daemon that gave it, the window it was given to, and the wait for it.

use super::{LIMIT, continued, handle, home, left, persist, window};
use crate::editor::{failure, ok_text};
use exai_testkit::{Shim, eventually};
use serde_json::json;
use std::time::Duration;

#[tokio::test]
async fn r14_a_call_is_continued_through_the_death_of_its_daemon() {
    let sandbox = home();
    let mut daemon = sandbox.daemon().await;
    let mut shim = window(&sandbox, "usual").await;
    let mut hasty = window(&sandbox, "hasty").await;
    let arguments = |name: &str| json!({ "file": sandbox.work().join(name), "ms": 4_000 });
    let harmless = left(&mut hasty, "test_count", arguments("harmless")).await;
    let once = left(&mut hasty, "test_count_once", arguments("once")).await;
    let first = shim
        .call("exai_continue", json!({ "handle": harmless }))
        .await;
    let second = shim.call("exai_continue", json!({ "handle": once })).await;
    // Both wait at the daemon when it dies.
    tokio::time::sleep(Duration::from_millis(300)).await;
    daemon.kill().await;
    let _daemon = sandbox.daemon().await;
    let told = shim.answer_within(second, LIMIT).await["result"].clone();
    let (code, words) = failure(&told);
    assert_eq!(code, "OUTCOME_UNKNOWN");
    assert!(
        words.contains("(started") && words.contains("not run again"),
        "{words}"
    );
    let answer = shim.answer_within(first, LIMIT).await["result"].clone();
    let end = match handle(&answer) {
        Some(handle) => {
            persist(
                &mut shim,
                "exai_continue",
                json!({ "handle": handle }),
                None,
            )
            .await
            .0
        }
        None => answer,
    };
    assert_eq!(ok_text(&end), "counted");
    assert_eq!(
        (sandbox.counted("harmless"), sandbox.counted("once")),
        (2, 1)
    );
    // Told once, it stays so.
    assert_eq!(failure(&continued(&mut hasty, &once).await), (code, words));
}

#[tokio::test]
async fn r14_a_handle_is_collected_by_a_new_window_and_a_new_daemon() {
    let sandbox = home();
    let mut daemon = sandbox.daemon().await;
    let gate = sandbox.gate("ran");
    let arguments = gate.holds(json!({ "file": sandbox.work().join("ran") }));
    let mut shim = window(&sandbox, "hasty").await;
    let handle = left(&mut shim, "test_count_once", arguments).await;
    shim.kill().await;
    // Another window takes it up while it runs, and is in its turn left.
    let mut other = window(&sandbox, "hasty").await;
    let running = continued(&mut other, &handle).await;
    assert_eq!(
        super::handle(&running).as_deref(),
        Some(handle.as_str()),
        "{running}"
    );
    gate.open();
    let (end, _) = persist(
        &mut other,
        "exai_continue",
        json!({ "handle": handle }),
        None,
    )
    .await;
    assert_eq!(ok_text(&end), "counted");
    other.kill().await;
    daemon.kill().await;
    let _daemon = sandbox.daemon().await;
    let mut last = window(&sandbox, "calm").await;
    for _ in 0..2 {
        let again = continued(&mut last, &handle).await;
        assert_eq!(ok_text(&again), "counted");
        assert_eq!(again["_meta"]["exai/replayed"], true, "{again}");
        assert!(again["_meta"]["exai/age"].is_number());
    }
    assert_eq!(sandbox.counted("ran"), 1);
}

#[tokio::test]
async fn r14_a_handle_is_good_while_the_daemon_is_away_and_after() {
    let sandbox = home();
    let mut daemon = sandbox.daemon().await;
    let gate = sandbox.gate("ran");
    let arguments = gate.holds(json!({ "file": sandbox.work().join("ran") }));
    let mut shim = window(&sandbox, "hasty").await;
    let handle = left(&mut shim, "test_count_once", arguments).await;
    gate.open();
    let ended = || {
        sandbox
            .calls()
            .iter()
            .any(|call| call["tool"] == "test_count_once")
    };
    eventually(LIMIT, "it ends", ended).await;
    daemon.kill().await;
    let away = continued(&mut shim, &handle).await;
    let (code, words) = failure(&away);
    assert_eq!(code, "UNAVAILABLE");
    assert!(
        words.contains("is not lost") && words.contains(&handle),
        "{words}"
    );
    let _daemon = sandbox.daemon().await;
    let (mut end, began) = (away, tokio::time::Instant::now());
    while end.get("isError").is_some() && began.elapsed() < LIMIT {
        end = continued(&mut shim, &handle).await;
    }
    assert_eq!(ok_text(&end), "counted");
    assert_eq!(sandbox.counted("ran"), 1);
}

/// `exai-daemon restart` while a window waits.
#[tokio::test]
async fn r14_a_call_is_continued_through_a_restart() {
    let sandbox = home();
    let mut daemon = sandbox.daemon().await;
    let mut shim = window(&sandbox, "usual").await;
    let mut hasty = window(&sandbox, "hasty").await;
    let gate = sandbox.gate("ran");
    let arguments = gate.holds(json!({ "file": sandbox.work().join("ran") }));
    let handle = left(&mut hasty, "test_count_once", arguments).await;
    let waiting = shim
        .call("exai_continue", json!({ "handle": handle }))
        .await;
    let before = sandbox.daemon_pid();
    let restart = sandbox.cli(&["restart"]).await;
    assert_eq!(restart.code, Some(0), "{}", restart.all());
    assert_ne!(sandbox.daemon_pid(), before);
    // The daemon before lives on for the call, and a window that it never saw finds it.
    let mut late = window(&sandbox, "usual").await;
    let asked_late = late
        .call("exai_continue", json!({ "handle": handle }))
        .await;
    late.ask("ping", json!({})).await;
    gate.open();
    let answer: serde_json::Value = shim.answer_within(waiting, LIMIT).await;
    let end = match super::handle(&answer["result"]) {
        Some(handle) => {
            persist(
                &mut shim,
                "exai_continue",
                json!({ "handle": handle }),
                None,
            )
            .await
            .0
        }
        None => answer["result"].clone(),
    };
    assert_eq!(ok_text(&end), "counted", "{}", Shim::text_of(&end));
    let told_late = late.answer_within(asked_late, LIMIT).await["result"].clone();
    assert_eq!(ok_text(&told_late), "counted");
    assert_eq!(sandbox.counted("ran"), 1);
    assert!(daemon.wait(LIMIT).await.success(), "it ends by itself");
}
