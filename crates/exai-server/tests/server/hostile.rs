//! Bad input gets a clear answer with its id, and nobody else notices.

use crate::house::{House, TOKEN, settle};
use futures_util::SinkExt;
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio_tungstenite::tungstenite::Message;

fn error(message: &str, id: Option<&str>) -> String {
    let id = id
        .map(|id| format!(r#""request_id":"{id}","#))
        .unwrap_or_default();
    format!(r#"{{"op":"error",{id}"message":{}}}"#, Value::from(message))
}

#[tokio::test(start_paused = true)]
async fn r07_bad_frames_in_v1s_words_and_the_connection_stays() {
    let house = House::new();
    let mut peer = house.v1().await;
    let cases = [
        ("not json", error("invalid_json", None)),
        (r#"{"op":"ping""#, error("invalid_json", None)),
        ("", error("invalid_json", None)),
        (
            "[1]",
            error("invalid_message: message must be a JSON object", None),
        ),
        (
            r#"[{"op":"ping"}]"#,
            error("invalid_message: message must be a JSON object", None),
        ),
        (
            "null",
            error("invalid_message: message must be a JSON object", None),
        ),
        (
            "{}",
            error(
                "invalid_message: missing or invalid 'op' field (must be string)",
                None,
            ),
        ),
        (
            r#"{"op":7,"request_id":"r"}"#,
            error(
                "invalid_message: missing or invalid 'op' field (must be string)",
                Some("r"),
            ),
        ),
        (
            r#"{"OP":"ping"}"#,
            error(
                "invalid_message: missing or invalid 'op' field (must be string)",
                None,
            ),
        ),
        (
            r#"{"op":"fly","request_id":"r"}"#,
            error("Unknown op: fly", Some("r")),
        ),
        (
            r#"{"op":"hello","token":"right"}"#,
            error("Unknown op: hello", None),
        ),
        (
            r#"{"op":"call_tool","request_id":"r"}"#,
            error(
                "invalid_message: call_tool requires 'name' (non-empty string)",
                Some("r"),
            ),
        ),
        (
            r#"{"op":"call_tool","request_id":"r","name":""}"#,
            error(
                "invalid_message: call_tool requires 'name' (non-empty string)",
                Some("r"),
            ),
        ),
        (
            r#"{"op":"call_tool","request_id":7,"name":"act"}"#,
            error("invalid_message: request_id must be a string", None),
        ),
        (
            r#"{"op":"call_tool","request_id":"r","name":"act","arguments":[]}"#,
            error(
                "invalid_message: arguments must be a JSON object",
                Some("r"),
            ),
        ),
        (
            r#"{"op":"rotate_token","request_id":"r","old":1,"new":"x"}"#,
            error(
                "invalid_message: rotate_token requires 'old' and 'new' (strings)",
                Some("r"),
            ),
        ),
        (
            r#"{"op":"call_tool","request_id":"r","name":"act","timeout_ms":-1}"#,
            error(
                "invalid_message: timeout_ms must be a whole number, 0 or more",
                Some("r"),
            ),
        ),
        (
            r#"{"op":"cancel","request_id":"r","mode":"maybe"}"#,
            error(
                "invalid_message: mode must be 'stop' or 'detach', not \"maybe\"",
                Some("r"),
            ),
        ),
        (
            r#"{"op":"cancel"}"#,
            error(
                "invalid_message: cancel requires 'request_id' (string)",
                None,
            ),
        ),
        (
            r#"{"op":"attach"}"#,
            error(
                "invalid_message: attach requires 'request_id' (string)",
                None,
            ),
        ),
        (
            r#"{"op":"collect"}"#,
            error(
                "invalid_message: collect requires 'request_id' (string)",
                None,
            ),
        ),
        (
            r#"{"op":"collect","request_id":"r","limit":0}"#,
            error(
                "invalid_message: limit must be a whole number, 1 or more",
                Some("r"),
            ),
        ),
        (
            r#"{"op":"notify","request_id":"r","message":"m","level":"loud"}"#,
            error(
                "invalid_message: level must be 'info', 'warning' or 'error', not \"loud\"",
                Some("r"),
            ),
        ),
        (
            r#"{"op":"notify","request_id":"r"}"#,
            error(
                "invalid_message: notify requires 'message' (non-empty string)",
                Some("r"),
            ),
        ),
    ];
    for (frame, answer) in cases {
        peer.send(frame).await;
        assert_eq!(peer.text().await, answer, "{frame}");
    }
    let long = "x".repeat(257);
    peer.send(&format!(r#"{{"op":"ping","request_id":"{long}"}}"#))
        .await;
    assert_eq!(
        peer.text().await,
        error(
            "invalid_message: request_id is 257 bytes; the limit is 256",
            None
        )
    );
    assert_eq!(peer.ask(r#"{"op":"ping"}"#).await["op"], "pong");
}

#[tokio::test(start_paused = true)]
async fn s10_depth_zero_bytes_and_duplicate_keys() {
    let house = House::new();
    let mut peer = house.v1().await;
    let nested = |depth: usize| {
        // The envelope and the arguments are two levels already.
        let inside = format!("{}{}", "[".repeat(depth - 2), "]".repeat(depth - 2));
        format!(
            r#"{{"op":"call_tool","request_id":"r","name":"instant","arguments":{{"a":{inside}}}}}"#
        )
    };
    peer.send(&nested(128)).await;
    assert_eq!(peer.result("r").await["error"], Value::Null);
    peer.send(&nested(129)).await;
    assert_eq!(
        peer.text().await,
        error("invalid_message: nested deeper than 128 levels", Some("r"))
    );
    peer.send(&"[".repeat(1_000_000)).await;
    assert_eq!(
        peer.text().await,
        error("invalid_message: nested deeper than 128 levels", None)
    );
    peer.send("{\"op\":\"ping\",\0}").await;
    assert!(peer.text().await.contains("zero byte at offset 13"));

    peer.send(r#"{"op":"call_tool","request_id":"d","name":"act","name":"instant"}"#)
        .await;
    let refused = peer.json().await;
    assert_eq!(refused["request_id"], "d");
    assert!(
        refused["message"]
            .as_str()
            .unwrap()
            .contains(r#"duplicate key "name""#),
        "{refused}"
    );
    peer.send(r#"{"op":"ping","request_id":"a","request_id":"b"}"#)
        .await;
    assert_eq!(
        peer.json().await["request_id"],
        Value::Null,
        "which of two is nobody's guess"
    );
    peer.call("e", "act", r#"{"ms":1,"ms":2}"#).await;
    let refused = peer.result("e").await;
    assert_eq!(refused["error"]["code"], "INVALID_ARGUMENT");
    assert!(
        refused["error"]["message"]
            .as_str()
            .unwrap()
            .contains(r#"duplicate key "ms""#),
        "{refused}"
    );
}

#[tokio::test(start_paused = true)]
async fn s10_binary_is_answered_and_not_served() {
    let house = House::new();
    let mut peer = house.v1().await;
    peer.socket
        .send(Message::binary(r#"{"op":"ping"}"#))
        .await
        .unwrap();
    assert_eq!(
        peer.text().await,
        error("invalid_message: frames must be text, not binary", None)
    );
    let mut early = house.dial().await;
    early
        .socket
        .send(Message::binary(format!(
            r#"{{"op":"hello","token":"{TOKEN}"}}"#
        )))
        .await
        .unwrap();
    assert_eq!(early.json().await["error"], "invalid_hello");
    assert_eq!(early.closed().await.unwrap().0, 4000);
}

/// A whole client frame, masked with zeros, with a length of our choosing.
pub(crate) fn raw_frame(first_byte: u8, length: u64, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first_byte, 0x80 | 127];
    frame.extend(length.to_be_bytes());
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

#[tokio::test(start_paused = true)]
async fn i07_an_oversize_frame_closes_with_1009_and_only_its_own_connection() {
    let house = House::new();
    let (mut big, mut other) = (house.featured("a").await, house.featured("b").await);
    big.call("1", "act", r#"{"ms":5000}"#).await;
    other.call("1", "act", r#"{"ms":5000}"#).await;
    settle().await;
    // Only announced: nothing of it needs to arrive, nothing of it is kept.
    let announced = raw_frame(0x81, 200 << 20, &[b'x'; 100]);
    big.socket.get_mut().write_all(&announced).await.unwrap();
    let (code, reason) = big.closed().await.unwrap();
    assert_eq!(code, 1009);
    assert!(
        reason.contains("209715200") && reason.contains("33554432"),
        "{reason}"
    );
    assert_eq!(other.result("1").await["error"], Value::Null);
    let mut back = house.featured("a").await;
    assert_eq!(
        back.ask(r#"{"op":"attach","request_id":"1"}"#).await["state"],
        "finished"
    );
    assert_eq!(
        back.result("1").await["error"],
        Value::Null,
        "its own call went on, too"
    );
}

#[tokio::test(start_paused = true)]
async fn i07_the_close_reaches_a_peer_in_the_midst_of_sending() {
    let house = House::new();
    let mut peer = house.v1().await;
    let frame = raw_frame(0x81, 40 << 20, &vec![b' '; 40 << 20]);
    // Larger than the pipe by far: it can be written only if somebody takes it.
    peer.socket.get_mut().write_all(&frame).await.unwrap();
    assert_eq!(peer.closed().await.unwrap().0, 1009);
}

#[tokio::test(start_paused = true)]
async fn s10_broken_websocket_frames_are_named() {
    let cases: [(&[u8], u16); 4] = [
        // Text that is not UTF-8.
        (&[0x81, 0x81, 0, 0, 0, 0, 0xff], 1007),
        // Unmasked.
        (&[0x81, 0x02, b'{', b'}'], 1002),
        // A reserved bit.
        (&[0xc1, 0x82, 0, 0, 0, 0, b'{', b'}'], 1002),
        // A continuation of nothing.
        (&[0x80, 0x82, 0, 0, 0, 0, b'{', b'}'], 1002),
    ];
    let house = House::new();
    for (bytes, expected) in cases {
        let mut peer = house.v1().await;
        peer.socket.get_mut().write_all(bytes).await.unwrap();
        assert_eq!(
            peer.closed().await.map(|close| close.0),
            Some(expected),
            "{bytes:?}"
        );
    }
    settle().await;
    assert_eq!(house.engine.sessions().counts(), (0, 0));
}
