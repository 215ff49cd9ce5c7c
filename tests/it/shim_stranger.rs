//! The shim against daemons that are not today's: a predecessor, one of another protocol, one
//! that lists nothing, one that says strange things. And against none but an address.

use crate::editor::{by_hand, failure, names, nothing_more, ok_text, reached};
use exai_testkit::{Must as _, Relay, Sandbox, Shim, eventually};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use std::{
    net::Ipv4Addr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{net::TcpListener, task::JoinSet};
use tokio_tungstenite::tungstenite::Message;

const TOKEN: &str = "a-token-0123456789abcdef01234567";
const SOON: Duration = Duration::from_secs(60);

/// What a scripted daemon says to a frame; nothing more to say ends the connection.
type Script = fn(&Value) -> Option<Vec<Value>>;

struct Scripted {
    heard: Arc<Mutex<Vec<String>>>,
    connections: Arc<AtomicUsize>,
    _serving: JoinSet<()>,
}

impl Scripted {
    async fn on(port: u16, script: Script) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .await
            .must("listen as a daemon");
        let heard = Arc::<Mutex<Vec<String>>>::default();
        let connections = Arc::<AtomicUsize>::default();
        let mut serving = JoinSet::new();
        let (log, count) = (Arc::clone(&heard), Arc::clone(&connections));
        serving.spawn(async move {
            let mut peers = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let log = Arc::clone(&log);
                peers.spawn(async move {
                    let Ok(mut peer) = tokio_tungstenite::accept_async(stream).await else {
                        return;
                    };
                    while let Some(Ok(message)) = peer.next().await {
                        let Message::Text(text) = message else {
                            continue;
                        };
                        let frame: Value = serde_json::from_str(&text).must("read a frame");
                        log.lock().must("note a frame").push(text.to_string());
                        let Some(answers) = script(&frame) else { break };
                        for answer in answers {
                            let said = match answer {
                                // Not everything that is said is JSON.
                                Value::String(text) => text,
                                other => other.to_string(),
                            };
                            if peer.send(Message::text(said)).await.is_err() {
                                return;
                            }
                        }
                    }
                    let _ = peer.close(None).await;
                });
            }
        });
        Self {
            heard,
            connections,
            _serving: serving,
        }
    }

    /// The frames of this op as they came.
    fn raw(&self, op: &str) -> Vec<String> {
        let heard = self.heard.lock().must("look at what was heard");
        let of = format!(r#"{{"op":"{op}""#);
        heard
            .iter()
            .filter(|text| text.starts_with(&of))
            .cloned()
            .collect()
    }

    fn heard(&self, op: &str) -> Vec<Value> {
        let raw = self.raw(op);
        let read = |text: &String| serde_json::from_str(text).must("read a frame");
        raw.iter().map(read).collect()
    }
}

/// A shim whose daemon is whatever listens on the sandbox's port.
async fn shim(sandbox: &mut Sandbox) -> Shim {
    sandbox
        .set("EXAI_WS_TOKEN", TOKEN)
        .set("EXAI_WS_SEND_PLAIN_TOKEN", "true")
        .set("EXAI_SHIM_CONNECT_WAIT", "3");
    let mut shim = sandbox.shim();
    shim.initialize("2025-11-25").await;
    shim
}

/// Frames as the predecessor wrote them: no protocol, no ids on lists, the text beside the blocks.
fn predecessor(frame: &Value) -> Option<Vec<Value>> {
    let id = &frame["request_id"];
    Some(match frame["op"].as_str()? {
        "hello" => vec![json!({ "op": "hello_ack", "ok": true, "session_id": "904d460b" })],
        "list_tools" => vec![json!({ "op": "list_tools_res", "tools": [
            { "name": "chat", "description": "d", "inputSchema": { "type": "object" } } ] })],
        "call_tool" if frame["name"] == "broken" => vec![json!({ "op": "call_tool_res",
            "request_id": id, "error": { "code": "EXEC_ERROR", "message": "it broke" } })],
        "call_tool" => vec![
            json!({ "op": "progress", "request_id": id, "name": "chat", "t": 1.5,
                "note": "accepted, awaiting provider/session capacity" }),
            json!({ "op": "call_tool_ack", "request_id": id, "accepted": true, "timeout": 240, "name": "chat" }),
            json!({ "op": "progress", "request_id": id, "name": "chat", "t": 2.5 }),
            json!({ "op": "call_tool_res", "request_id": id,
                "outputs": [{ "type": "text", "text": "hello from V1" }], "text": "hello from V1" }),
        ],
        other => vec![json!({ "op": "error", "message": format!("Unknown op: {other}") })],
    })
}

#[tokio::test]
async fn p14_a_predecessor_is_listed_and_called() {
    let mut sandbox = by_hand();
    let daemon = Scripted::on(sandbox.port(), predecessor).await;
    let mut shim = shim(&mut sandbox).await;
    crate::editor::listing(&mut shim, "chat").await;
    let result = shim
        .call_tool("chat_EXAI-WS", json!({ "prompt": "hi" }))
        .await;
    assert_eq!(ok_text(&result), "hello from V1");
    let result = shim.call_tool("broken", json!({})).await;
    let (code, text) = failure(&result);
    assert_eq!((code, text), ("EXEC_ERROR", "it broke"));
    let hello = &daemon.heard("hello")[0];
    assert_eq!(hello["token"], TOKEN);
    let call = &daemon.heard("call_tool")[0];
    assert_eq!(call["arguments"], json!({ "prompt": "hi" }));
    nothing_more(&mut shim).await;
}

/// The predecessor cannot say what became of a call: nothing is run twice on a guess.
#[tokio::test]
async fn r02_a_predecessor_that_hangs_up_on_a_call_is_not_asked_twice() {
    fn hangs_up(frame: &Value) -> Option<Vec<Value>> {
        if frame["op"] == "call_tool" {
            return None;
        }
        predecessor(frame)
    }
    let mut sandbox = by_hand();
    let daemon = Scripted::on(sandbox.port(), hangs_up).await;
    let mut shim = shim(&mut sandbox).await;
    let result = shim.call_tool("chat", json!({})).await;
    let (code, text) = failure(&result);
    assert_eq!(code, "OUTCOME_UNKNOWN");
    assert!(text.contains("Check its effects"), "{text}");
    assert_eq!(daemon.heard("call_tool").len(), 1, "sent twice");
}

#[tokio::test]
async fn p14_a_daemon_of_another_protocol_is_explained_and_not_tried_again_and_again() {
    fn newer(frame: &Value) -> Option<Vec<Value>> {
        (frame["op"] == "hello").then(|| {
            vec![
                json!({ "op": "hello_ack", "ok": true, "session_id": "s", "protocol": "9.0",
                "server": { "name": "exai", "version": "9.0.0", "build": "b", "boot_id": "x" } }),
            ]
        })
    }
    let mut sandbox = by_hand();
    let daemon = Scripted::on(sandbox.port(), newer).await;
    let mut shim = shim(&mut sandbox).await;
    let result = shim.call_tool("version", json!({})).await;
    let (_, text) = failure(&result);
    for part in ["protocol", "9.0", "update"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    failure(&shim.call_tool("version", json!({})).await);
    let dials = daemon.connections.load(Ordering::SeqCst);
    assert!(dials <= 2, "{dials} attempts");
}

#[tokio::test]
async fn r44_a_newer_daemon_of_the_same_protocol_is_served_and_mentioned_once() {
    fn newer(frame: &Value) -> Option<Vec<Value>> {
        if frame["name"] == "broken" {
            return None;
        }
        if frame["op"] == "attach" {
            let id = &frame["request_id"];
            return Some(vec![
                json!({ "op": "attach_res", "request_id": id, "state": "finished" }),
                json!({ "op": "call_tool_res", "request_id": id,
                    "outputs": [{ "type": "text", "text": "kept" }] }),
            ]);
        }
        if frame["op"] != "hello" {
            return predecessor(frame);
        }
        Some(vec![json!({
            "op": "hello_ack", "ok": true, "session_id": "s", "protocol": "1.9",
            "features": ["progress", "what nobody knows yet"], "tools_hash": "another",
            "server": { "name": "exai", "version": "9.0.0", "build": "b", "boot_id": "x", "home": "" },
        })])
    }
    let mut sandbox = by_hand();
    let daemon = Scripted::on(sandbox.port(), newer).await;
    let mut shim = shim(&mut sandbox).await;
    for _ in 0..2 {
        ok_text(&shim.call_tool("chat", json!({})).await);
    }
    let mentions = || {
        let log = sandbox.log("ws_shim.log");
        log.matches("of another version").count()
    };
    eventually(SOON, "it to be mentioned", || mentions() == 1).await;
    let meetings = || daemon.connections.load(Ordering::SeqCst);
    assert_eq!(meetings(), 1, "it stays where it is");
    // It hangs up and is met again, and goes on as before; once was enough.
    let result = shim.call_tool("broken", json!({})).await;
    assert_eq!(ok_text(&result), "kept");
    let asked = || daemon.heard("list_tools").len() == 2;
    eventually(SOON, "another look at its list", asked).await;
    ok_text(&shim.call_tool("chat", json!({})).await);
    assert_eq!((mentions(), meetings()), (1, 2));
}

#[tokio::test]
async fn r03_a_daemon_that_lists_nothing_takes_no_tool_away() {
    fn empty(frame: &Value) -> Option<Vec<Value>> {
        if frame["op"] == "list_tools" {
            return Some(vec![json!({ "op": "list_tools_res", "tools": [] })]);
        }
        predecessor(frame)
    }
    let mut sandbox = by_hand();
    let daemon = Scripted::on(sandbox.port(), empty).await;
    let mut shim = shim(&mut sandbox).await;
    let before = shim.ask("tools/list", json!({})).await;
    assert!(names(&before).len() >= 9);
    let asked = || !daemon.heard("list_tools").is_empty();
    eventually(SOON, "it to be asked for its list", asked).await;
    ok_text(&shim.call_tool("chat", json!({})).await);
    let after = shim.ask("tools/list", json!({})).await;
    assert_eq!(before["result"], after["result"]);
    let told = shim.take_aside();
    assert_eq!(told, Vec::<Value>::new());
}

#[tokio::test]
async fn a_daemon_that_talks_nonsense_beside_the_answer_does_no_harm() {
    fn odd(frame: &Value) -> Option<Vec<Value>> {
        let mut said = vec![
            json!("no json at all"),
            json!("[1,2,3]"),
            json!({ "op": 7 }),
            json!({ "op": "unheard_of", "request_id": "x" }),
            json!({ "op": "call_tool_res", "request_id": "nobody", "outputs": [] }),
            json!({ "op": "progress", "request_id": "nobody", "name": "n", "t": 1.0 }),
            json!({ "op": "call_tool_res" }),
        ];
        if frame["op"] == "hello" {
            said.clear();
        }
        said.extend(predecessor(frame)?);
        Some(said)
    }
    let mut sandbox = by_hand();
    let _daemon = Scripted::on(sandbox.port(), odd).await;
    let mut shim = shim(&mut sandbox).await;
    crate::editor::listing(&mut shim, "chat").await;
    for _ in 0..3 {
        let result = shim.call_tool("chat", json!({})).await;
        assert_eq!(ok_text(&result), "hello from V1");
    }
    nothing_more(&mut shim).await;
}

/// What the daemon learns of a window, and that arguments reach it byte for byte.
#[tokio::test]
async fn the_daemon_learns_whose_window_it_is_and_gets_the_arguments_as_they_were() {
    let mut sandbox = by_hand();
    sandbox
        .set("EXAI_WS_TOKEN", TOKEN)
        .set("EXAI_WS_SEND_PLAIN_TOKEN", "true")
        .set("EXAI_SESSION_ID", "my-window");
    let daemon = Scripted::on(sandbox.port(), predecessor).await;
    let mut shim = sandbox.shim();
    let hello = json!({ "protocolVersion": "2025-11-25", "capabilities": { "roots": {} },
        "clientInfo": { "name": "an-editor", "version": "7.1" } });
    shim.ask("initialize", hello).await;
    shim.notify("notifications/initialized", json!({})).await;
    // A client that declares folders is asked for them; until it answers nothing waits.
    let asked = shim.recv_where(|m| m["method"] == "roots/list").await;
    ok_text(&shim.call_tool("chat", json!({})).await);
    let roots = json!({ "roots": [{ "uri": "file:///work/ü" }] });
    shim.send(&json!({ "jsonrpc": "2.0", "id": asked["id"], "result": roots }))
        .await;
    let exact =
        r#"{ "b":1.50, "a":"\u0041\ud83e\udd80", "big":12345678901234567890123 , "z":{"y":[ ]}}"#;
    let has_roots = || {
        let calls = daemon.raw("call_tool");
        calls.into_iter().find(|call| call.contains("\"roots\""))
    };
    let end = tokio::time::Instant::now() + SOON;
    let seen = loop {
        let line = format!(
            r#"{{"jsonrpc":"2.0","id":"x","method":"tools/call","params":{{"name":"chat","arguments":{exact}}}}}"#
        );
        shim.send_line(&line).await;
        shim.recv_where(|m| m["id"] == "x").await;
        if let Some(call) = has_roots() {
            break call;
        }
        assert!(tokio::time::Instant::now() < end, "no folders were told");
    };
    assert!(seen.contains(r#""roots":["file:///work/ü"]"#), "{seen}");
    assert!(seen.contains(&format!(r#""arguments":{exact}"#)), "{seen}");
    let hello = &daemon.heard("hello")[0];
    let client = &hello["client"];
    assert_eq!(client["id"], "my-window");
    assert_eq!(
        (&client["name"], &client["version"]),
        (&json!("an-editor"), &json!("7.1"))
    );
    assert_eq!(client["pid"], shim.id());
    let cwd = sandbox.work().canonicalize().unwrap();
    assert_eq!(client["cwd"], json!(cwd));
}

/// A daemon in a container: all the shim has is an address, and no file of its home is looked
/// at or made.
#[tokio::test]
async fn with_an_address_no_file_is_needed_and_nothing_is_started() {
    let mut sandbox = Sandbox::new();
    let relay = Relay::to(sandbox.port()).await;
    sandbox.set(
        "EXAI_WS_ALLOWED_HOSTS",
        format!("127.0.0.1:{}", relay.port()),
    );
    let mut daemon = sandbox.daemon().await;
    let elsewhere = sandbox.work().join("another-home");
    let mut command = sandbox.command("exai-shim");
    command
        .env("EXAI_HOME", &elsewhere)
        .env("EXAI_WS_HOST", "127.0.0.1")
        .env("EXAI_WS_PORT", relay.port().to_string())
        .env("EXAI_WS_TOKEN", sandbox.token().unwrap())
        .env("EXAI_SHIM_CONNECT_WAIT", "2");
    let mut shim = sandbox.shim_of(command);
    shim.initialize("2025-11-25").await;
    reached(&mut shim).await;
    let before = relay.served();
    daemon.kill().await;
    // A call that leaves before the loss is noticed waits longer, for another answer.
    let again = || relay.served() > before;
    eventually(SOON, "the loss to be noticed", again).await;
    failure(&shim.call_tool("version", json!({})).await);
    assert_eq!(sandbox.processes("exai-daemon"), Vec::<u32>::new());
    assert!(
        !elsewhere.exists(),
        "files were made in {}",
        elsewhere.display()
    );
    let _next = sandbox.daemon().await;
    reached(&mut shim).await;
}
