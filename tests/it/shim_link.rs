//! The link breaks and the daemon lives: what was in flight goes on, its result is delivered,
//! and nothing runs twice.

use crate::editor::{answers, by_hand, nothing_more, ok_text, reached, seed, settled};
use exai_testkit::{
    Daemon, Must as _, Relay, Sandbox, Shim, Stopwatch, eventually, pause_pid, resume_pid,
};
use serde_json::json;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);

/// A window whose shim reaches its daemon by address, as it would one in a container.
struct Far {
    sandbox: Sandbox,
    daemon: Daemon,
    relay: Relay,
    shim: Shim,
}

async fn far(settings: &[(&str, &str)]) -> Far {
    let mut sandbox = by_hand();
    let relay = Relay::to(sandbox.port()).await;
    let name = format!("127.0.0.1:{}", relay.port());
    sandbox.set("EXAI_WS_ALLOWED_HOSTS", name);
    let daemon = sandbox.daemon().await;
    let mut command = sandbox.command("exai-shim");
    command
        .env("EXAI_WS_HOST", "127.0.0.1")
        .env("EXAI_WS_PORT", relay.port().to_string())
        .env("EXAI_WS_TOKEN", sandbox.token().must("read the token"))
        .envs(settings.iter().copied());
    let mut shim = sandbox.shim_of(command);
    shim.initialize("2025-11-25").await;
    reached(&mut shim).await;
    settled(&mut shim).await;
    Far {
        sandbox,
        daemon,
        relay,
        shim,
    }
}

#[tokio::test]
async fn r02_a_cut_link_is_joined_again_and_the_result_delivered() {
    let mut far = far(&[]).await;
    let path = far.sandbox.work().join("trace");
    let gate = far.sandbox.gate("trace");
    let call = gate.holds(json!({ "file": path }));
    let id = far.shim.call("test_count_once", call).await;
    let counted = || far.sandbox.counted("trace") == 1;
    eventually(LIMIT, "the call to run", counted).await;
    far.relay.cut();
    let again = || far.relay.served() > 1;
    eventually(LIMIT, "the link to be made anew", again).await;
    gate.open();
    let answer = far.shim.answer(id).await;
    assert_eq!(ok_text(&answer["result"]), "counted");
    assert_eq!(far.sandbox.counted("trace"), 1);
    nothing_more(&mut far.shim).await;
}

/// What finished while nobody could be told is told afterwards.
#[tokio::test]
async fn r02_a_result_that_fell_into_a_gap_is_collected() {
    let mut far = far(&[]).await;
    let path = far.sandbox.work().join("trace");
    let gate = far.sandbox.gate("trace");
    let call = gate.holds(json!({ "file": path }));
    let id = far.shim.call("test_count_once", call).await;
    let counted = || far.sandbox.counted("trace") == 1;
    eventually(LIMIT, "the call to run", counted).await;
    // Nothing passes and nobody notices until the call has long finished.
    far.relay.freeze();
    gate.open();
    eventually(LIMIT, "the call to finish", || {
        far.sandbox
            .calls()
            .iter()
            .any(|record| record["tool"] == "test_count_once")
    })
    .await;
    far.relay.cut();
    far.relay.thaw();
    let answer = far.shim.answer(id).await;
    assert_eq!(ok_text(&answer["result"]), "counted");
    assert_eq!(far.sandbox.counted("trace"), 1);
}

/// A few windows at once: a link that breaks again and again is dialled ever more slowly.
#[tokio::test]
async fn r02_cut_at_any_byte_every_id_is_answered_once_and_nothing_runs_twice() {
    let mut rng = seed("r02_cut");
    let mut four = || cut_at_random(fastrand::Rng::with_seed(rng.u64(..)));
    let cuts = tokio::join!(four(), four(), four(), four());
    assert!(cuts.0 + cuts.1 + cuts.2 + cuts.3 > 10, "hardly a cut");
}

async fn cut_at_random(mut rng: fastrand::Rng) -> u64 {
    let mut far = far(&[]).await;
    for round in 0..7 {
        let mut made = Vec::new();
        for n in 0..6 {
            let file = format!("{round}-{n}");
            let path = far.sandbox.work().join(&file);
            let tool = if rng.bool() {
                "test_count"
            } else {
                "test_count_once"
            };
            let ms = rng.u64(0..60);
            if n == 1 {
                // Some come before the cut, some after, one is cut through.
                far.relay.cut_after(rng.u64(0..2500));
            }
            let call = json!({ "file": path, "ms": ms });
            made.push((far.shim.call(tool, call).await, file));
        }
        let ids: Vec<u64> = made.iter().map(|(id, _)| *id).collect();
        let found = answers(&mut far.shim, &ids, LIMIT).await;
        for (id, file) in &made {
            assert_eq!(ok_text(&found[id]["result"]), "counted");
            assert_eq!(far.sandbox.counted(file), 1, "round {round}: {file}");
        }
        nothing_more(&mut far.shim).await;
    }
    far.relay.served() - 1
}

#[tokio::test]
async fn r02_a_large_answer_cut_through_arrives_whole() {
    let mut rng = seed("r02_cut_bulk");
    let mut far = far(&[]).await;
    for _ in 0..5 {
        far.relay.cut_after(rng.u64(1000..4_000_000));
        let result = far
            .shim
            .call_tool("test_bulk", json!({ "bytes": 2_000_000 }))
            .await;
        assert_eq!(ok_text(&result).len(), 2_000_000);
    }
}

#[tokio::test]
async fn r12_a_link_that_is_open_and_carries_nothing_is_noticed_and_left() {
    let quick = [
        ("EXAI_WS_PING_INTERVAL", "0.5"),
        ("EXAI_WS_PING_TIMEOUT", "0.5"),
    ];
    let mut far = far(&quick).await;
    let path = far.sandbox.work().join("trace");
    let call = json!({ "file": path, "ms": 100 });
    let before = far.relay.served();
    far.relay.swallow();
    let (swallowed, id) = (
        Stopwatch::start(),
        far.shim.call("test_count_once", call).await,
    );
    let answer = far.shim.answer(id).await;
    assert_eq!(ok_text(&answer["result"]), "counted");
    assert!(swallowed.elapsed() < Duration::from_secs(10));
    assert_eq!(far.sandbox.counted("trace"), 1);
    assert!(far.relay.served() > before, "the link was not made anew");
    let log = far.sandbox.log("ws_shim.log");
    assert!(log.contains("the link to the daemon broke"), "{log}");
}

#[tokio::test]
async fn r12_an_idle_link_that_died_is_left_before_anybody_calls() {
    let quick = [
        ("EXAI_WS_PING_INTERVAL", "0.3"),
        ("EXAI_WS_PING_TIMEOUT", "0.3"),
    ];
    let mut far = far(&quick).await;
    let before = far.relay.served();
    far.relay.swallow();
    let again = || far.relay.served() > before;
    eventually(LIMIT, "a new link", again).await;
    reached(&mut far.shim).await;
}

#[tokio::test]
async fn r12_a_link_that_freezes_for_a_while_loses_nothing() {
    let quick = [
        ("EXAI_WS_PING_INTERVAL", "0.5"),
        ("EXAI_WS_PING_TIMEOUT", "0.5"),
    ];
    let mut far = far(&quick).await;
    let path = far.sandbox.work().join("trace");
    let call = json!({ "file": path, "ms": 10 });
    let before = far.relay.served();
    far.relay.freeze();
    let id = far.shim.call("test_count_once", call).await;
    let again = || far.relay.served() > before;
    eventually(LIMIT, "an attempt at a new link", again).await;
    far.relay.thaw();
    let answer = far.shim.answer_within(id, LIMIT).await;
    assert_eq!(ok_text(&answer["result"]), "counted");
    assert_eq!(far.sandbox.counted("trace"), 1);
    nothing_more(&mut far.shim).await;
}

/// A daemon that is there and does not move, as on a machine that swaps.
#[cfg(unix)]
#[tokio::test]
async fn r12_a_daemon_that_freezes_for_a_while_is_waited_for() {
    let quick = [
        ("EXAI_WS_PING_INTERVAL", "0.5"),
        ("EXAI_WS_PING_TIMEOUT", "0.5"),
        ("EXAI_WS_HANDSHAKE_TIMEOUT", "1"),
    ];
    let mut far = far(&quick).await;
    let daemon = far.daemon.id();
    let before = far.relay.served();
    pause_pid(daemon);
    let path = far.sandbox.work().join("trace");
    let call = json!({ "file": path, "ms": 10 });
    let id = far.shim.call("test_count_once", call).await;
    let again = || far.relay.served() > before;
    eventually(LIMIT, "an attempt at a new link", again).await;
    assert!(
        far.shim
            .ask("ping", json!({}))
            .await
            .get("result")
            .is_some()
    );
    resume_pid(daemon);
    let answer = far.shim.answer_within(id, LIMIT).await;
    assert_eq!(ok_text(&answer["result"]), "counted");
    assert_eq!(far.sandbox.counted("trace"), 1);
    nothing_more(&mut far.shim).await;
}
