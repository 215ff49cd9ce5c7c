//! Every handle gets an honest answer, and no way of asking runs anything twice.

use super::{LIMIT, continued, handle, home, left, window};
use crate::editor::{failure, nothing_more, ok_text};
use exai_testkit::eventually;
use serde_json::json;

#[tokio::test]
async fn r14_asked_for_twice_at_once_it_is_delivered_twice_and_run_once() {
    let sandbox = home();
    let _daemon = sandbox.daemon().await;
    let mut shim = window(&sandbox, "hasty").await;
    let gate = sandbox.gate("ran");
    let arguments = gate.holds(json!({ "file": sandbox.work().join("ran") }));
    let handle = left(&mut shim, "test_count_once", arguments).await;
    let mut one = window(&sandbox, "usual").await;
    let mut two = window(&sandbox, "calm").await;
    let asked = json!({ "handle": handle });
    let ids = [
        one.call("exai_continue", asked.clone()).await,
        one.call("mcp__exai__exai_continue", asked.clone()).await,
    ];
    let third = two.call("exai_continue", asked).await;
    for shim in [&mut one, &mut two] {
        shim.ask("ping", json!({})).await;
    }
    gate.open();
    for (_, answer) in crate::editor::answers(&mut one, &ids, LIMIT).await {
        assert_eq!(ok_text(&answer["result"]), "counted");
    }
    assert_eq!(
        ok_text(&two.answer_within(third, LIMIT).await["result"]),
        "counted"
    );
    assert_eq!(sandbox.counted("ran"), 1);
}

#[tokio::test]
async fn r14_unknown_foreign_and_garbled_handles_are_told_so() {
    let sandbox = home();
    let _daemon = sandbox.daemon().await;
    let mut shim = window(&sandbox, "usual").await;
    let unknown = "0123456789abcdef0123456789abcdef-7";
    for (arguments, code, words) in [
        (json!({ "handle": unknown }), "EXPIRED", "never accepted"),
        (
            json!({ "handle": "another window/r-1" }),
            "EXPIRED",
            "another user's",
        ),
        (
            json!({ "handle": "what?" }),
            "INVALID_ARGUMENT",
            "exactly as it was told",
        ),
        (json!({}), "INVALID_ARGUMENT", "handle is missing"),
        (
            json!({ "handle": unknown, "page": 0 }),
            "INVALID_ARGUMENT",
            "1 or more",
        ),
    ] {
        let result = shim.call_tool("exai_continue", arguments.clone()).await;
        let (found, text) = failure(&result);
        assert_eq!(found, code, "{arguments}");
        assert!(text.contains(words), "{arguments}: {text}");
    }
}

#[tokio::test]
async fn r14_an_expired_handle_is_told_so_and_runs_nothing() {
    let mut sandbox = home();
    sandbox
        .set("EXAI_JOURNAL", "false")
        .set("EXAI_WS_RETAINED_RESULTS", "1");
    let _daemon = sandbox.daemon().await;
    let mut shim = window(&sandbox, "hasty").await;
    let gate = sandbox.gate("ran");
    let arguments = gate.holds(json!({ "file": sandbox.work().join("ran") }));
    let handle = left(&mut shim, "test_count_once", arguments).await;
    gate.open();
    let ended = || {
        sandbox
            .calls()
            .iter()
            .any(|call| call["tool"] == "test_count_once")
    };
    eventually(LIMIT, "it ends", ended).await;
    // One result is kept, and now it is another's.
    ok_text(&shim.call_tool("test_sleep_once", json!({ "ms": 1 })).await);
    let result = continued(&mut shim, &handle).await;
    let (code, text) = failure(&result);
    assert_eq!(code, "EXPIRED");
    assert!(text.contains("no longer kept"), "{text}");
    assert_eq!(sandbox.counted("ran"), 1);
}

#[tokio::test]
async fn r09_whoever_waits_again_lets_go_as_of_any_call() {
    let sandbox = home();
    let _daemon = sandbox.daemon().await;
    let mut shim = window(&sandbox, "hasty").await;
    let gate = sandbox.gate("kept");
    let arguments = |name: &str| gate.holds(json!({ "file": sandbox.work().join(name) }));
    let kept = left(&mut shim, "test_count_once", arguments("kept")).await;
    let gone = left(&mut shim, "test_count_once", arguments("gone")).await;
    let mut other = window(&sandbox, "usual").await;
    for (handle, reason) in [(&kept, "request timeout"), (&gone, "escape was pressed")] {
        let id = other
            .call("exai_continue", json!({ "handle": handle }))
            .await;
        let params = json!({ "requestId": id, "reason": reason });
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        other.notify("notifications/cancelled", params).await;
    }
    nothing_more(&mut other).await;
    // What a person stopped has stopped, in whichever window; a time-out stops nothing.
    let stopped = continued(&mut shim, &gone).await;
    assert_eq!(failure(&stopped).0, "CANCELLED", "{stopped}");
    gate.open();
    let mut end = continued(&mut shim, &kept).await;
    while handle(&end).is_some() {
        end = continued(&mut shim, &kept).await;
    }
    assert_eq!(ok_text(&end), "counted");
}

/// How long a call may be asked for is the daemon's to say: it is the one that stops it.
#[tokio::test]
async fn r14_how_long_it_may_be_asked_for_is_what_the_daemon_says() {
    let mut sandbox = home();
    sandbox.set("EXAI_UNWATCHED_SECS", "77");
    let _daemon = sandbox.daemon().await;
    sandbox.set("EXAI_UNWATCHED_SECS", "5");
    let mut shim = window(&sandbox, "hasty").await;
    let id = shim.call("test_sleep", json!({ "ms": 60_000 })).await;
    let result = shim.answer_within(id, LIMIT).await["result"].clone();
    let text = exai_testkit::Shim::text_of(&result).to_owned();
    assert!(handle(&result).is_some(), "{result}");
    assert!(text.contains("if nobody asks for 77 s"), "{text}");
}
