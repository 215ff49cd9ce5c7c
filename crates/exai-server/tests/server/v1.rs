//! A client of the predecessor: its exchange byte for byte, and nothing it did not ask for.

use crate::{
    house::{House, Plan, TOKEN, settle},
    tools,
};
use serde_json::Value;
use std::time::Duration;

const TOOLS: &str = concat!(
    r#"{"op":"list_tools_res","tools":["#,
    r#"{"name":"act","description":"Scripted: act.","inputSchema":{"type": "object"}},"#,
    r#"{"name":"instant","description":"Scripted: instant.","inputSchema":{"type": "object"},"#,
    r#""annotations":{"readOnlyHint":true}}]}"#,
);

#[tokio::test(start_paused = true)]
async fn i08_the_reference_exchange() {
    let house = House::new();
    let mut peer = house.dial().await;
    peer.send(&format!(
        r#"{{"op":"hello","session_id":"s","token":"{TOKEN}"}}"#
    ))
    .await;
    assert_eq!(
        peer.text().await,
        r#"{"op":"hello_ack","ok":true,"session_id":"boot-1"}"#
    );
    peer.send(r#"{"op":"list_tools"}"#).await;
    assert_eq!(peer.text().await, TOOLS);
    peer.send(
        r#"{"op":"call_tool","request_id":"6194","name":"act_EXAI-WS","arguments":{"ms":3000}}"#,
    )
    .await;
    for expected in [
        r#"{"op":"progress","request_id":"6194","name":"act","t":1758505128.6,"note":"accepted, awaiting provider/session capacity"}"#,
        r#"{"op":"call_tool_ack","request_id":"6194","accepted":true,"timeout":600,"name":"act"}"#,
        r#"{"op":"progress","request_id":"6194","name":"act","t":1758505130.6}"#,
        r#"{"op":"call_tool_res","request_id":"6194","outputs":[{"type":"text","text":"done"}],"text":"done"}"#,
    ] {
        assert_eq!(peer.text().await, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn i08_errors_in_v1s_fields() {
    let house = House::new();
    let mut peer = house.v1().await;
    let cases = [
        (
            "nonsense",
            "{}",
            r#"{"code":"TOOL_NOT_FOUND","message":"Unknown tool: nonsense; tools_search names all there are"}"#,
        ),
        (
            "act",
            r#"{"then":"fail"}"#,
            r#"{"code":"EXEC_ERROR","message":"no luck"}"#,
        ),
    ];
    for (id, (tool, order, error)) in cases.into_iter().enumerate() {
        peer.call(&id.to_string(), tool, order).await;
        let frame = loop {
            let text = peer.text().await;
            if text.contains("call_tool_res") {
                break text;
            }
        };
        assert_eq!(
            frame,
            format!(r#"{{"op":"call_tool_res","request_id":"{id}","error":{error}}}"#)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn i08_the_text_copy_joins_all_blocks_and_can_be_switched_off() {
    for compat_text in [true, false] {
        let settings = exai_server::Settings {
            compat_text,
            ..Plan::default().settings
        };
        let house = House::planned(Plan {
            settings,
            ..Plan::default()
        });
        let mut peer = house.v1().await;
        let outputs = r#"[{"type":"text","text":"one"},{"type":"image","data":"…"},{"type":"text","text":"two"}]"#;
        peer.call("1", "act", &format!(r#"{{"outputs":{outputs}}}"#))
            .await;
        let frame = peer.result("1").await;
        let expected = if compat_text {
            Value::from("one\n\n\n\ntwo")
        } else {
            Value::Null
        };
        assert_eq!(frame["text"], expected);
        assert_eq!(frame["outputs"].to_string(), outputs);
    }
}

#[tokio::test(start_paused = true)]
async fn i08_nothing_unsolicited_ever() {
    let house = House::new();
    let mut peer = house.v1().await;
    let mut other = house.featured("a").await;
    house.engine.replace_tools("more", vec![tools::idle("new")]);
    assert_eq!(other.json().await["op"], "tools_changed");
    let notified = other
        .ask(r#"{"op":"notify","request_id":"n","message":"hello"}"#)
        .await;
    assert_eq!(notified["op"], "notify");
    assert_eq!(
        other.json().await["delivered"],
        1,
        "only the one that announced it"
    );
    let refused = peer.ask(r#"{"op":"subscribe","request_id":"s"}"#).await;
    assert_eq!(refused["op"], "error");
    assert_eq!(
        peer.within(Duration::from_secs(3600)).await,
        Vec::<Value>::new()
    );
    assert_eq!(
        peer.ask(r#"{"op":"list_tools"}"#).await["op"],
        "list_tools_res",
        "the very next frame"
    );
}

#[tokio::test(start_paused = true)]
async fn i08_progress_and_streams_are_bare_heartbeats_to_it() {
    let house = House::new();
    let mut peer = house.v1().await;
    peer.call("1", "act", r#"{"ms":5000,"say":"words","stream":"text"}"#)
        .await;
    let mut frames = Vec::new();
    while !frames
        .last()
        .is_some_and(|frame: &Value| frame["op"] == "call_tool_res")
    {
        frames.push(peer.json().await);
    }
    let beats = &frames[2..frames.len() - 1];
    assert!(beats.len() >= 2);
    for beat in beats {
        let keys: Vec<&str> = beat
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        assert_eq!(keys, ["op", "request_id", "name", "t"], "{beat}");
    }
}

#[tokio::test(start_paused = true)]
async fn i08_health_begins_with_v1s_words_and_rotation_keeps_them() {
    let house = House::new();
    let mut peer = house.v1().await;
    let health = peer.ask(r#"{"op":"health"}"#).await;
    assert_eq!(
        (&health["op"], &health["ok"]),
        (&"health_res".into(), &true.into())
    );
    for field in [
        "t",
        "sessions",
        "global_capacity",
        "uptime_human",
        "tool_count",
    ] {
        assert!(!health["health"][field].is_null(), "{field}");
    }
    for (frame, answer) in [
        (
            r#"{"op":"rotate_token"}"#,
            r#"{"op":"rotate_token_res","ok":false,"error":"missing_params"}"#,
        ),
        (
            r#"{"op":"rotate_token","old":"right","new":""}"#,
            r#"{"op":"rotate_token_res","ok":false,"error":"missing_params"}"#,
        ),
        (
            r#"{"op":"rotate_token","old":"wrong","new":"n"}"#,
            r#"{"op":"rotate_token_res","ok":false,"error":"unauthorized"}"#,
        ),
        (
            r#"{"op":"rotate_token","old":"right","new":"n"}"#,
            r#"{"op":"rotate_token_res","ok":true}"#,
        ),
    ] {
        peer.send(frame).await;
        assert_eq!(peer.text().await, answer);
    }
    assert_eq!(house.keeper.rotated.lock().unwrap().as_deref(), Some("n"));
}

#[tokio::test(start_paused = true)]
async fn i08_calls_without_an_id_never_share_an_answer() {
    let house = House::new();
    let (mut one, mut two) = (house.v1().await, house.v1().await);
    for (peer, words) in [(&mut one, "first"), (&mut two, "second")] {
        peer.send(&format!(
            r#"{{"op":"call_tool","name":"instant","arguments":{{"words":"{words}"}}}}"#
        ))
        .await;
        let frame = peer.until("call_tool_res").await;
        assert_eq!(frame["text"], format!(r#"{{"words":"{words}"}}"#));
        assert!(
            frame["request_id"]
                .as_str()
                .is_some_and(|id| id.starts_with("minted-boot-"))
        );
    }
    one.send(r#"{"op":"call_tool","request_id":null,"name":"instant","arguments":null}"#)
        .await;
    assert_eq!(one.until("call_tool_res").await["text"], "{}");
    settle().await;
    assert_eq!(house.record_counts(), (3, 3));
}
