//! Who is let in, who is not, and with which words.

use crate::{
    house::{House, Plan, TOKEN, settle},
    peer::Peer,
};
use futures_util::SinkExt;
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::Instant,
};
use tokio_tungstenite::{
    client_async,
    tungstenite::{Error, Message, client::IntoClientRequest, http::HeaderName},
};

async fn refused(first: &str) -> (String, Option<(u16, String)>) {
    let house = House::new();
    let mut peer = house.dial().await;
    peer.send(first).await;
    (peer.text().await, peer.closed().await)
}

fn closed(code: u16, reason: &str) -> Option<(u16, String)> {
    Some((code, reason.to_owned()))
}

#[tokio::test(start_paused = true)]
async fn i08_v1_refusals_word_for_word() {
    for garbage in [
        "hello?",
        "[]",
        "7",
        "{\"op\":\"hello\",\"token\":7}",
        r#"{"op":"hello","op":"hello"}"#,
    ] {
        let (frame, close) = refused(garbage).await;
        assert_eq!(
            frame, r#"{"op":"hello_ack","ok":false,"error":"invalid_hello"}"#,
            "{garbage}"
        );
        assert_eq!(close, closed(4000, "invalid hello"));
    }
    for other in [r#"{"op":"list_tools"}"#, r#"{"token":"right"}"#] {
        let (frame, close) = refused(other).await;
        assert_eq!(
            frame,
            r#"{"op":"hello_ack","ok":false,"error":"missing_hello"}"#
        );
        assert_eq!(close, closed(4001, "missing hello"));
    }
    for token in ["", "wrong", "righ", "rightt"] {
        let (frame, close) = refused(&format!(
            r#"{{"op":"hello","session_id":"s","token":"{token}"}}"#
        ))
        .await;
        assert_eq!(
            frame, r#"{"op":"hello_ack","ok":false,"error":"unauthorized"}"#,
            "{token}"
        );
        assert_eq!(close, closed(4003, "unauthorized"));
    }
    let (_, close) = refused(r#"{"op":"hello"}"#).await;
    assert_eq!(
        close,
        closed(4003, "unauthorized"),
        "a missing token is never an open door"
    );
}

#[tokio::test(start_paused = true)]
async fn i09_refusals_to_a_speaker_of_our_protocol_explain_themselves() {
    let (frame, close) = refused(&format!(
        r#"{{"op":"hello","token":"{TOKEN}","protocol":"2.0"}}"#
    ))
    .await;
    assert_eq!(close, closed(4004, "unsupported protocol"));
    let frame: serde_json::Value = serde_json::from_str(&frame).unwrap();
    assert_eq!(
        (&frame["error"], &frame["protocol"]),
        (&"unsupported_protocol".into(), &"1.1".into())
    );
    assert!(
        frame["message"]
            .as_str()
            .unwrap()
            .contains("update the older")
    );

    let (frame, _) = refused(r#"{"op":"hello","token":"wrong","protocol":"1.1"}"#).await;
    assert!(
        frame.contains("/home/of/exai"),
        "it names the home that holds the port: {frame}"
    );

    let long = "x".repeat(1025);
    let (frame, close) = refused(&format!(
        r#"{{"op":"hello","token":"{TOKEN}","protocol":"1.1","client":{{"cwd":"{long}"}}}}"#
    ))
    .await;
    assert_eq!(close, closed(4000, "invalid hello"));
    assert!(
        frame.contains("client.cwd is 1025 bytes; the limit is 1024"),
        "{frame}"
    );
}

#[tokio::test(start_paused = true)]
async fn s06_a_silent_peer_is_closed_after_the_hello_timeout() {
    let house = House::new();
    let begin = Instant::now();
    let mut upgraded = house.dial().await;
    assert_eq!(
        upgraded.closed().await,
        closed(4002, "hello timeout or disconnect")
    );
    assert_eq!(begin.elapsed().as_secs(), 5);

    let begin = Instant::now();
    let mut silent = house.stream().await;
    let mut bytes = Vec::new();
    silent.read_to_end(&mut bytes).await.unwrap();
    assert_eq!(
        (bytes.len(), begin.elapsed().as_secs()),
        (0, 5),
        "one deadline for all of it"
    );

    let begin = Instant::now();
    let mut pinging = house.dial().await;
    for _ in 0..4 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        pinging
            .socket
            .send(Message::Ping(Vec::new().into()))
            .await
            .unwrap();
    }
    assert_eq!(
        pinging.closed().await,
        closed(4002, "hello timeout or disconnect")
    );
    assert_eq!(begin.elapsed().as_secs(), 5, "pings win no time");
}

#[tokio::test(start_paused = true)]
async fn s06_upgrade_and_hello_are_bounded_in_bytes() {
    let house = House::new();
    let mut flood = house.stream().await;
    let begin = Instant::now();
    let head = format!(
        "GET / HTTP/1.1\r\nHost: localhost:8765\r\nX: {}",
        "x".repeat(20_000)
    );
    let _ = flood.write_all(head.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = flood.read_to_end(&mut answer).await;
    assert!(
        begin.elapsed() < Duration::from_secs(1),
        "not even the timeout is waited for"
    );

    let mut peer = house.dial().await;
    let padding = "x".repeat(5000);
    peer.send(&format!(
        r#"{{"op":"hello","token":"{TOKEN}","padding":"{padding}"}}"#
    ))
    .await;
    assert_eq!(
        peer.text().await,
        r#"{"op":"hello_ack","ok":false,"error":"invalid_hello"}"#
    );
    assert_eq!(peer.closed().await, closed(4000, "invalid hello"));

    let mut peer = house.dial().await;
    let padding = "x".repeat(3900);
    let hello = format!(r#"{{"op":"hello","token":"{TOKEN}","padding":"{padding}"}}"#);
    assert_eq!(peer.ask(&hello).await["ok"], true);
}

#[tokio::test(start_paused = true)]
async fn what_follows_the_hello_at_once_is_served_whatever_its_size() {
    let house = House::new();
    let mut peer = house.dial().await;
    let hello = format!(r#"{{"op":"hello","token":"{TOKEN}"}}"#);
    let order = format!(r#"{{"pad":"{}"}}"#, "x".repeat(100_000));
    peer.socket.feed(Message::text(hello)).await.unwrap();
    peer.call("1", "instant", &order).await;
    assert_eq!(peer.json().await["op"], "hello_ack");
    assert_eq!(peer.result("1").await["text"], order);
}

#[tokio::test(start_paused = true)]
async fn s06_failures_make_the_next_ones_slower_for_everybody() {
    let house = House::new();
    let mut slowest = Duration::ZERO;
    for _ in 0..9 {
        let mut peer = house.dial().await;
        let begin = Instant::now();
        peer.send(r#"{"op":"hello","token":"guess"}"#).await;
        peer.text().await;
        assert!(begin.elapsed() >= slowest);
        slowest = begin.elapsed();
    }
    assert!(slowest >= Duration::from_secs(2), "{slowest:?}");
    let begin = Instant::now();
    house.v1().await;
    assert!(
        begin.elapsed() < Duration::from_millis(10),
        "who knows the token never waits"
    );
}

#[tokio::test(start_paused = true)]
async fn s06_six_hundred_half_open_strangers() {
    let house = House::new();
    let begin = Instant::now();
    let mut strangers = Vec::new();
    for number in 0..600 {
        let stream = house.stream().await;
        // Beyond the bound a connection waits in the backlog until a place is free again.
        let bound = if number < 510 { 0 } else { 5 };
        assert!(
            begin.elapsed().as_secs() <= bound,
            "stranger {number} at {:?}",
            begin.elapsed()
        );
        strangers.push(stream);
    }
    let mut real = house.v1().await;
    assert!(
        begin.elapsed() <= Duration::from_millis(5100),
        "{:?}",
        begin.elapsed()
    );
    assert_eq!(real.ask(r#"{"op":"ping"}"#).await["op"], "pong");
}

#[tokio::test(start_paused = true)]
async fn s06_half_open_strangers_do_not_disturb_who_is_in() {
    let house = House::planned(Plan {
        settings: exai_server::Settings {
            pending_handshakes: 2,
            ..Plan::default().settings
        },
        ..Plan::default()
    });
    let mut inside = house.v1().await;
    let _strangers = (house.stream().await, house.stream().await);
    let begin = Instant::now();
    inside.call("1", "instant", "{}").await;
    inside.result("1").await;
    assert!(begin.elapsed() < Duration::from_millis(10));
}

async fn upgrade_status(headers: &[(&str, &str)]) -> u16 {
    let house = House::new();
    let mut request = "ws://127.0.0.1:8765/".into_client_request().unwrap();
    for (name, value) in headers {
        let name: HeaderName = name.parse().unwrap();
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    match client_async(request, house.stream().await).await {
        Ok(_) => 101,
        Err(Error::Http(response)) => response.status().as_u16(),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test(start_paused = true)]
async fn s02_a_foreign_host_is_refused_before_the_upgrade() {
    assert_eq!(upgrade_status(&[]).await, 101);
    assert_eq!(upgrade_status(&[("host", "localhost:8765")]).await, 101);
    for host in [
        "evil.test:8765",
        "127.0.0.1",
        "127.0.0.1:80",
        "0.0.0.0:8765",
    ] {
        assert_eq!(upgrade_status(&[("host", host)]).await, 403, "{host}");
    }
}

#[tokio::test(start_paused = true)]
async fn s03_any_origin_is_refused_before_the_upgrade() {
    for origin in [
        "null",
        "http://127.0.0.1:8765",
        "https://evil.test",
        "vscode-webview://x",
    ] {
        assert_eq!(upgrade_status(&[("origin", origin)]).await, 403, "{origin}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_leaves_in_mid_handshake_costs_nothing() {
    let house = House::new();
    for bytes in ["", "G", "GET / HTTP/1.1\r\nHost: localhost:8765\r\n"] {
        let mut stream = house.stream().await;
        stream.write_all(bytes.as_bytes()).await.unwrap();
        drop(stream);
    }
    drop(house.dial().await);
    let mut leaving: Peer = house.dial().await;
    leaving.socket.close(None).await.unwrap();
    settle().await;
    assert_eq!(house.engine.sessions().counts(), (0, 0));
    house.v1().await;
}
