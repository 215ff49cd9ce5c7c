//! The event stream: in order, replayed where it was missed, honest where it cannot be.

use exai_testkit::{Must as _, PATIENCE, Sandbox, Ws};
use serde_json::{Value, json};

async fn subscribe(ws: &mut Ws, mut frame: Value) -> Value {
    frame["op"] = json!("subscribe");
    frame["request_id"] = json!("sub");
    ws.send(&frame).await;
    let reply = ws.recv_op("subscribe_res").await;
    assert_eq!(reply["request_id"], "sub");
    reply
}

async fn event(ws: &mut Ws, topic: &str) -> Value {
    ws.recv_where(|frame| frame["op"] == "event" && frame["topic"] == topic)
        .await
}

#[tokio::test]
async fn a_call_is_told_from_its_start_to_its_end_in_order() {
    let sandbox = Sandbox::new();
    let _daemon = sandbox.daemon().await;
    let (mut watcher, _) = sandbox.modern("watcher", &["events"]).await;
    let reply = subscribe(&mut watcher, json!({})).await;
    assert_eq!(reply["resync_required"], false, "{reply}");
    let (mut worker, _) = sandbox.modern("worker", &["rich_results"]).await;
    // Whoever else came or went before is of no interest.
    let joined = watcher
        .recv_where(|frame| {
            let status = &frame["data"]["connection_status"];
            status["connected"] == true && status["client"] == "testkit"
        })
        .await;
    worker
        .call_as("seen", "test_flood", json!({ "count": 3, "ms": 300 }))
        .await;
    worker.result("seen").await;
    let started = event(&mut watcher, "tool_call_started").await;
    let progress = event(&mut watcher, "tool_call_progress").await;
    let ended = event(&mut watcher, "tool_call_result").await;
    assert_eq!(
        started["data"]["tool_call_started"]["request_id"], "seen",
        "{started}"
    );
    assert_eq!(
        progress["data"]["tool_call_progress"]["stage"], "flooding",
        "{progress}"
    );
    let facts = &ended["data"]["tool_call_result"];
    assert_eq!(
        (&facts["request_id"], &facts["outcome"], &facts["tool"]),
        (&json!("seen"), &json!("ok"), &json!("test_flood"))
    );
    let seq = |event: &Value| event["seq"].as_u64().must("read a number");
    assert!(
        seq(&joined) < seq(&started)
            && seq(&started) < seq(&progress)
            && seq(&progress) < seq(&ended)
    );
    drop(worker);
    let left = watcher
        .recv_where(|frame| frame["data"]["connection_status"]["connected"] == false)
        .await;
    assert!(
        left["data"]["connection_status"]["reason"].is_string(),
        "{left}"
    );
    watcher
        .send(&json!({ "op": "unsubscribe", "request_id": "u" }))
        .await;
    assert_eq!(watcher.recv_op("unsubscribe_res").await["ok"], true);
}

#[tokio::test]
async fn what_was_missed_is_replayed_exactly_once() {
    let sandbox = Sandbox::new();
    let _daemon = sandbox.daemon().await;
    let topics = json!(["tool_call_result"]);
    let (mut watcher, _) = sandbox.modern("watcher", &["events"]).await;
    let reply = subscribe(&mut watcher, json!({ "topics": topics })).await;
    let boot = reply["boot_id"].clone();
    let mut worker = sandbox.ws().await;
    worker.call_as("r-0", "no_such_tool", json!({})).await;
    worker.result("r-0").await;
    let last = event(&mut watcher, "tool_call_result").await["seq"].clone();
    drop(watcher);
    for n in 1..=5 {
        worker
            .call_as(&format!("r-{n}"), "no_such_tool", json!({}))
            .await;
        worker.result(&format!("r-{n}")).await;
    }
    let (mut watcher, _) = sandbox.modern("watcher", &["events"]).await;
    let reply = subscribe(
        &mut watcher,
        json!({ "topics": topics, "since": last, "boot_id": boot }),
    )
    .await;
    assert_eq!(reply["resync_required"], false, "{reply}");
    for n in 1..=5 {
        let told = event(&mut watcher, "tool_call_result").await;
        assert_eq!(
            told["data"]["tool_call_result"]["request_id"],
            format!("r-{n}"),
            "{told}"
        );
    }
    worker.call_as("r-6", "no_such_tool", json!({})).await;
    let told = event(&mut watcher, "tool_call_result").await;
    assert_eq!(
        told["data"]["tool_call_result"]["request_id"], "r-6",
        "{told}"
    );
}

#[tokio::test]
async fn numbers_of_another_life_are_told_to_be_so() {
    let sandbox = Sandbox::new();
    let mut daemon = sandbox.daemon().await;
    let (mut watcher, _) = sandbox.modern("watcher", &["events"]).await;
    let reply = subscribe(&mut watcher, json!({})).await;
    let (seq, boot) = (reply["seq"].clone(), reply["boot_id"].clone());
    daemon.kill().await;
    let _daemon = sandbox.daemon().await;
    let (mut watcher, ack) = sandbox.modern("watcher", &["events"]).await;
    assert_ne!(ack["server"]["boot_id"], boot);
    let reply = subscribe(&mut watcher, json!({ "since": seq, "boot_id": boot })).await;
    assert_eq!(reply["resync_required"], true, "{reply}");
    assert_eq!(reply["boot_id"], ack["server"]["boot_id"]);
    // From here on the new life's events come.
    let mut worker = sandbox.ws().await;
    worker.call_as("r", "no_such_tool", json!({})).await;
    event(&mut watcher, "tool_call_result").await;
}

#[tokio::test]
async fn an_event_that_is_no_longer_kept_is_told_to_be_so() {
    let sandbox = Sandbox::new();
    let _daemon = sandbox.daemon().await;
    let (mut watcher, _) = sandbox.modern("watcher", &["events"]).await;
    let reply = subscribe(&mut watcher, json!({})).await;
    let (seq, boot) = (reply["seq"].clone(), reply["boot_id"].clone());
    drop(watcher);
    let mut worker = sandbox.ws().await;
    // Far more than any ring holds.
    for _ in 0..60 {
        for _ in 0..100 {
            worker.call("no_such_tool", json!({})).await;
        }
        for _ in 0..100 {
            worker.recv_op("call_tool_res").await;
        }
    }
    let (mut watcher, _) = sandbox.modern("watcher", &["events"]).await;
    let reply = subscribe(&mut watcher, json!({ "since": seq, "boot_id": boot })).await;
    assert_eq!(reply["resync_required"], true, "{reply}");
}

#[tokio::test]
async fn who_announced_nothing_hears_nothing() {
    let sandbox = Sandbox::new();
    let _daemon = sandbox.daemon().await;
    let (mut plain, _) = sandbox.modern("plain", &[]).await;
    plain
        .send(&json!({ "op": "subscribe", "request_id": "s" }))
        .await;
    let refused = plain.recv_op("error").await;
    assert!(
        refused["message"]
            .as_str()
            .is_some_and(|words| words.contains("'events'")),
        "{refused}"
    );
    let (mut friend, _) = sandbox.modern("friend", &["notify"]).await;
    let mut v1 = sandbox.ws().await;
    plain
        .send(&json!({ "op": "notify", "request_id": "n", "level": "info", "message": "lunch" }))
        .await;
    assert_eq!(
        plain.recv_op("notify_res").await["delivered"],
        1,
        "the one who announced it"
    );
    let heard = friend.recv_op("notify").await;
    assert_eq!(
        (&heard["message"], &heard["from"]),
        (&json!("lunch"), &json!("testkit"))
    );
    // To one client by its id.
    plain
        .send(&json!({ "op": "notify", "request_id": "n", "to": "nobody", "level": "info", "message": "x" }))
        .await;
    assert_eq!(plain.recv_op("notify_res").await["delivered"], 0);
    v1.send(&json!({ "op": "list_tools" })).await;
    assert_eq!(
        v1.recv().await["op"],
        "list_tools_res",
        "the very next frame"
    );
}

#[tokio::test]
async fn sessions_show_who_is_there_and_what_they_do() {
    let sandbox = Sandbox::new();
    let _daemon = sandbox.daemon().await;
    let (mut ws, _) = sandbox.modern("window", &["rich_results"]).await;
    let (_second, _) = sandbox.modern("window", &["rich_results"]).await;
    ws.call_as("long", "test_sleep", json!({ "ms": 60_000 }))
        .await;
    ws.recv_op("call_tool_ack").await;
    let listed = sandbox.cli(&["sessions", "--json"]).await.ok().json();
    let ours = listed
        .as_array()
        .and_then(|all| all.iter().find(|session| session["client_id"] == "window"))
        .must("find the session");
    assert_eq!(
        (&ours["connections"], &ours["in_flight"], &ours["calls"]),
        (&json!(2), &json!(1), &json!(1))
    );
    assert_eq!(
        (&ours["client"], &ours["pid"]),
        (&json!("testkit"), &json!(std::process::id()))
    );
    let table = sandbox.cli(&["sessions"]).await.ok();
    assert!(table.stdout.contains("testkit"), "{}", table.all());
    ws.send(&json!({ "op": "cancel", "request_id": "long" }))
        .await;
    assert_eq!(ws.result("long").await["error"]["code"], "CANCELLED");
}

#[tokio::test]
async fn a_command_that_is_done_leaves_no_session_behind() {
    let sandbox = Sandbox::new();
    let _daemon = sandbox.daemon().await;
    let (mut ws, _) = sandbox.modern("watcher", &[]).await;
    for _ in 0..3 {
        sandbox.cli(&["call", "version"]).await.ok();
        sandbox.cli(&["tools"]).await.ok();
    }
    // The last command may have ended before the daemon has read its goodbye.
    let begin = std::time::Instant::now();
    loop {
        ws.send(&json!({ "op": "sessions", "request_id": "s" }))
            .await;
        let listed = ws.recv_op("sessions_res").await;
        let sessions = listed["sessions"].as_array().must("read the sessions");
        if sessions.len() == 1 {
            assert_eq!(sessions[0]["client_id"], "watcher");
            return;
        }
        assert!(begin.elapsed() < PATIENCE, "{listed}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}
