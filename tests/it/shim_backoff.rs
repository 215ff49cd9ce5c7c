//! How a shim tries again: seldom where trying is no use, at once where something changed.

use crate::editor::{by_hand, failure, reached};
use exai_testkit::{Sandbox, Shim, Stopwatch};
use serde_json::json;
use std::time::Duration;

const RIGHT: &str = "right-token-0123456789abcdef0123";
const WRONG: &str = "wrong-token-0123456789abcdef0123";

/// A daemon with one token, and a home whose settings name another.
async fn at_odds() -> (Sandbox, exai_testkit::Daemon, Shim) {
    let mut sandbox = by_hand();
    sandbox.set("EXAI_WS_TOKEN", RIGHT);
    let mut daemon = sandbox.spawn_daemon();
    let listening = || sandbox.log("ws_daemon.log").contains("listening");
    exai_testkit::eventually(exai_testkit::PATIENCE, "the daemon", listening).await;
    assert!(daemon.is_running());
    sandbox.unset("EXAI_WS_TOKEN");
    sandbox.write(".env", &format!("EXAI_WS_TOKEN={WRONG}\n"));
    let mut shim = sandbox.shim();
    shim.initialize("2025-11-25").await;
    (sandbox, daemon, shim)
}

#[tokio::test]
async fn r13_a_refused_token_is_explained_and_not_tried_again_and_again() {
    let (sandbox, _daemon, mut shim) = at_odds().await;
    let asked = Stopwatch::start();
    let result = shim.call_tool("version", json!({})).await;
    let (code, text) = failure(&result);
    assert_eq!(code, "UNAVAILABLE");
    for part in ["refused", "token", "not run"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(
        !text.contains(WRONG) && !text.contains(RIGHT),
        "a secret: {text}"
    );
    // Waiting is of no use, so nobody waits.
    assert!(
        asked.elapsed() < Duration::from_secs(5),
        "{:?}",
        asked.elapsed()
    );
    tokio::time::sleep(Duration::from_secs(4)).await;
    let asked = Stopwatch::start();
    failure(&shim.call_tool("version", json!({})).await);
    assert!(asked.elapsed() < Duration::from_secs(2));
    let refusals = sandbox.log("ws_daemon.log").matches("refused").count();
    assert!((1..=2).contains(&refusals), "{refusals} attempts");
}

#[tokio::test]
async fn r13_the_right_token_is_tried_as_soon_as_it_is_there() {
    let (sandbox, _daemon, mut shim) = at_odds().await;
    failure(&shim.call_tool("version", json!({})).await);
    sandbox.write(".env", &format!("EXAI_WS_TOKEN={RIGHT}\n"));
    let written = Stopwatch::start();
    loop {
        let result = shim.call_tool("version", json!({})).await;
        if result["isError"] != true {
            break;
        }
        assert!(written.elapsed() < Duration::from_secs(10), "{result}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    reached(&mut shim).await;
}

/// By then the next attempt would be due in up to 5 s.
#[tokio::test]
async fn r13_a_daemon_that_appears_is_dialled_at_once() {
    let mut sandbox = by_hand();
    sandbox.set("EXAI_SHIM_CONNECT_WAIT", "30");
    let mut shim = sandbox.shim();
    shim.initialize("2025-11-25").await;
    tokio::time::sleep(Duration::from_secs(14)).await;
    let id = shim.call("version", json!({})).await;
    let mut fastest = Duration::MAX;
    let mut daemon = sandbox.daemon().await;
    let serves = Stopwatch::start();
    shim.answer(id).await;
    fastest = fastest.min(serves.elapsed());
    assert!(fastest < Duration::from_millis(2500), "{fastest:?}");
    assert!(daemon.is_running());
}

/// A stranger on the port is no daemon, and no reason to hurry.
#[tokio::test]
async fn r13_a_port_that_answers_nothing_is_dialled_seldom_and_the_call_is_answered() {
    let mut sandbox = by_hand();
    sandbox
        .set("EXAI_SHIM_CONNECT_WAIT", "2")
        .set("EXAI_WS_HANDSHAKE_TIMEOUT", "0.5")
        .set("EXAI_WS_TOKEN", RIGHT);
    let address = (std::net::Ipv4Addr::LOCALHOST, sandbox.port());
    let stranger = tokio::net::TcpListener::bind(address).await.unwrap();
    let mut shim = sandbox.shim();
    shim.initialize("2025-11-25").await;
    let id = shim.call("version", json!({})).await;
    let mut dials = 0;
    let mut held = Vec::new();
    let answer = loop {
        tokio::select! {
            taken = stranger.accept() => {
                held.push(taken.unwrap());
                dials += 1;
            }
            answer = shim.answer(id) => break answer,
        }
    };
    let (code, text) = failure(&answer["result"]);
    assert_eq!(code, "UNAVAILABLE");
    assert!(text.contains("attempt"), "{text}");
    assert!((1..=5).contains(&dials), "{dials} dials in 2 s");
}
