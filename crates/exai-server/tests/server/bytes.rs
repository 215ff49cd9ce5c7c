//! What is carried is not touched: arguments and results arrive as they were sent.

use crate::house::House;

const ODD: &str = r#"{ "z" : 1.00, "a":1e2 ,"n":-0.0,"big":123456789012345678901234567890, "u":"\u00e4\/é", "nested": { "b" : [ 1,2 ] , "a": null } }"#;

#[tokio::test(start_paused = true)]
async fn arguments_arrive_unchanged() {
    let house = House::new();
    let mut peer = house.v1().await;
    peer.send(&format!(
        r#"{{"op":"call_tool","request_id":"1","name":"instant","arguments":{ODD}}}"#
    ))
    .await;
    assert_eq!(peer.result("1").await["text"], ODD);
}

#[tokio::test(start_paused = true)]
async fn results_leave_unchanged() {
    let house = House::new();
    let outputs = format!(r#"[ {{"type":"text","text":"\u00e4\/é","extra":{ODD}}} ]"#);
    for rich in [false, true] {
        let mut peer = if rich {
            house.featured("a").await
        } else {
            house.v1().await
        };
        peer.call(
            "1",
            "act",
            &format!(r#"{{"outputs":{outputs},"structured":{ODD}}}"#),
        )
        .await;
        let frame = loop {
            let text = peer.text().await;
            if text.contains("call_tool_res") {
                break text;
            }
        };
        assert!(
            frame.contains(&format!(r#""outputs":{outputs}"#)),
            "{frame}"
        );
        assert_eq!(
            frame.contains(&format!(r#""structured":{ODD}"#)),
            rich,
            "{frame}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn ids_and_names_are_escaped_as_they_must_be() {
    let house = House::new();
    let mut peer = house.v1().await;
    let id = "q\"\\\u{1}ü\u{2028}";
    let quoted = serde_json::to_string(id).unwrap();
    peer.send(&format!(
        r#"{{"op":"call_tool","request_id":{quoted},"name":"no\"tool"}}"#
    ))
    .await;
    let frame = peer.until("call_tool_res").await;
    assert_eq!(frame["request_id"], id);
    assert!(
        frame["error"]["message"]
            .as_str()
            .unwrap()
            .contains("no\"tool")
    );
}
