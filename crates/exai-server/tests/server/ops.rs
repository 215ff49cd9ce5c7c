//! The ops around calls: sessions, notices, events, carried MCP methods, shutdown.

use crate::house::{House, settle};
use exai_protocol::Principal;
use serde_json::{Value, json};
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn sessions_lists_who_is_there() {
    let house = House::new();
    let mut one = house.featured("a").await;
    let _two = house.featured("a").await;
    let _v1 = house.v1().await;
    one.call("1", "act", r#"{"ms":1000}"#).await;
    one.until("progress").await;
    let listed = one.ask(r#"{"op":"sessions","request_id":"s"}"#).await;
    assert_eq!(
        (&listed["op"], &listed["request_id"]),
        (&"sessions_res".into(), &"s".into())
    );
    let sessions = listed["sessions"].as_array().unwrap();
    assert_eq!(sessions.len(), 2);
    let a = sessions
        .iter()
        .find(|entry| entry["client_id"] == "a")
        .unwrap();
    assert_eq!(
        (&a["client"], &a["connections"], &a["in_flight"]),
        (&"a-app".into(), &2.into(), &1.into())
    );
    let v1 = sessions
        .iter()
        .find(|entry| entry["client_id"].is_null())
        .unwrap();
    assert_eq!(v1["client"], "");
}

#[tokio::test(start_paused = true)]
async fn notices_to_one_or_to_all_that_announced_it() {
    let house = House::new();
    let (mut a, mut b, mut mute) = (
        house.featured("a").await,
        house.featured("b").await,
        house.with_features("mute", &["progress"]).await,
    );
    let told = mute
        .ask(r#"{"op":"notify","request_id":"n","to":"b","message":"for b"}"#)
        .await;
    assert_eq!(
        told,
        json!({"op": "notify_res", "request_id": "n", "delivered": 1})
    );
    let notice = b.json().await;
    assert_eq!(
        (&notice["from"], &notice["level"], &notice["message"]),
        (&"mute-app".into(), &"info".into(), &"for b".into())
    );
    let told = mute
        .ask(r#"{"op":"notify","level":"warning","message":"for all"}"#)
        .await;
    assert_eq!(told["delivered"], 2);
    for peer in [&mut a, &mut b] {
        let notice = peer.json().await;
        assert_eq!(
            (&notice["op"], &notice["level"], &notice["message"]),
            (&"notify".into(), &"warning".into(), &"for all".into())
        );
    }
    assert_eq!(
        mute.within(Duration::from_secs(1)).await,
        Vec::<Value>::new()
    );
}

#[tokio::test(start_paused = true)]
async fn mcp_methods_are_carried_and_not_yet_known() {
    let house = House::new();
    let mut peer = house.v1().await;
    let answer = peer
        .ask(r#"{"op":"mcp","request_id":"m","method":"prompts/list","params":{"cursor":"x"}}"#)
        .await;
    assert_eq!(
        answer,
        json!({"op": "mcp_res", "request_id": "m", "error": {"code": -32601, "message": "method not found: prompts/list"}})
    );
}

#[tokio::test(start_paused = true)]
async fn events_are_followed_replayed_and_left() {
    let house = House::new();
    let mut peer = house.featured("a").await;
    let begun = peer.ask(r#"{"op":"subscribe","request_id":"s","topics":["tool_call_started","tool_call_result"]}"#).await;
    assert_eq!(
        (&begun["op"], &begun["boot_id"], &begun["resync_required"]),
        (&"subscribe_res".into(), &"boot".into(), &false.into())
    );
    let since = begun["seq"].as_u64().unwrap();
    peer.call("1", "instant", "{}").await;
    let mut seen = Vec::new();
    while seen.len() < 2 {
        let event = peer.until("event").await;
        assert_eq!(
            event["topic"],
            event["data"]
                .as_object()
                .unwrap()
                .keys()
                .next()
                .unwrap()
                .as_str()
        );
        seen.push((
            event["topic"].as_str().unwrap().to_owned(),
            event["seq"].as_u64().unwrap(),
        ));
    }
    assert_eq!(
        (&*seen[0].0, &*seen[1].0),
        ("tool_call_started", "tool_call_result")
    );
    assert_eq!(
        peer.ask(r#"{"op":"unsubscribe","request_id":"u"}"#).await,
        json!({"op": "unsubscribe_res", "request_id": "u", "ok": true})
    );
    peer.call("2", "instant", "{}").await;
    peer.result("2").await;
    assert_eq!(
        peer.within(Duration::from_secs(1)).await,
        Vec::<Value>::new()
    );

    let mut back = house.featured("a").await;
    let begun = back
        .ask(&format!(
            r#"{{"op":"subscribe","topics":["tool_call_result"],"since":{since},"boot_id":"boot"}}"#
        ))
        .await;
    assert_eq!(begun["resync_required"], false);
    for id in ["1", "2"] {
        assert_eq!(
            back.json().await["data"]["tool_call_result"]["request_id"],
            id
        );
    }
    let begun = back
        .ask(r#"{"op":"subscribe","since":1,"boot_id":"another"}"#)
        .await;
    assert_eq!(begun["resync_required"], true);
    let wrong = back
        .ask(r#"{"op":"subscribe","request_id":"w","topics":["weather"]}"#)
        .await;
    assert_eq!(wrong["request_id"], "w");
    assert!(
        wrong["message"]
            .as_str()
            .unwrap()
            .contains("tool_discovered"),
        "{wrong}"
    );
    let wrong = back
        .ask(r#"{"op":"subscribe","request_id":"w","topics":"all"}"#)
        .await;
    assert!(
        wrong["message"]
            .as_str()
            .unwrap()
            .starts_with("invalid_message: topics"),
        "{wrong}"
    );
}

#[tokio::test(start_paused = true)]
async fn one_connection_has_one_subscription() {
    let house = House::new();
    let mut peer = house.featured("a").await;
    peer.ask(r#"{"op":"subscribe"}"#).await;
    peer.ask(r#"{"op":"subscribe"}"#).await;
    peer.call("1", "instant", "{}").await;
    let frames = peer.within(Duration::from_secs(1)).await;
    let started = frames
        .iter()
        .filter(|frame| frame["topic"] == "tool_call_started")
        .count();
    assert_eq!(started, 1, "{frames:?}");
}

#[tokio::test(start_paused = true)]
async fn connections_come_and_go_as_events() {
    let house = House::new();
    let mut peer = house.featured("a").await;
    peer.ask(r#"{"op":"subscribe","topics":["connection_status"]}"#)
        .await;
    let mut other = house.featured("b").await;
    let came = peer.json().await["data"]["connection_status"].clone();
    assert_eq!(
        (&came["client"], &came["connected"], &came["connections"]),
        (&"b-app".into(), &true.into(), &1.into())
    );
    other.socket.close(None).await.unwrap();
    let went = peer.json().await["data"]["connection_status"].clone();
    assert_eq!(
        (&went["connected"], &went["connections"], &went["reason"]),
        (&false.into(), &0.into(), &"closed by the client".into())
    );
}

#[tokio::test(start_paused = true)]
async fn r25_what_follows_the_answer_to_shutdown_is_refused() {
    let house = House::new();
    let (mut peer, mut other) = (house.v1().await, house.v1().await);
    peer.send(r#"{"op":"shutdown","request_id":"x","drain_ms":1500}"#)
        .await;
    peer.call("late", "act", "{}").await;
    assert_eq!(peer.json().await["op"], "shutdown_res");
    let late = peer.result("late").await;
    assert_eq!(late["error"]["code"], "SHUTTING_DOWN", "{late}");
    other.call("other", "instant", "{}").await;
    let late = other.result("other").await;
    assert_eq!(late["error"]["code"], "SHUTTING_DOWN", "{late}");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_says_goodbye_and_left_nothing_is_forgotten_at_once() {
    let house = House::new();
    let names = || {
        let listed = house.engine.sessions().list(&Principal::new("local"));
        let mut names: Vec<String> = listed.into_iter().map(|entry| entry.client).collect();
        names.sort();
        names
    };
    let mut quick = house.featured("quick").await;
    quick.call("1", "instant", "{}").await;
    quick.result("1").await;
    quick.socket.close(None).await.unwrap();
    quick.closed().await;
    settle().await;
    assert_eq!(names(), Vec::<String>::new());
    // One that left a result, one that left a call, one that was cut off.
    let mut kept = house.featured("kept").await;
    kept.call("1", "act", "{}").await;
    kept.result("1").await;
    let mut busy = house.featured("busy").await;
    busy.call("1", "act", r#"{"ms":60000}"#).await;
    busy.until("call_tool_ack").await;
    let cut = house.featured("cut").await;
    for mut peer in [kept, busy] {
        peer.socket.close(None).await.unwrap();
        peer.closed().await;
    }
    drop(cut);
    settle().await;
    assert_eq!(names(), ["busy-app", "cut-app", "kept-app"]);
    // What they left goes, and they with it; who was cut off may come back for an hour.
    tokio::time::sleep(Duration::from_secs(700)).await;
    house.engine.sweep();
    assert_eq!(names(), ["cut-app"]);
    // Who comes back is there, goodbye or not.
    let mut back = house.featured("back").await;
    let second = house.featured("back").await;
    back.socket.close(None).await.unwrap();
    back.closed().await;
    house.engine.sweep();
    assert_eq!(names(), ["back-app", "cut-app"]);
    drop(second);
}

#[tokio::test(start_paused = true)]
async fn a_carried_method_has_a_name() {
    let house = House::new();
    let mut peer = house.v1().await;
    for frame in [
        r#"{"op":"mcp","request_id":"m"}"#,
        r#"{"op":"mcp","request_id":"m","method":""}"#,
    ] {
        let answer = peer.ask(frame).await;
        let words = "invalid request: mcp requires 'method' (non-empty string)";
        let expected = json!({"op": "mcp_res", "request_id": "m", "error": {"code": -32600, "message": words}});
        assert_eq!(answer, expected, "{frame}");
    }
}

#[tokio::test(start_paused = true)]
async fn r25_shutdown_is_asked_and_its_answer_delivered() {
    let house = House::new();
    let mut peer = house.v1().await;
    peer.call("1", "act", r#"{"ms":5000}"#).await;
    peer.until("call_tool_ack").await;
    let answer = peer
        .ask(r#"{"op":"shutdown","request_id":"x","drain_ms":1500,"reason":"update"}"#)
        .await;
    assert_eq!(
        answer,
        json!({"op": "shutdown_res", "request_id": "x", "ok": true, "in_flight": 1, "pid": 77})
    );
    settle().await;
    let asked = house.keeper.shutdowns.lock().unwrap().clone();
    assert_eq!(asked, [(Duration::from_millis(1500), "update".to_owned())]);
}
