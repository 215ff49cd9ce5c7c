//! The port: whose it is when it is not ours, that it stays the same, and how it is reached
//! from behind a mapping.

use exai_testkit::{Frame, Handshake, Must as _, PATIENCE, Relay, Sandbox, Ws, eventually};
use serde_json::json;
use tokio::net::TcpListener;

const PORT_TAKEN: i32 = 5;
const OTHER_HOME: i32 = 6;
const REFUSED: i32 = 10;

#[tokio::test]
async fn r41_a_foreign_owner_of_the_port_is_named() {
    let sandbox = Sandbox::new();
    let taken = TcpListener::bind(("127.0.0.1", sandbox.port()))
        .await
        .must("take the port");
    let mut owner = tokio::task::JoinSet::new();
    // It hangs up on everyone, as a program does that speaks something else.
    owner.spawn(async move { while taken.accept().await.is_ok() {} });
    for words in ["start", "run"] {
        let output = sandbox.cli(&[words]).await;
        assert_eq!(output.code, Some(PORT_TAKEN), "{words}: {}", output.all());
        let said = output.stderr;
        assert!(
            said.contains(&sandbox.port().to_string()),
            "{words}: {said}"
        );
        assert!(
            said.contains("EXAI_WS_PORT"),
            "{words} says what to do: {said}"
        );
        #[cfg(target_os = "linux")]
        assert!(
            said.contains(&format!("pid {}", std::process::id())),
            "{words}: {said}"
        );
    }
    assert!(sandbox.endpoint().is_none() && sandbox.processes("exai-daemon").is_empty());
    let doctor = sandbox.cli(&["doctor"]).await;
    assert_ne!(doctor.code, Some(0), "{}", doctor.all());
    assert!(
        doctor.all().contains(&sandbox.port().to_string()),
        "{}",
        doctor.all()
    );
}

/// A program on our port that takes connections and says nothing.
async fn silent(port: u16) -> tokio::task::JoinSet<()> {
    let taken = TcpListener::bind(("127.0.0.1", port))
        .await
        .must("take the port");
    let mut owner = tokio::task::JoinSet::new();
    owner.spawn(async move {
        let mut held = Vec::new();
        while let Ok(guest) = taken.accept().await {
            held.push(guest);
        }
    });
    owner
}

/// Who takes connections and says nothing is seen through in seconds, which starters do not do one
/// after the other: the last of many windows would wait for all before it.
#[tokio::test]
async fn r41_a_silent_owner_of_the_port_keeps_no_starter_waiting_for_another() {
    const STARTERS: usize = 12;
    let sandbox = Sandbox::new();
    let _owner = silent(sandbox.port()).await;
    let starts = (0..STARTERS).map(|_| sandbox.cli(&["start"]));
    for output in futures_util::future::join_all(starts).await {
        assert_eq!(output.code, Some(PORT_TAKEN), "{}", output.all());
        for word in [&*sandbox.port().to_string(), "EXAI_WS_PORT"] {
            assert!(output.stderr.contains(word), "{word}: {}", output.stderr);
        }
    }
    assert!(sandbox.processes("exai-daemon").is_empty());
}

#[tokio::test]
async fn r41_the_exai_of_another_home_is_named() {
    let theirs = Sandbox::new();
    let mut daemon = theirs.daemon().await;
    let ours = Sandbox::on_port(theirs.port());
    let home = theirs.home().display().to_string();
    for (words, code) in [
        (&["start"][..], OTHER_HOME),
        (&["run"], OTHER_HOME),
        (&["status"], 1),
    ] {
        let output = ours.cli(words).await;
        assert_eq!(output.code, Some(code), "{words:?}: {}", output.all());
        assert!(output.all().contains(&home), "{words:?}: {}", output.all());
    }
    let call = ours.cli(&["call", "version"]).await;
    assert!(
        matches!(call.code, Some(4 | OTHER_HOME | REFUSED)),
        "{}",
        call.all()
    );
    assert!(daemon.is_running());
    // One token for both homes opens the door, and is still not the way into another home.
    let mut ours = Sandbox::on_port(theirs.port());
    ours.set("EXAI_WS_TOKEN", theirs.token().must("read the token"));
    let call = ours.cli(&["call", "version"]).await;
    assert_eq!(call.code, Some(OTHER_HOME), "{}", call.all());
    assert!(call.stderr.contains(&home), "{}", call.all());
}

#[tokio::test]
async fn r41_the_port_is_the_same_after_restarts_and_another_only_on_request() {
    let mut sandbox = Sandbox::new();
    sandbox.cli(&["start"]).await.ok();
    for _ in 0..3 {
        let restarted = sandbox.cli(&["restart"]).await.ok();
        assert!(
            restarted.stdout.contains(&format!(":{}", sandbox.port())),
            "{}",
            restarted.all()
        );
    }
    sandbox.cli(&["stop"]).await.ok();
    sandbox.set("EXAI_WS_PORT", "0");
    sandbox.cli(&["start"]).await.ok();
    let port = sandbox.endpoint().must("read the record")["port"]
        .as_u64()
        .unwrap_or_default();
    assert_ne!(port, 0);
    assert_ne!(port, u64::from(sandbox.port()));
    // Every command of the home finds it.
    assert!(
        sandbox
            .cli(&["status"])
            .await
            .ok()
            .stdout
            .contains(&format!(":{port} "))
    );
    let version = sandbox.cli(&["call", "version", "--full"]).await.ok();
    assert!(version.stdout.contains("exai-daemon"), "{}", version.all());
    sandbox.cli(&["stop"]).await.ok();
}

/// As a daemon in a container is reached: another port on the outside, no shared files.
async fn container() -> (Sandbox, exai_testkit::Daemon, Relay) {
    let mut inside = Sandbox::new();
    let relay = Relay::to(inside.port()).await;
    inside.set("EXAI_WS_TOKEN", "a-token-both-sides-know").set(
        "EXAI_WS_ALLOWED_HOSTS",
        format!("127.0.0.1:{},box.test:9", relay.port()),
    );
    let daemon = inside.daemon_with_token("a-token-both-sides-know").await;
    (inside, daemon, relay)
}

fn outside(relay: &Relay) -> Sandbox {
    let mut outside = Sandbox::on_port(relay.port());
    outside
        .set("EXAI_WS_HOST", "127.0.0.1")
        .set("EXAI_WS_TOKEN", "a-token-both-sides-know");
    outside
}

#[tokio::test]
async fn r41_a_daemon_behind_a_mapped_port_is_reached_by_address_and_token() {
    let (inside, _daemon, relay) = container().await;
    let outside = outside(&relay);
    let mut shim = outside.shim();
    shim.initialize("2025-06-18").await;
    let result = shim.call_tool("version", json!({})).await;
    assert_ne!(result["isError"], true, "{result}");
    let said = result.to_string();
    assert!(
        said.contains(&inside.home().display().to_string()),
        "that daemon: {said}"
    );
    let call = outside
        .cli(&["call", "test_sleep", "-a", "ms=10"])
        .await
        .ok();
    assert_eq!(call.stdout.trim(), "slept 10 ms");
    assert!(
        outside
            .cli(&["status"])
            .await
            .ok()
            .stdout
            .contains("ws_status: running")
    );
    assert!(
        outside.processes("exai-daemon").is_empty(),
        "nothing is started out there"
    );
}

#[tokio::test]
async fn s02_a_mapped_port_that_was_not_allowed_is_refused_with_the_remedy() {
    let inside = Sandbox::new();
    let _daemon = inside.daemon().await;
    let relay = Relay::to(inside.port()).await;
    let Err(refused) = Ws::connect_with(relay.port(), &[]).await else {
        panic!("a foreign Host was let in");
    };
    assert_eq!(Ws::status(&refused), Some(403));
    let mut outside = outside(&relay);
    outside.set("EXAI_WS_TOKEN", inside.token().must("read the token"));
    let call = outside.cli(&["call", "version"]).await;
    assert_eq!(call.code, Some(REFUSED), "{}", call.all());
    assert!(
        call.stderr.contains("EXAI_WS_ALLOWED_HOSTS"),
        "{}",
        call.all()
    );
}

#[tokio::test]
async fn a_cut_relay_costs_no_call() {
    let (inside, _daemon, mut relay) = container().await;
    let outside = outside(&relay);
    let mut shim = outside.shim();
    shim.initialize("2025-06-18").await;
    let (file, gate) = (inside.work().join("ran"), inside.gate("ran"));
    let id = shim
        .call("test_count_once", gate.holds(json!({ "file": file })))
        .await;
    eventually(PATIENCE, "the call runs", || inside.counted("ran") == 1).await;
    relay.cut();
    gate.open();
    let answer = shim.answer(id).await;
    assert_ne!(answer["result"]["isError"], true, "{answer}");
    assert_eq!(inside.counted("ran"), 1, "and ran once");
}

#[tokio::test]
async fn a_wrong_token_is_refused_and_said_to_be_wrong() {
    let sandbox = Sandbox::new();
    let _daemon = sandbox.daemon().await;
    let mut ws = Ws::connect(sandbox.port()).await;
    let ack = ws.hello(&Handshake::v1("wrong")).await;
    assert_eq!(
        ack,
        Frame::Json(json!({ "op": "hello_ack", "ok": false, "error": "unauthorized" }))
    );
    assert_eq!(ws.closed().await, Some((4003, "unauthorized".to_owned())));
    let mut wrong = Sandbox::on_port(sandbox.port());
    wrong
        .set("EXAI_WS_TOKEN", "wrong-token-for-this-one")
        .set("EXAI_HOME", sandbox.home());
    let call = wrong.cli(&["call", "version"]).await;
    assert_eq!(call.code, Some(REFUSED), "{}", call.all());
    assert!(call.stderr.contains("EXAI_WS_TOKEN"), "{}", call.all());
    assert!(
        !call.all().contains("wrong-token-for-this-one"),
        "{}",
        call.all()
    );
}
