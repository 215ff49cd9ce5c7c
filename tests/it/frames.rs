//! Frames after the handshake: bounded in kind, size, nesting and number, and whoever breaks a
//! bound breaks nothing but his own connection.

use crate::security::upgrade;
use exai_testkit::{Must as _, PATIENCE, Sandbox, eventually};
use serde_json::json;
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use tokio_tungstenite::tungstenite::{
    Message,
    protocol::{
        CloseFrame,
        frame::{
            Frame as Piece,
            coding::{Data, OpCode},
        },
    },
};

#[tokio::test]
async fn s10_a_binary_frame_is_refused_and_the_connection_stays() {
    let sandbox = Sandbox::new();
    let _daemon = sandbox.daemon().await;
    let mut ws = sandbox.ws().await;
    ws.try_send(Message::binary(b"{\"op\":\"health\"}".to_vec()))
        .await
        .must("send");
    let refused = ws.recv().await;
    assert_eq!(refused["op"], "error", "{refused}");
    assert!(
        refused["message"]
            .as_str()
            .is_some_and(|words| words.contains("text")),
        "{refused}"
    );
    assert!(
        ws.call_and_wait("version", json!({}))
            .await
            .get("error")
            .is_none()
    );
}

#[tokio::test]
async fn s10_depth_and_duplicate_keys_are_refused_by_name_and_cost_nobody_else() {
    let sandbox = Sandbox::new();
    let _daemon = sandbox.daemon().await;
    let mut ws = sandbox.ws().await;
    let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
    let call = |id: &str, arguments: &str| {
        format!(
            "{{\"op\":\"call_tool\",\"request_id\":\"{id}\",\"name\":\"challenge\",\"arguments\":{arguments}}}"
        )
    };
    // The envelope and the arguments are two levels.
    let fine = call(
        "deep-ok",
        &format!("{{\"prompt\":\"p\",\"x\":{}}}", nested(126)),
    );
    ws.send_text(&fine).await;
    assert!(
        ws.result("deep-ok").await["error"]["message"]
            .as_str()
            .is_none_or(|words| !words.contains("nest"))
    );
    for depth in [127, 5_000, 1_000_000] {
        ws.send_text(&call(
            "deep",
            &format!("{{\"prompt\":\"p\",\"x\":{}}}", nested(depth)),
        ))
        .await;
        let refused = ws.recv_op("error").await;
        let words = refused["message"].as_str().unwrap_or_default();
        assert!(words.contains("128"), "the limit: {refused}");
    }
    for text in [
        "{\"op\":\"health\",\"op\":\"ping\"}",
        "{\"op\":\"call_tool\",\"request_id\":\"a\",\"request_id\":\"b\",\"name\":\"version\"}",
        "{\"op\":\"health\",\"\\u006fp\":\"ping\"}",
    ] {
        ws.send_text(text).await;
        let refused = ws.recv_op("error").await;
        let words = refused["message"].as_str().unwrap_or_default();
        assert!(words.contains("duplicate key"), "{text}: {refused}");
    }
    ws.send_text(&call("dup", "{\"prompt\":\"a\",\"prompt\":\"b\"}"))
        .await;
    let refused = ws.result("dup").await;
    assert_eq!(refused["error"]["code"], "INVALID_ARGUMENT", "{refused}");
    assert!(
        refused["error"]["message"]
            .as_str()
            .is_some_and(|words| words.contains("prompt")),
        "{refused}"
    );
    assert!(
        ws.call_and_wait("version", json!({}))
            .await
            .get("error")
            .is_none()
    );
}

#[tokio::test]
async fn s10_a_frame_over_the_limit_closes_its_own_connection_only() {
    let mut sandbox = Sandbox::new();
    sandbox.set("EXAI_WS_MAX_BYTES", "65536");
    let mut daemon = sandbox.daemon().await;
    let mut other = sandbox.ws().await;
    let mut ws = sandbox.ws().await;
    let call = |bytes: usize| json!({ "op": "call_tool", "request_id": "big", "name": "challenge", "arguments": { "prompt": "x".repeat(bytes) } });
    ws.send(&call(60_000)).await;
    // It fits; what comes back is longer than a frame and says so.
    let answer = ws.result("big").await;
    assert!(
        answer["error"].is_null() || answer["error"]["code"] == "TOO_LARGE",
        "{}",
        answer["error"]
    );
    let _ = ws.try_send(Message::text(call(70_000).to_string())).await;
    let closed = ws.closed().await;
    assert!(
        closed.is_none() || closed.as_ref().is_some_and(|(code, _)| *code == 1009),
        "{closed:?}"
    );
    // Many fragments make one message.
    let mut sly = sandbox.ws().await;
    let mut frames = 0;
    for part in 0..100 {
        let kind = if part == 0 {
            Data::Text
        } else {
            Data::Continue
        };
        let piece = Piece::message(vec![b'x'; 2048], OpCode::Data(kind), false);
        if sly.try_send(Message::Frame(piece)).await.is_err() {
            break;
        }
        frames += 1;
    }
    let closed = sly.closed().await;
    assert!(
        frames < 100 || closed.is_none_or(|(code, _)| code == 1009),
        "{frames}"
    );
    assert!(
        other
            .call_and_wait("version", json!({}))
            .await
            .get("error")
            .is_none()
    );
    assert!(daemon.is_running());
}

#[tokio::test]
async fn s10_the_default_limit_is_thirty_two_mebibytes() {
    let sandbox = Sandbox::new();
    let _daemon = sandbox.daemon().await;
    let (mut ws, ack) = sandbox.modern("big", &["rich_results"]).await;
    assert_eq!(ack["limits"]["max_frame_bytes"], 32 * 1024 * 1024);
    let mebibyte = 1024 * 1024;
    let call = json!({ "op": "call_tool", "request_id": "big", "name": "version", "arguments": { "x": "y".repeat(31 * mebibyte) } });
    ws.send(&call).await;
    assert_eq!(ws.result("big").await["request_id"], "big");
    let call = json!({ "op": "call_tool", "request_id": "more", "name": "version", "arguments": { "x": "y".repeat(33 * mebibyte) } });
    let _ = ws.try_send(Message::text(call.to_string())).await;
    let closed = ws.closed().await;
    assert!(
        closed.is_none() || closed.as_ref().is_some_and(|(code, _)| *code == 1009),
        "{closed:?}"
    );
}

#[tokio::test]
async fn s10_broken_websocket_frames_end_their_connection_only() {
    let sandbox = Sandbox::new();
    let mut daemon = sandbox.daemon().await;
    let mut other = sandbox.ws().await;
    let port = sandbox.port();
    let garbage: [&[u8]; 5] = [
        b"\x81\x02hi",                                       // not masked
        b"\xc1\x82\0\0\0\0hi",                               // a reserved bit
        b"\x83\x82\0\0\0\0hi",                               // a reserved opcode
        b"\x81\x84\0\0\0\0\xff\xfe\xfd\xfc",                 // no UTF-8
        b"\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0", // an absurd length
    ];
    for bytes in garbage {
        let mut stream = TcpStream::connect(("127.0.0.1", port))
            .await
            .must("connect");
        let ours = upgrade(&format!("Host: 127.0.0.1:{port}\r\n"));
        stream.write_all(ours.as_bytes()).await.must("upgrade");
        let mut heard = vec![0; 1024];
        let read = stream.read(&mut heard).await.must("read the upgrade");
        assert!(heard[..read].starts_with(b"HTTP/1.1 101"));
        stream.write_all(bytes).await.must("send garbage");
        let mut rest = Vec::new();
        timeout(PATIENCE, stream.read_to_end(&mut rest))
            .await
            .must("be cut off")
            .unwrap_or(0);
    }
    let _ = other
        .try_send(Message::Close(Some(CloseFrame {
            code: 1000.into(),
            reason: "done".into(),
        })))
        .await;
    let mut next = sandbox.ws().await;
    assert!(
        next.call_and_wait("version", json!({}))
            .await
            .get("error")
            .is_none()
    );
    assert!(daemon.is_running());
}

#[tokio::test]
async fn s10_a_peer_that_reads_nothing_is_closed_and_its_results_are_kept() {
    let mut sandbox = Sandbox::new();
    sandbox.set("EXAI_WS_MAX_BYTES", "1048576");
    // However much waits for it, it is its silence that ends it: no pong, and nothing taken.
    sandbox.set("EXAI_WS_PING_INTERVAL", "2");
    sandbox.set("EXAI_WS_PING_TIMEOUT", "2");
    let _daemon = sandbox.daemon().await;
    let (mut deaf, _) = sandbox.modern("deaf", &["rich_results"]).await;
    let mut asked = 0;
    for id in 0..200 {
        let call = json!({ "op": "call_tool", "request_id": format!("r{id}"), "name": "test_bulk", "arguments": { "bytes": 200_000 } });
        let sent = timeout(
            Duration::from_secs(2),
            deaf.try_send(Message::text(call.to_string())),
        )
        .await;
        if !matches!(sent, Ok(Ok(()))) {
            break;
        }
        asked += 1;
    }
    assert!(asked > 10);
    eventually(PATIENCE, "the daemon closes on who does not read", || {
        sandbox
            .log("ws_daemon.log")
            .contains("client=testkit connections=0")
    })
    .await;
    let (mut back, _) = sandbox.modern("deaf", &["rich_results"]).await;
    back.send(&json!({ "op": "collect", "request_id": "r0", "offset": 0, "limit": 1000 }))
        .await;
    let page = back.recv_op("collect_res").await;
    assert_eq!(page["state"], "finished", "{page}");
    assert!(
        page["total_bytes"]
            .as_u64()
            .is_some_and(|bytes| bytes > 200_000),
        "{page}"
    );
}
