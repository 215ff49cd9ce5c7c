//! What each kind of client meets.

use super::{CLIENTS, LIMIT, continued, handle, home, left, persist, window};
use crate::editor::{failure, names, nothing_more, ok_text};
use exai_testkit::{Sandbox, Shim, Stopwatch, eventually};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

#[tokio::test]
async fn r14_clients_of_ten_seconds_of_sixty_and_of_none_run_a_three_minute_tool() {
    let sandbox = home();
    let _daemon = sandbox.daemon().await;
    let run = async |name: &str, limit: Option<f64>| {
        let mut shim = window(&sandbox, name).await;
        let arguments = json!({ "file": sandbox.work().join(name), "ms": 18_000 });
        let limit = limit.map(Duration::from_secs_f64);
        let (result, asked) = persist(&mut shim, "test_count_once", arguments, limit).await;
        assert_eq!(ok_text(&result), "counted", "{name}");
        asked
    };
    let (hasty, usual, calm) = tokio::join!(
        run("hasty", Some(1.0)),
        run("usual", Some(6.0)),
        run("calm", None)
    );
    // None was answered late; nor any oftener than that takes, on a machine that may stand still.
    assert!((2..=26).contains(&hasty), "asked {hasty} times");
    assert!((2..=5).contains(&usual), "asked {usual} times");
    assert_eq!(calm, 1);
    for name in ["hasty", "usual", "calm"] {
        assert_eq!(sandbox.counted(name), 1, "one run underneath: {name}");
    }
}

#[tokio::test]
async fn r14_progress_keeps_a_call_alive_where_the_client_honours_it() {
    let mut sandbox = home();
    // The daemon says less than the client wants to hear.
    sandbox.set("EXAI_WS_PROGRESS_INTERVAL_SECS", "30");
    let _daemon = sandbox.daemon().await;
    let mut shim = window(&sandbox, "hears").await;
    let arguments = json!({ "ms": 4_000 });
    let began = Instant::now();
    let id = shim
        .call_with_progress("test_sleep_once", arguments, json!("t"))
        .await;
    let (mut heard, mut longest, mut value) = (Stopwatch::start(), Duration::ZERO, -1.0);
    let answer = loop {
        let message = shim.recv_within(LIMIT, |_| true).await;
        longest = longest.max(heard.elapsed());
        heard = Stopwatch::start();
        if message["id"] == id {
            break message;
        }
        let now = message["params"]["progress"].as_f64().unwrap_or(-2.0);
        assert!(now > value, "{message}");
        value = now;
    };
    assert_eq!(ok_text(&answer["result"]), "slept 4000 ms");
    assert!(began.elapsed() >= Duration::from_secs(4));
    assert!(longest < Duration::from_secs(1), "silent for {longest:?}");
    // Without a token it cannot be kept waiting.
    left(&mut shim, "test_sleep_once", json!({ "ms": 60_000 })).await;
}

#[tokio::test]
async fn r14_what_goes_on_is_told_with_its_time_and_its_last_words() {
    let sandbox = home();
    let _daemon = sandbox.daemon().await;
    let mut shim = window(&sandbox, "hasty").await;
    let arguments = json!({ "count": 40, "ms": 150 });
    let asked = Instant::now();
    let result = shim.call_tool("test_flood_once", arguments).await;
    let (facts, text) = (&result["_meta"]["exai/continue"], Shim::text_of(&result));
    assert!(
        facts["running_secs"]
            .as_f64()
            .is_some_and(|secs| secs < asked.elapsed().as_secs_f64() + 0.1),
        "{result}"
    );
    for words in [
        "test_flood_once is still at work",
        "flooding: message",
        "10 min",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let handle = handle(&result).unwrap_or_default();
    let again = continued(&mut shim, &handle).await;
    let again_for = again["_meta"]["exai/continue"]["running_secs"].as_f64();
    assert!(
        again_for > facts["running_secs"].as_f64(),
        "counted from its beginning: {again}"
    );
    let (end, _) = persist(
        &mut shim,
        "exai_continue",
        json!({ "handle": handle }),
        None,
    )
    .await;
    assert_eq!(ok_text(&end), "said 40 messages");
}

#[tokio::test]
async fn r14_the_way_on_is_listed_for_whoever_may_need_it_and_always_the_same() {
    let sandbox = home();
    let _daemon = sandbox.daemon().await;
    for (name, listed) in [("usual", true), ("who knows", true), ("calm", false)] {
        let mut shim = window(&sandbox, name).await;
        let list = crate::editor::listing(&mut shim, "test_sleep").await;
        let entries = list["result"]["tools"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let found: Vec<&Value> = entries
            .iter()
            .filter(|tool| tool["name"] == "exai_continue")
            .collect();
        assert_eq!(found.len(), usize::from(listed), "{name}");
        if let Some(entry) = found.first() {
            assert_eq!(entry["annotations"]["readOnlyHint"], true);
            assert_eq!(entry["annotations"]["destructiveHint"], false);
            let again = shim.ask("tools/list", json!({})).await;
            assert_eq!(list["result"].to_string(), again["result"].to_string());
        }
        let capabilities = json!({});
        let id = shim
            .modern_request_as(name, capabilities, "tools/list", json!({}))
            .await;
        let modern = shim.answer(id).await;
        assert_eq!(names(&modern), names(&list), "{name}");
    }
}

/// A client that has given up, and says so, was promised nothing; its same call again is not a
/// second run.
#[tokio::test]
async fn r14_who_gave_up_gets_the_result_by_the_same_call_once_and_marked() {
    let sandbox = home();
    let mut daemon = sandbox.daemon().await;
    let mut shim = window(&sandbox, "usual").await;
    for restarted in [false, true] {
        let gate = sandbox.gate(&format!("restarted {restarted}"));
        let arguments = gate.holds(json!({ "file": sandbox.work().join("ran") }));
        let runs = sandbox.counted("ran") + 1;
        let id = shim.call("test_count_once", arguments.clone()).await;
        eventually(LIMIT, "it runs", || sandbox.counted("ran") == runs).await;
        let params =
            json!({ "requestId": id, "reason": "McpError: MCP error -32001: Request timed out" });
        shim.notify("notifications/cancelled", params).await;
        nothing_more(&mut shim).await;
        gate.open();
        let ended = || {
            sandbox
                .calls()
                .iter()
                .filter(|call| call["tool"] == "test_count_once")
                .count()
        };
        let before = 3 * usize::from(restarted);
        eventually(LIMIT, "it ends", || ended() > before).await;
        if restarted {
            daemon.kill().await;
            daemon = sandbox.daemon().await;
        }
        let again = shim.call_tool("test_count_once", arguments.clone()).await;
        assert_eq!(ok_text(&again), "counted");
        assert_eq!(again["_meta"]["exai/replayed"], true, "{again}");
        assert!(
            again["_meta"]["exai/age"]
                .as_f64()
                .is_some_and(|age| age < 60.0),
            "{again}"
        );
        assert_eq!(sandbox.counted("ran"), runs, "it was not run again");
        let fresh = shim.call_tool("test_count_once", arguments.clone()).await;
        assert!(
            fresh["_meta"].get("exai/replayed").is_none(),
            "once only: {fresh}"
        );
        assert_eq!(sandbox.counted("ran"), runs + 1);
    }
}

/// A model that starts the work again instead of asking for it joins what is at work.
#[tokio::test]
async fn r14_the_same_call_again_joins_the_work_and_starts_none() {
    let sandbox = home();
    let _daemon = sandbox.daemon().await;
    let mut shim = window(&sandbox, "hasty").await;
    let gate = sandbox.gate("ran");
    let arguments = gate.holds(json!({ "file": sandbox.work().join("ran") }));
    let mut asked = 0;
    let end = loop {
        let result = shim.call_tool("test_count_once", arguments.clone()).await;
        if handle(&result).is_none() {
            break result;
        }
        asked += 1;
        if asked == 3 {
            gate.open();
        }
    };
    assert_eq!(ok_text(&end), "counted");
    assert!(asked >= 3, "left {asked} times");
    assert_eq!(sandbox.counted("ran"), 1);
}

#[tokio::test]
async fn r01_without_a_daemon_an_answer_comes_in_the_clients_time() {
    let sandbox = home();
    let mut shim = sandbox.shim();
    shim.initialize_as("hasty", "2025-11-25").await;
    let began = Stopwatch::start();
    let result = shim.call_tool("test_sleep", json!({ "ms": 1 })).await;
    assert!(
        began.elapsed() < Duration::from_secs(1),
        "{:?}",
        began.elapsed()
    );
    let (code, text) = failure(&result);
    assert_eq!(
        (code, &result["_meta"]["exai/ran"]),
        ("UNAVAILABLE", &json!("no"))
    );
    assert!(text.contains("was not run"), "{text}");
}

#[tokio::test]
async fn r45_a_faulty_table_is_named_and_what_was_known_stays() {
    let mut sandbox = home();
    sandbox.write("config/clients.toml", "[clients.usual]\ncall_sec = 2\n");
    sandbox.set("EXAI_CLIENT_CALL_SECS", "1.0");
    let _daemon = sandbox.daemon().await;
    let mut shim = window(&sandbox, "usual").await;
    let said = shim.said();
    assert!(
        said.contains("clients.toml") && said.contains("call_sec"),
        "{said}"
    );
    // A setting of the window wins over any table.
    left(&mut shim, "test_sleep_once", json!({ "ms": 60_000 })).await;
    // Mended, it counts, without a new window.
    sandbox.unset("EXAI_CLIENT_CALL_SECS");
    let mut shim = window(&sandbox, "usual").await;
    sandbox.write(
        "config/clients.toml",
        CLIENTS.replace("call_secs = 6", "call_secs = 1.5").as_str(),
    );
    let handed = async || {
        let result = shim
            .call_tool("test_sleep_once", json!({ "ms": 70_000 }))
            .await;
        handle(&result).is_some()
    };
    let mut handed = handed;
    assert!(handed().await || handed().await, "the mended table is read");
}

/// What a client does with a changed list, and with long names, is in the table too.
#[tokio::test]
async fn r15_a_client_is_told_what_it_can_use() {
    let sandbox = home();
    let table = "[default]\nlist_changed = false\ntool_most = 17\n";
    sandbox.write("config/clients.toml", table);
    let mut shim = sandbox.shim();
    shim.initialize_as("deaf", "2025-11-25").await;
    // The list of the binary; the daemon's is another.
    shim.ask("tools/list", json!({})).await;
    let _daemon = sandbox.daemon().await;
    crate::editor::listing(&mut shim, "test_sleep").await;
    nothing_more(&mut shim).await;
    let told = shim.take_aside();
    assert!(told.is_empty(), "{told:?}");
    let long = || sandbox.log("ws_shim.log").contains("exai_test_sleep_once");
    eventually(LIMIT, "a warning about a long name", long).await;
    assert!(!sandbox.log("ws_shim.log").contains("exai_test_sleep\""));
}

/// How the counting calls ended, one after the other.
fn counts(sandbox: &Sandbox) -> Vec<Value> {
    let mut calls = sandbox.calls();
    calls.retain(|call| call["tool"] == "test_count_once");
    calls
}

/// Whether a call was let go of between these milliseconds of its life.
async fn let_go_between(
    sandbox: &Sandbox,
    shim: &mut Shim,
    name: &str,
    when: std::ops::Range<u64>,
) -> bool {
    let arguments = json!({ "file": sandbox.work().join(name), "ms": 9_000 });
    let (before, began) = (counts(sandbox).len(), Instant::now());
    let id = shim.call("test_count_once", arguments).await;
    let runs = || sandbox.counted(name) > 0;
    eventually(LIMIT, "it runs", runs).await;
    tokio::time::sleep_until(began + Duration::from_millis(when.start)).await;
    shim.notify("notifications/cancelled", json!({ "requestId": id }))
        .await;
    shim.ask("ping", json!({})).await;
    let late = shim.take_aside();
    if began.elapsed() < Duration::from_millis(when.end) {
        let answer = late.iter().find(|message| message["id"] == id);
        assert_eq!(answer, None, "answered although it was let go of");
        return true;
    }
    eventually(LIMIT, "it ends", || counts(sandbox).len() > before).await;
    false
}

/// Near its limit a client that lets go has run out of patience, whatever it says; long before,
/// somebody wants the work to end.
#[tokio::test]
async fn r09_a_cancel_at_the_clients_limit_leaves_the_work_and_an_early_one_ends_it() {
    let mut sandbox = home();
    sandbox.set("EXAI_CLIENT_CALL_SECS", "8");
    let _daemon = sandbox.daemon().await;
    let mut shim = window(&sandbox, "usual").await;
    // Its own answer would leave after seven seconds, and two of those count as its limit.
    for (name, from, to, outcome) in [
        ("early", 0, 5_900, "cancelled"),
        ("late", 6_200, 6_900, "ok"),
    ] {
        let mut tries = 0;
        // On a machine that stood still meanwhile, it was let go of at another moment.
        while !let_go_between(&sandbox, &mut shim, &format!("{name} {tries}"), from..to).await {
            tries += 1;
            assert!(tries < 10, "{name}: never in time");
        }
        let ended = || counts(&sandbox).pop().map(|call| call["outcome"].clone());
        let is_so = || ended() == Some(json!(outcome));
        eventually(LIMIT, format_args!("{name}: {outcome}"), is_so).await;
    }
}

/// What the owner of a window says of its client wins over the table.
#[tokio::test]
async fn r14_a_setting_says_that_progress_helps() {
    let mut sandbox = home();
    sandbox.set("EXAI_CLIENT_RESETS", "true");
    let _daemon = sandbox.daemon().await;
    let mut shim = window(&sandbox, "hasty").await;
    let arguments = json!({ "ms": 2_500 });
    let id = shim
        .call_with_progress("test_sleep_once", arguments, json!(1))
        .await;
    let answer = shim.answer_within(id, LIMIT).await;
    assert_eq!(ok_text(&answer["result"]), "slept 2500 ms");
}
