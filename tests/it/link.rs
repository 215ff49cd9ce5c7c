//! The link without a secret on it: the socket in the home, proof on both sides of a port, and
//! what a stranger learns who sits on one.

use crate::editor::failure;
use exai_testkit::{
    Frame, Handshake, Must as _, PATIENCE, Sandbox, Squatter, Stopwatch, Ws, eventually,
    squatter::{Script, pretends, welcomes},
};
use serde_json::json;
use std::{
    net::Ipv4Addr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

const TOKEN: &str = "a-token-0123456789abcdef01234567";
const GUESS: &str = "guess-0123456789abcdef";
const REFUSED: i32 = 10;

async fn squat(port: u16, knows_of_proof: bool, script: Script) -> Squatter {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .await
        .must("squat the port");
    Squatter::on(listener, knows_of_proof, script)
}

fn by_address(port: u16) -> Sandbox {
    let mut sandbox = Sandbox::on_port(port);
    sandbox
        .set("EXAI_WS_HOST", "127.0.0.1")
        .set("EXAI_WS_TOKEN", TOKEN)
        .set("EXAI_SHIM_CONNECT_WAIT", "2");
    sandbox
}

#[tokio::test]
async fn s05_a_squatter_learns_nothing_and_is_sent_no_call() {
    for (knows, script) in [
        (false, welcomes as Script),
        (true, welcomes),
        (true, pretends),
    ] {
        let sandbox = by_address(exai_testkit::free_port());
        let squatter = squat(sandbox.port(), knows, script).await;
        let mut shim = sandbox.shim();
        shim.initialize("2025-11-25").await;
        let result = shim
            .call_tool("chat", json!({ "prompt": "the-secret-question" }))
            .await;
        let (code, text) = failure(&result);
        assert_eq!(code, "UNAVAILABLE", "{text}");
        assert!(
            text.contains(&format!("something else is on port {}", sandbox.port()))
                && text.contains("does not know the token"),
            "{text}"
        );
        if cfg!(target_os = "linux") {
            let pid = std::process::id().to_string();
            assert!(
                text.contains(&format!("pid {pid}")),
                "its owner is named: {text}"
            );
        }
        for words in [
            &["status"][..],
            &["call", "version"],
            &["doctor"],
            &["stop"],
        ] {
            let output = sandbox.cli(words).await;
            assert!(!output.all().contains(TOKEN), "{words:?}: {}", output.all());
        }
        let work = sandbox.work().display().to_string();
        let heard = squatter.heard();
        assert!(!heard.is_empty());
        for secret in [
            TOKEN,
            "the-secret-question",
            &work,
            "call_tool",
            "\"hello\"",
        ] {
            assert!(!heard.contains(secret), "{secret} in {heard}");
        }
    }
}

/// Everything a client said on a connection to a daemon, byte for byte, through a port in between.
pub(crate) async fn tapped(to: u16) -> (u16, Arc<Mutex<Vec<u8>>>, JoinSet<()>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .must("tap");
    let port = listener.local_addr().must("tap").port();
    let said = Arc::<Mutex<Vec<u8>>>::default();
    let mut serving = JoinSet::new();
    let log = Arc::clone(&said);
    serving.spawn(async move {
        let mut lines = JoinSet::new();
        while let Ok((client, _)) = listener.accept().await {
            let Ok(daemon) = TcpStream::connect((Ipv4Addr::LOCALHOST, to)).await else {
                continue;
            };
            let log = Arc::clone(&log);
            let (mut from, mut back) = client.into_split();
            let (mut answers, mut on) = daemon.into_split();
            lines.spawn(async move {
                let _ = tokio::io::copy(&mut answers, &mut back).await;
            });
            lines.spawn(async move {
                let mut bytes = [0; 4096];
                while let Ok(count) = from.read(&mut bytes).await {
                    log.lock().must("note bytes").extend(&bytes[..count]);
                    if count == 0 || on.write_all(&bytes[..count]).await.is_err() {
                        break;
                    }
                }
            });
        }
    });
    (port, said, serving)
}

/// The text frames of a client among its bytes, unmasked.
pub(crate) fn frames(bytes: &[u8]) -> Vec<String> {
    let head = bytes
        .windows(4)
        .position(|end| end == b"\r\n\r\n")
        .must("find the end of the upgrade");
    let (mut rest, mut frames) = (&bytes[head + 4..], Vec::new());
    while rest.len() > 6 {
        let (length, at) = match rest[1] & 0x7f {
            126 => (usize::from(u16::from_be_bytes([rest[2], rest[3]])), 4),
            short => (usize::from(short), 2),
        };
        let (mask, body) = (&rest[at..at + 4], &rest[at + 4..]);
        let Some(payload) = body.get(..length) else {
            break;
        };
        let text: Vec<u8> = payload
            .iter()
            .zip(mask.iter().cycle())
            .map(|(byte, mask)| byte ^ mask)
            .collect();
        if rest[0] & 0x0f == 1 {
            frames.push(String::from_utf8_lossy(&text).into_owned());
        }
        rest = &body[length..];
    }
    frames
}

#[tokio::test]
async fn s05_a_captured_proof_opens_no_door_and_holds_no_token() {
    let mut inside = Sandbox::new();
    inside.set("EXAI_WS_TOKEN", TOKEN);
    let (port, said, _tap) = tapped(inside.port()).await;
    inside.set("EXAI_WS_ALLOWED_HOSTS", format!("127.0.0.1:{port}"));
    let _daemon = inside.daemon_with_token(TOKEN).await;
    let outside = by_address(port);
    outside.cli(&["call", "version"]).await.ok();
    let bytes = said.lock().must("read the tap").clone();
    assert!(!String::from_utf8_lossy(&bytes).contains(TOKEN));
    let said = frames(&bytes);
    assert!(said[0].contains(r#""op":"prove""#), "{said:?}");
    assert!(
        said[1].contains(r#""op":"hello""#) && said[1].contains("\"proof\""),
        "{said:?}"
    );
    assert!(said.iter().all(|frame| !frame.contains(TOKEN)), "{said:?}");
    // The same words again, in the same order: the daemon's number is another one now.
    let mut replay = Ws::connect(inside.port()).await;
    replay.send_text(&said[0]).await;
    let proof = replay.recv().await;
    assert_eq!(proof["op"], "proof", "{proof}");
    replay.send_text(&said[1]).await;
    let refused = replay.recv().await;
    assert_eq!(
        (&refused["ok"], &refused["error"]),
        (&json!(false), &json!("unauthorized"))
    );
    assert_eq!(
        replay.closed().await,
        Some((4003, "unauthorized".to_owned()))
    );
    // And without the question before it.
    let mut alone = Ws::connect(inside.port()).await;
    alone.send_text(&said[1]).await;
    assert_eq!(alone.recv().await["error"], "unauthorized");
}

#[tokio::test]
async fn s12_a_proof_by_the_token_of_yesterday_opens_during_its_overlap() {
    let sandbox = Sandbox::new();
    let _daemon = sandbox.daemon().await;
    let old = sandbox.token().must("read the token");
    sandbox.cli(&["token", "rotate"]).await.ok();
    for token in [old, sandbox.token().must("read the new token")] {
        let mut outside = by_address(sandbox.port());
        outside.set("EXAI_WS_TOKEN", token);
        outside.cli(&["call", "version"]).await.ok();
    }
    let mut outside = by_address(sandbox.port());
    outside.set("EXAI_WS_TOKEN", GUESS);
    let refused = outside.cli(&["call", "version"]).await;
    assert_eq!(refused.code, Some(REFUSED), "{}", refused.all());
}

#[tokio::test]
async fn s05_the_token_itself_can_be_switched_off() {
    let mut sandbox = Sandbox::new();
    sandbox.set("EXAI_WS_ACCEPT_PLAIN_TOKEN", "false");
    sandbox.cli(&["start"]).await.ok();
    let token = sandbox.token().must("read the token");
    let mut v1 = Ws::connect(sandbox.port()).await;
    let refused = v1.hello(&Handshake::v1(&token)).await;
    let v1s = json!({ "op": "hello_ack", "ok": false, "error": "unauthorized" });
    assert_eq!(refused, Frame::Json(v1s), "V1's refusal, word for word");
    let mut modern = Ws::connect(sandbox.port()).await;
    let Frame::Json(refused) = modern.hello(&Handshake::modern(&token, "m", &[])).await else {
        panic!("no answer")
    };
    let message = refused["message"].as_str().unwrap_or_default();
    assert!(message.contains("EXAI_WS_ACCEPT_PLAIN_TOKEN"), "{refused}");
    let mut outside = by_address(sandbox.port());
    outside.set("EXAI_WS_TOKEN", token);
    outside.cli(&["call", "version"]).await.ok();
    sandbox.cli(&["call", "version"]).await.ok();
    sandbox.cli(&["stop"]).await.ok();
}

#[tokio::test]
async fn s06_guessing_is_limited_and_keeps_no_good_client_out() {
    let mut sandbox = Sandbox::new();
    sandbox.set("EXAI_HEALTH_WRITER_INTERVAL", "0.2");
    let _daemon = sandbox.daemon().await;
    let token = sandbox.token().must("read the token");
    let mut guesses = JoinSet::new();
    for _ in 0..40 {
        let port = sandbox.port();
        guesses.spawn(async move {
            let mut ws = Ws::connect(port).await;
            ws.hello(&Handshake::modern(GUESS, "guesser", &[])).await
        });
    }
    let mut limited = Vec::new();
    while let Some(answer) = guesses.join_next().await {
        match answer.must("guess") {
            Frame::Json(ack) if ack["error"] == "rate_limited" => limited.push(ack),
            Frame::Json(ack) => assert_eq!(ack["error"], "unauthorized"),
            other => panic!("no answer: {other:?}"),
        }
    }
    assert!(limited.len() >= 10, "{}", limited.len());
    let wait = limited[0]["retry_after"].as_u64().unwrap_or_default();
    assert!((1..=20).contains(&wait), "{}", limited[0]);
    assert!(
        limited[0]["message"]
            .as_str()
            .is_some_and(|told| told.contains("not looked at"))
    );
    // A right token is not read either, for a moment; proofs and the socket do not wait.
    let mut v1 = Ws::connect(sandbox.port()).await;
    let refused = v1.hello(&Handshake::v1(&token)).await;
    assert!(
        matches!(&refused, Frame::Json(ack) if ack["error"] == "rate_limited"),
        "{refused:?}"
    );
    assert_eq!(v1.closed().await, Some((4029, "rate limited".to_owned())));
    let mut outside = by_address(sandbox.port());
    outside.set("EXAI_WS_TOKEN", &token);
    let began = Stopwatch::start();
    outside.cli(&["call", "version"]).await.ok();
    sandbox.cli(&["call", "version"]).await.ok();
    assert!(
        began.elapsed() < Duration::from_secs(8),
        "{:?}",
        began.elapsed()
    );
    eventually(PATIENCE, "health tells of it", || {
        let health = sandbox.health().unwrap_or_default();
        health["warnings"].to_string().contains("127.0.0.1")
    })
    .await;
    let again = Instant::now() + PATIENCE;
    loop {
        let mut v1 = Ws::connect(sandbox.port()).await;
        if matches!(v1.hello(&Handshake::v1(&token)).await, Frame::Json(ack) if ack["ok"] == true) {
            break;
        }
        assert!(Instant::now() < again, "the right token is shut out");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

#[tokio::test]
async fn s04_who_asks_for_proof_says_nothing_a_browser_says() {
    let sandbox = Sandbox::new();
    let _daemon = sandbox.daemon().await;
    let native = ("sec-websocket-protocol", "exai.proof");
    drop(
        Ws::connect_with(sandbox.port(), &[native])
            .await
            .must("ask for proof"),
    );
    for said in [("sec-fetch-site", "same-origin"), ("cookie", "session=1")] {
        let Err(refused) = Ws::connect_with(sandbox.port(), &[native, said]).await else {
            panic!("{said:?} was let in");
        };
        assert_eq!(Ws::status(&refused), Some(403), "{said:?}");
        // V1 peers are as they were.
        drop(
            Ws::connect_with(sandbox.port(), &[said])
                .await
                .must("connect as V1"),
        );
    }
}

#[tokio::test]
async fn s18_what_is_not_protected_against_is_said() {
    let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md");
    let text = std::fs::read_to_string(readme).must("read the readme");
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for said in ["the same user", "out of scope", "not encrypted"] {
        assert!(flat.contains(said), "{said:?} is not said");
    }
}
