//! What a client that announces its abilities gets beyond V1, and only that.

use crate::{
    house::{House, TOKEN},
    tools,
};
use serde_json::{Value, json};
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn the_greeting_of_a_speaker_of_our_protocol() {
    let house = House::new();
    let mut peer = house.dial().await;
    let hello = format!(
        r#"{{"op":"hello","token":"{TOKEN}","protocol":"1.0","features":["unheard-of"],"future":1}}"#
    );
    let ack = peer.ask(&hello).await;
    assert_eq!(
        (&ack["ok"], &ack["protocol"]),
        (&true.into(), &"1.1".into())
    );
    assert_eq!(ack["server"]["boot_id"], "boot");
    assert_eq!(ack["server"]["home"], "/home/of/exai");
    assert_eq!(
        ack["tools_hash"],
        **house.engine.registry().snapshot().hash()
    );
    assert_eq!(
        ack["limits"],
        json!({"max_frame_bytes": 33554432, "max_depth": 128, "client_inflight": 8, "call_timeout_secs": 600, "retention_secs": 600, "unwatched_ms": 600000})
    );
    assert!(
        ack["features"]
            .as_array()
            .unwrap()
            .contains(&"rich_results".into())
    );
}

#[tokio::test(start_paused = true)]
async fn rich_results_and_rich_progress() {
    let house = House::new();
    let mut peer = house.featured("a").await;
    peer.call(
        "1",
        "act",
        r#"{"ms":1000,"say":"words","stream":"text","structured":{"n":1.50}}"#,
    )
    .await;
    let mut frames: Vec<Value> = Vec::new();
    while !frames
        .last()
        .is_some_and(|frame| frame["op"] == "call_tool_res")
    {
        frames.push(peer.json().await);
    }
    assert_eq!(frames[0]["op"], "call_tool_ack", "no note: {}", frames[0]);
    let text: String = frames
        .iter()
        .filter_map(|frame| frame["text"].as_str())
        .collect();
    assert_eq!(text, "text", "the streamed text, and no copy in the result");
    let progress: Vec<&Value> = frames
        .iter()
        .filter(|frame| frame["op"] == "progress")
        .collect();
    let (begun, progress) = progress.split_first().unwrap();
    assert_eq!(
        (begun.get("seq"), &begun["stage"], begun.get("message")),
        (None, &"running".into(), None)
    );
    assert!(progress.len() >= 3);
    for (seq, frame) in progress.iter().enumerate() {
        assert_eq!(frame["seq"], seq + 1);
        assert_eq!(
            (&frame["stage"], &frame["message"]),
            (&"working".into(), &"words".into())
        );
    }
    let result = frames.last().unwrap();
    assert_eq!(result["structured"], json!({"n": 1.50}));
    assert!(
        result["timing"]["run_ms"].as_f64().unwrap() >= 1000.0,
        "{result}"
    );
    assert!(result["attached"].is_null() && result["replayed"].is_null());
}

#[tokio::test(start_paused = true)]
async fn a_rich_error_says_whether_it_ran() {
    let house = House::new();
    let mut peer = house.featured("a").await;
    peer.call("1", "nonsense", "{}").await;
    assert_eq!(peer.result("1").await["error"]["ran"], "no");
    peer.call("2", "act", r#"{"then":"panic"}"#).await;
    let error = &peer.result("2").await["error"];
    assert_eq!(
        (&error["code"], &error["ran"]),
        (&"INTERNAL".into(), &"yes".into())
    );
}

#[tokio::test(start_paused = true)]
async fn each_feature_alone() {
    let house = House::new();
    let order = r#"{"ms":600,"say":"words","stream":"text"}"#;
    for (feature, has_message, has_partial, has_timing) in [
        ("progress", true, false, false),
        ("partial", false, true, false),
        ("rich_results", false, false, true),
        ("notify", false, false, false),
    ] {
        let mut peer = house.with_features(feature, &[feature]).await;
        peer.call("1", "act", order).await;
        let mut frames: Vec<Value> = Vec::new();
        while !frames
            .last()
            .is_some_and(|frame| frame["op"] == "call_tool_res")
        {
            frames.push(peer.json().await);
        }
        let any = |test: fn(&Value) -> bool| frames.iter().any(test);
        assert_eq!(
            any(|frame| frame["op"] == "progress" && !frame["message"].is_null()),
            has_message,
            "{feature}"
        );
        assert_eq!(
            any(|frame| frame["op"] == "partial"),
            has_partial,
            "{feature}"
        );
        assert_eq!(
            any(|frame| !frame["timing"].is_null()),
            has_timing,
            "{feature}"
        );
        assert_eq!(
            any(|frame| frame["op"] == "call_tool_res" && !frame["text"].is_null()),
            !has_timing
        );
    }
}

#[tokio::test(start_paused = true)]
async fn brief_leaves_out_the_ack_of_what_is_answered_at_once() {
    let house = House::new();
    let mut peer = house.with_features("a", &["brief", "progress"]).await;
    peer.call("1", "instant", "{}").await;
    assert_eq!(peer.json().await["op"], "call_tool_res");
    peer.call("2", "act", "{}").await;
    assert_eq!(peer.json().await["op"], "call_tool_ack");
}

#[tokio::test(start_paused = true)]
async fn r03_a_change_of_the_list_is_pushed_once_with_its_hash() {
    let house = House::new();
    let mut peer = house
        .with_features("a", &["tools_changed", "rich_results"])
        .await;
    house.engine.replace_tools("more", vec![tools::idle("new")]);
    house.engine.replace_tools("more", vec![tools::idle("new")]);
    let pushed = peer.json().await;
    assert_eq!(pushed["op"], "tools_changed");
    let listed = peer.ask(r#"{"op":"list_tools","request_id":"l"}"#).await;
    assert_eq!(
        (&listed["request_id"], &listed["tools_hash"]),
        (&"l".into(), &pushed["tools_hash"])
    );
    assert_eq!(
        peer.within(Duration::from_secs(60)).await,
        Vec::<Value>::new()
    );
}
