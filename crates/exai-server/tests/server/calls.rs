//! A connection is never busy: everything else is served while calls run on it, and calls
//! outlive it.

use crate::house::{House, settle};
use std::time::Duration;
use tokio::time::Instant;

#[tokio::test(start_paused = true)]
async fn i02_everything_is_served_while_calls_run_on_the_same_connection() {
    let house = House::new();
    let mut peer = house.v1().await;
    for n in 0..8 {
        peer.call(&format!("c{n}"), "act", r#"{"ms":60000}"#).await;
    }
    assert_eq!(
        peer.within(Duration::from_millis(100)).await.len(),
        16,
        "a note and an ack each"
    );
    let begin = Instant::now();
    for (frame, op) in [
        (r#"{"op":"health"}"#, "health_res"),
        (r#"{"op":"list_tools"}"#, "list_tools_res"),
        (r#"{"op":"sessions"}"#, "sessions_res"),
        (r#"{"op":"ping"}"#, "pong"),
        (
            r#"{"op":"call_tool","request_id":"i","name":"instant"}"#,
            "progress",
        ),
    ] {
        assert_eq!(peer.ask(frame).await["op"], op);
    }
    assert_eq!(peer.result("i").await["text"], "{}");
    assert_eq!(
        peer.ask(r#"{"op":"cancel","request_id":"c0"}"#).await["op"],
        "cancel_res"
    );
    assert_eq!(peer.result("c0").await["error"]["code"], "CANCELLED");
    assert!(begin.elapsed() < Duration::from_millis(100));
    for n in 1..8 {
        assert_eq!(peer.result(&format!("c{n}")).await["text"], "done");
    }
}

#[tokio::test(start_paused = true)]
async fn r09_cancel_in_every_state() {
    let house = House::new();
    let mut peer = house.featured("a").await;
    for n in 0..9 {
        peer.call(&format!("c{n}"), "act", r#"{"ms":5000}"#).await;
    }
    settle().await;
    let mut cancel = async |id: &str, expected: &str| {
        peer.send(&format!(
            r#"{{"op":"cancel","request_id":"{id}","reason":"esc"}}"#
        ))
        .await;
        let frame = peer.until("cancel_res").await;
        assert_eq!(
            (&frame["request_id"], &frame["state"]),
            (&id.into(), &expected.into())
        );
    };
    cancel("c8", "queued").await;
    cancel("c0", "running").await;
    cancel("never", "unknown").await;
    tokio::time::sleep(Duration::from_secs(6)).await;
    cancel("c1", "finished").await;
    let later = peer.within(Duration::from_secs(10)).await;
    assert!(
        later.iter().all(|frame| frame["op"] != "call_tool_res"),
        "no late answer: {later:?}"
    );
    assert_eq!(house.record_counts(), (9, 9));
}

#[tokio::test(start_paused = true)]
async fn r02_a_lost_link_detaches_and_the_answer_waits() {
    let house = House::new();
    let mut lost = house.featured("a").await;
    lost.call("1", "act", r#"{"ms":10000,"structured":[1]}"#)
        .await;
    lost.until("call_tool_ack").await;
    drop(lost);
    settle().await;
    let mut back = house.featured("a").await;
    let met = back.ask(r#"{"op":"attach","request_id":"1"}"#).await;
    assert_eq!(
        (&met["op"], &met["state"]),
        (&"attach_res".into(), &"running".into())
    );
    let result = back.result("1").await;
    assert_eq!(
        (&result["attached"], &result["structured"]),
        (&true.into(), &serde_json::json!([1]))
    );

    let met = back.ask(r#"{"op":"attach","request_id":"1"}"#).await;
    assert_eq!(met["state"], "finished");
    assert_eq!(back.result("1").await["replayed"], true);
    assert_eq!(
        back.ask(r#"{"op":"attach","request_id":"2"}"#).await["state"],
        "unknown"
    );
    assert_eq!(house.record_counts(), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn i03_the_same_call_from_two_connections_is_one_run_with_the_same_bytes() {
    let house = House::new();
    let (mut one, mut two) = (house.featured("a").await, house.featured("a").await);
    for peer in [&mut one, &mut two] {
        peer.call("1", "act", r#"{"ms":3000,"bytes":100}"#).await;
        peer.until("call_tool_ack").await;
    }
    let (first, second) = (one.result("1").await, two.result("1").await);
    assert_eq!(first["outputs"], second["outputs"]);
    assert_eq!(
        (&first["attached"], &second["attached"]),
        (&serde_json::Value::Null, &true.into())
    );
    let mut stranger = house.featured("b").await;
    stranger.call("1", "instant", "{}").await;
    assert_eq!(
        stranger.result("1").await["error"],
        serde_json::Value::Null,
        "ids are a client's own"
    );
    settle().await;
    assert_eq!(house.record_counts(), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn a_detached_call_is_collected_by_its_id() {
    let house = House::new();
    let mut peer = house.featured("a").await;
    peer.call("1", "act", r#"{"ms":3000}"#).await;
    peer.until("call_tool_ack").await;
    assert_eq!(peer.json().await["stage"], "running");
    let met = peer
        .ask(r#"{"op":"cancel","request_id":"1","mode":"detach"}"#)
        .await;
    assert_eq!(met["state"], "running");
    let early = peer.ask(r#"{"op":"collect","request_id":"1"}"#).await;
    assert_eq!(
        (&early["state"], &early["total_bytes"]),
        (&"running".into(), &0.into())
    );
    assert_eq!(
        peer.within(Duration::from_secs(5)).await,
        Vec::<serde_json::Value>::new()
    );
    let page = peer.ask(r#"{"op":"collect","request_id":"1"}"#).await;
    assert_eq!(page["chunk"], r#"[{"type":"text","text":"done"}]"#);
    assert_eq!(
        (&page["eof"], &page["offset"], &page["total_bytes"]),
        (&true.into(), &0.into(), &31.into())
    );
}

#[tokio::test(start_paused = true)]
async fn i06_the_clients_own_budget_ends_the_call() {
    let house = House::new();
    let mut peer = house.featured("a").await;
    let begin = Instant::now();
    peer.send(r#"{"op":"call_tool","request_id":"1","name":"act","arguments":{"ms":9000},"timeout_ms":1500}"#).await;
    assert_eq!(
        peer.until("call_tool_ack").await["timeout"],
        1.5,
        "the ack tells the real deadline"
    );
    let error = peer.result("1").await["error"].clone();
    assert_eq!(error["code"], "TIMEOUT");
    assert!(
        error["message"].as_str().unwrap().contains("timeout_ms"),
        "{error}"
    );
    assert!(begin.elapsed() < Duration::from_millis(1600));
}

#[tokio::test(start_paused = true)]
async fn a_slow_rotation_holds_nobody_up() {
    let house = House::new();
    let mut peer = house.v1().await;
    let (let_go, disk) = std::sync::mpsc::channel();
    *house.keeper.slow_disk.lock().unwrap() = Some(disk);
    peer.send(r#"{"op":"rotate_token","old":"right","new":"n","request_id":"t"}"#)
        .await;
    assert_eq!(
        peer.ask(r#"{"op":"ping","request_id":"p"}"#).await["op"],
        "pong"
    );
    let_go.send(()).unwrap();
    assert_eq!(peer.json().await["request_id"], "t");
}
