//! The door: who may knock, how long they may stand in it, and how much they may say before
//! they are known.

use exai_testkit::{Frame, Handshake, Must as _, PATIENCE, Sandbox, Stopwatch, Ws, eventually};
use serde_json::json;
use std::time::{Duration, Instant};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use tokio_tungstenite::tungstenite::Message;

const CONFIG: i32 = 3;

#[tokio::test]
async fn s01_no_bind_off_loopback_without_a_token_its_owner_chose() {
    let mut sandbox = Sandbox::new();
    for host in ["0.0.0.0", "::", "192.0.2.7", "box.test"] {
        for token in [None, Some("")] {
            sandbox.set("EXAI_WS_HOST", host).unset("EXAI_WS_TOKEN");
            if let Some(token) = token {
                sandbox.set("EXAI_WS_TOKEN", token);
            }
            for words in ["run", "start"] {
                let output = sandbox.cli(&[words]).await;
                assert_eq!(
                    output.code,
                    Some(CONFIG),
                    "{host} {words}: {}",
                    output.all()
                );
                let said = &output.stderr;
                assert!(
                    said.contains(host) && said.contains("EXAI_WS_TOKEN"),
                    "{said}"
                );
            }
        }
    }
    assert!(Ws::try_connect(sandbox.port()).await.is_none());
    assert!(sandbox.endpoint().is_none());
    // The home's own token does not count: its owner never saw it.
    sandbox
        .set("EXAI_WS_HOST", "127.0.0.1")
        .unset("EXAI_WS_TOKEN");
    sandbox.cli(&["start"]).await.ok();
    sandbox.cli(&["stop"]).await.ok();
    sandbox.set("EXAI_WS_HOST", "0.0.0.0");
    assert_eq!(sandbox.cli(&["run"]).await.code, Some(CONFIG));
}

#[tokio::test]
async fn s01_with_a_token_it_listens_and_still_checks_who_asks() {
    let mut sandbox = Sandbox::new();
    sandbox
        .set("EXAI_WS_HOST", "0.0.0.0")
        .set("EXAI_WS_TOKEN", "a-token-its-owner-chose");
    let _daemon = sandbox.daemon_with_token("a-token-its-owner-chose").await;
    let call = sandbox.cli(&["call", "test_sleep"]).await.ok();
    assert_eq!(call.stdout.trim(), "slept 0 ms");
    let Err(refused) = Ws::connect_with(sandbox.port(), &[("host", "elsewhere.test")]).await else {
        panic!("a foreign Host was let in");
    };
    assert_eq!(Ws::status(&refused), Some(403));
    let mut ws = Ws::connect(sandbox.port()).await;
    let refused = ws.hello(&Handshake::v1("")).await;
    assert!(
        matches!(&refused, Frame::Json(ack) if ack["error"] == "unauthorized"),
        "{refused:?}"
    );
}

/// Everything an HTTP peer gets to hear until the end, or until the daemon only waits.
async fn http(port: u16, request: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port))
        .await
        .must("connect");
    stream
        .write_all(request.as_bytes())
        .await
        .must("send a request");
    let mut heard = Vec::new();
    let _ = timeout(Duration::from_secs(10), stream.read_to_end(&mut heard)).await;
    String::from_utf8_lossy(&heard).into_owned()
}

pub(crate) fn upgrade(headers: &str) -> String {
    format!(
        "GET / HTTP/1.1\r\n{headers}Connection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
}

#[tokio::test]
async fn s02_only_our_own_host_is_upgraded() {
    let mut sandbox = Sandbox::new();
    sandbox.set("EXAI_WS_ALLOWED_HOSTS", "box.test:9000");
    let _daemon = sandbox.daemon().await;
    let port = sandbox.port();
    for host in [
        format!("127.0.0.1:{port}"),
        format!("localhost:{port}"),
        format!("[::1]:{port}"),
        "box.test:9000".to_owned(),
    ] {
        let ws = Ws::connect_with(port, &[("host", &host)]).await;
        assert!(ws.is_ok(), "{host} is ours");
    }
    let many = [
        String::new(),
        format!("Host: 127.0.0.1:{port}\r\nHost: 127.0.0.1:{port}\r\n"),
        format!("Host: user@127.0.0.1:{port}\r\n"),
        format!("Host: 127.0.0.1.evil.test:{port}\r\n"),
        format!("Host: evil.test:{port}\r\n"),
        "Host: 127.0.0.1\r\n".to_owned(),
        "Host: 127.0.0.1:1\r\n".to_owned(),
        "Host: box.test\r\n".to_owned(),
        "Host: \r\n".to_owned(),
    ];
    for headers in many {
        let heard = http(port, &upgrade(&headers)).await;
        assert!(heard.starts_with("HTTP/1.1 403"), "{headers:?}: {heard:?}");
        assert!(heard.contains("exai:"), "{headers:?}: {heard:?}");
    }
    assert_eq!(
        sandbox.log("ws_daemon.log").matches(": connected ").count(),
        1,
        "the testkit's own"
    );
}

#[tokio::test]
async fn s03_any_origin_is_refused_before_the_upgrade() {
    let sandbox = Sandbox::new();
    let _daemon = sandbox.daemon().await;
    let port = sandbox.port();
    let token = sandbox.token().must("read the token");
    for origin in [
        "null",
        "http://localhost",
        "https://127.0.0.1",
        "vscode-webview://x",
        "file://",
        "chrome-extension://abc",
    ] {
        let Err(refused) = Ws::connect_with(port, &[("origin", origin)]).await else {
            panic!("{origin} was let in");
        };
        assert_eq!(Ws::status(&refused), Some(403), "{origin}");
    }
    let ours = format!("Host: 127.0.0.1:{port}\r\n");
    let heard = http(port, &upgrade(&format!("{ours}Origin: \r\n"))).await;
    assert!(
        heard.starts_with("HTTP/1.1 403"),
        "an empty one too: {heard:?}"
    );
    assert!(
        !heard.contains(&token) && !heard.contains("Sec-WebSocket-Accept"),
        "{heard:?}"
    );
    // Plain HTTP is nobody's door.
    for request in [
        format!("GET / HTTP/1.1\r\n{ours}\r\n"),
        format!("POST /token HTTP/1.1\r\n{ours}Content-Length: 2\r\n\r\n{{}}"),
    ] {
        let heard = http(port, &request).await;
        assert!(
            !heard.starts_with("HTTP/1.1 101") && !heard.starts_with("HTTP/1.1 200"),
            "{heard:?}"
        );
    }
    assert!(
        sandbox
            .ws()
            .await
            .call_and_wait("version", json!({}))
            .await
            .get("error")
            .is_none()
    );
}

#[tokio::test]
async fn s06_silence_before_the_hello_ends_after_five_seconds() {
    let sandbox = Sandbox::new();
    let _daemon = sandbox.daemon().await;
    let (began, watch) = (Instant::now(), Stopwatch::start());
    let mut upgraded = Ws::connect(sandbox.port()).await;
    let raw = async {
        let mut raw = TcpStream::connect(("127.0.0.1", sandbox.port()))
            .await
            .must("connect");
        let mut buffer = [0; 64];
        timeout(PATIENCE, raw.read(&mut buffer))
            .await
            .must("be cut off in time")
            .unwrap_or(0)
    };
    // A trickle is no hello either.
    let trickle = async {
        let mut slow = TcpStream::connect(("127.0.0.1", sandbox.port()))
            .await
            .must("connect");
        for byte in upgrade("Host: x\r\n").bytes().cycle().take(200) {
            if slow.write_all(&[byte]).await.is_err() {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        false
    };
    let (closed, read, cut) = tokio::join!(upgraded.closed(), raw, trickle);
    assert_eq!(
        closed,
        Some((4002, "hello timeout or disconnect".to_owned()))
    );
    assert_eq!(read, 0);
    assert!(cut, "the trickle was cut off");
    let took = began.elapsed();
    assert!(took > Duration::from_millis(4500), "{took:?}");
    let took = watch.elapsed();
    assert!(took < Duration::from_secs(15), "{took:?}");
}

#[tokio::test]
async fn s06_a_stranger_may_say_four_kilobytes() {
    let sandbox = Sandbox::new();
    let _daemon = sandbox.daemon().await;
    let token = sandbox.token().must("read the token");
    // A hello of almost that length is welcome.
    let padded = |length: usize| {
        Handshake::of(
            json!({ "op": "hello", "session_id": "", "token": token, "padding": "x".repeat(length) }),
        )
    };
    let mut ws = Ws::connect(sandbox.port()).await;
    assert!(matches!(ws.hello(&padded(3500)).await, Frame::Json(ack) if ack["ok"] == true));
    let mut ws = Ws::connect(sandbox.port()).await;
    match ws.hello(&padded(5000)).await {
        Frame::Json(ack) => assert_eq!(ack["ok"], false, "{ack}"),
        Frame::Closed(_) => {}
        Frame::Silence => panic!("neither refused nor closed"),
    }
    let long = format!(
        "Host: 127.0.0.1:{}\r\nX-Long: {}\r\n",
        sandbox.port(),
        "y".repeat(8000)
    );
    let heard = http(sandbox.port(), &upgrade(&long)).await;
    assert!(!heard.contains("101"), "{heard:?}");
}

#[tokio::test]
async fn s06_a_crowd_at_the_door_keeps_no_real_client_out() {
    let mut sandbox = Sandbox::new();
    sandbox
        .set("EXAI_WS_MAX_PENDING_HANDSHAKES", "16")
        .set("EXAI_WS_HELLO_TIMEOUT", "1");
    let _daemon = sandbox.daemon().await;
    let mut inside = sandbox.ws().await;
    let mut crowd = Vec::new();
    for _ in 0..100 {
        crowd.push(
            TcpStream::connect(("127.0.0.1", sandbox.port()))
                .await
                .must("stand in the door"),
        );
    }
    // Who is inside notices nothing.
    let began = Stopwatch::start();
    assert!(
        inside
            .call_and_wait("version", json!({}))
            .await
            .get("error")
            .is_none()
    );
    assert!(
        began.elapsed() < Duration::from_secs(3),
        "{:?}",
        began.elapsed()
    );
    // Who comes now waits behind the crowd, a second for every sixteen, and gets in.
    let mut late = sandbox.ws().await;
    assert!(
        late.call_and_wait("version", json!({}))
            .await
            .get("error")
            .is_none()
    );
    drop(crowd);
}

#[tokio::test]
async fn s06_the_defaults_stand_a_crowd_of_six_hundred() {
    let sandbox = Sandbox::new();
    let _daemon = sandbox.daemon().await;
    let mut crowd = Vec::new();
    for number in 0..600 {
        let connect = TcpStream::connect(("127.0.0.1", sandbox.port()));
        let connected = timeout(PATIENCE, connect)
            .await
            .must("stand in the door in time");
        crowd.push(connected.must(format_args!("be number {number} in the crowd")));
    }
    let mut late = sandbox.ws().await;
    assert!(
        late.call_and_wait("version", json!({}))
            .await
            .get("error")
            .is_none()
    );
}

#[tokio::test]
async fn s06_guessing_gets_slower_and_hinders_no_owner() {
    let sandbox = Sandbox::new();
    let _daemon = sandbox.daemon().await;
    let mut took = Vec::new();
    for guess in 0..9 {
        let mut ws = Ws::connect(sandbox.port()).await;
        let began = Instant::now();
        let ack = ws.hello(&Handshake::v1(&format!("guess-{guess}"))).await;
        assert!(
            matches!(&ack, Frame::Json(ack) if ack["error"] == "unauthorized"),
            "{ack:?}"
        );
        took.push(began.elapsed());
    }
    assert!(took[8] > Duration::from_secs(1), "{took:?}");
    let began = Stopwatch::start();
    drop(sandbox.ws().await);
    assert!(
        began.elapsed() < took[8],
        "the owner waits for nobody: {:?}, {took:?}",
        began.elapsed()
    );
}

#[tokio::test]
async fn s06_what_is_no_hello_is_refused_in_the_predecessors_words() {
    let sandbox = Sandbox::new();
    let _daemon = sandbox.daemon().await;
    let cases = [
        ("no json", "invalid_hello", 4000, "invalid hello"),
        ("[1]", "invalid_hello", 4000, "invalid hello"),
        (
            "{\"op\":\"hello\",\"op\":\"hello\"}",
            "invalid_hello",
            4000,
            "invalid hello",
        ),
        (
            "{\"op\":\"hello\",\"token\":7}",
            "invalid_hello",
            4000,
            "invalid hello",
        ),
        (
            "{\"op\":\"list_tools\"}",
            "missing_hello",
            4001,
            "missing hello",
        ),
        ("{}", "missing_hello", 4001, "missing hello"),
        (
            "{\"op\":\"hello\",\"token\":\"\"}",
            "unauthorized",
            4003,
            "unauthorized",
        ),
        ("{\"op\":\"hello\"}", "unauthorized", 4003, "unauthorized"),
        (
            "{\"op\":\"hello\",\"token\":\"x\",\"protocol\":\"9.0\"}",
            "unsupported_protocol",
            4004,
            "unsupported protocol",
        ),
    ];
    for (text, error, code, reason) in cases {
        let mut ws = Ws::connect(sandbox.port()).await;
        ws.send_text(text).await;
        let Frame::Json(ack) = ws.next(PATIENCE).await else {
            panic!("no ack for {text}")
        };
        assert_eq!(
            (&ack["ok"], &ack["error"]),
            (&json!(false), &json!(error)),
            "{text}"
        );
        assert_eq!(ws.closed().await, Some((code, reason.to_owned())), "{text}");
    }
    let mut ws = Ws::connect(sandbox.port()).await;
    ws.try_send(Message::binary(b"{}".to_vec()))
        .await
        .must("send");
    assert!(matches!(ws.next(PATIENCE).await, Frame::Json(ack) if ack["error"] == "invalid_hello"));
}

#[tokio::test]
async fn s06_the_log_names_who_was_refused() {
    let sandbox = Sandbox::new();
    let _daemon = sandbox.daemon().await;
    let mut stranger = Ws::connect(sandbox.port()).await;
    let refused = stranger
        .hello(&Handshake::modern("wrong", "stranger", &[]))
        .await;
    assert!(
        matches!(&refused, Frame::Json(ack) if ack["error"] == "unauthorized"),
        "{refused:?}"
    );
    let line = eventually(PATIENCE, "the refusal is logged", || {
        let log = sandbox.log("ws_daemon.log");
        let mut lines = log.lines().map(str::to_owned);
        lines.find(|line| line.contains("handshake refused"))
    })
    .await;
    for word in [" peer=127.0.0.1:", " client=testkit", "unauthorized"] {
        assert!(line.contains(word), "{word:?} in {line}");
    }
}
