//! The scripted daemon, and a dial that tests can switch.

use crate::{
    CallEvent, CallSpec, CallStream, Client, ClientConfig, Dial, LinkState, Target, Unreachable,
};
use exai_protocol::{
    Code, RawValue, RequestId, Secret, UnixMillis, WallClock, call::CallToolRes, hello::ClientInfo,
};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::{
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicU32, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::DuplexStream,
    sync::{Notify, mpsc},
    time::Instant,
};
use tokio_tungstenite::{
    WebSocketStream, accept_async,
    tungstenite::{
        Message,
        protocol::{CloseFrame, frame::coding::CloseCode},
    },
};
use tokio_util::task::TaskTracker;

/// What dialling meets.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Weather {
    Refused,
    Accepting,
    Stopped,
    Misconfigured,
}

pub(super) struct World {
    pub(super) client: Client,
    connections: mpsc::Receiver<DuplexStream>,
    weather: Arc<Mutex<Weather>>,
    changed: Arc<Notify>,
    pub(super) attempts: Arc<AtomicU32>,
    wall_offset: Arc<AtomicI64>,
}

struct TestDial {
    connections: mpsc::Sender<DuplexStream>,
    weather: Arc<Mutex<Weather>>,
    changed: Arc<Notify>,
    attempts: Arc<AtomicU32>,
}

impl Dial for TestDial {
    type Stream = DuplexStream;

    async fn dial(&mut self) -> Result<(DuplexStream, Target), Unreachable> {
        self.attempts.fetch_add(1, Ordering::Relaxed);
        let weather = *self.weather.lock().unwrap();
        match weather {
            Weather::Stopped => return Err(Unreachable::Stopped),
            Weather::Misconfigured => {
                return Err(Unreachable::Misconfigured(
                    "the token file is empty".to_owned(),
                ));
            }
            Weather::Refused => {
                let error = io::Error::from(io::ErrorKind::ConnectionRefused);
                return Err(Unreachable::Connect {
                    at: "test:1".to_owned(),
                    error,
                });
            }
            Weather::Accepting => {}
        }
        let (ours, theirs) = tokio::io::duplex(256 * 1024);
        self.connections
            .send(theirs)
            .await
            .expect("the test listens");
        let token = Secret::new("secret");
        let target = Target {
            host: "127.0.0.1".to_owned(),
            port: 1,
            host_header: None,
            socket: None,
            plain: true,
            token,
        };
        Ok((ours, target))
    }

    async fn changed(&mut self) {
        self.changed.notified().await;
    }

    fn is_stopped(&mut self) -> bool {
        *self.weather.lock().unwrap() == Weather::Stopped
    }
}

impl World {
    pub(super) fn new(weather: Weather) -> Self {
        Self::with(weather, |_| ())
    }

    pub(super) fn with(weather: Weather, change: impl FnOnce(&mut ClientConfig)) -> Self {
        let (sender, connections) = mpsc::channel(8);
        let weather = Arc::new(Mutex::new(weather));
        let (changed, attempts) = (Arc::new(Notify::new()), Arc::new(AtomicU32::new(0)));
        let dial = TestDial {
            connections: sender,
            weather: Arc::clone(&weather),
            changed: Arc::clone(&changed),
            attempts: Arc::clone(&attempts),
        };
        let wall_offset = Arc::new(AtomicI64::new(0));
        let (start, offset) = (Instant::now(), Arc::clone(&wall_offset));
        let wall: WallClock = Arc::new(move || {
            let elapsed = u64::try_from(start.elapsed().as_millis()).unwrap();
            let now = 1_700_000_000_000 + elapsed;
            UnixMillis(now.saturating_add_signed(offset.load(Ordering::Relaxed)))
        });
        let mut config = ClientConfig {
            seed: Some(1),
            ..ClientConfig::default()
        };
        config.client = ClientInfo {
            id: Some("me".into()),
            ..ClientInfo::default()
        };
        change(&mut config);
        let client = Client::spawn(config, dial, wall, &TaskTracker::new());
        Self {
            client,
            connections,
            weather,
            changed,
            attempts,
            wall_offset,
        }
    }

    pub(super) fn weather(&self, weather: Weather) {
        *self.weather.lock().unwrap() = weather;
    }

    pub(super) fn hint(&self) {
        self.changed.notify_one();
    }

    pub(super) fn jump_wall(&self, by: Duration) {
        self.wall_offset
            .fetch_add(i64::try_from(by.as_millis()).unwrap(), Ordering::Relaxed);
    }

    pub(super) fn dials(&self) -> u32 {
        self.attempts.load(Ordering::Relaxed)
    }

    /// Accepts the next connection up to and with its hello.
    pub(super) async fn accept(&mut self) -> Peer {
        let stream = self.connections.recv().await.expect("the client dials");
        let mut peer = Peer {
            socket: accept_async(stream).await.unwrap(),
            hello: Value::Null,
        };
        peer.hello = peer.read().await;
        assert_eq!(peer.hello["op"], "hello");
        peer
    }

    /// A connection to a good daemon of this boot.
    pub(super) async fn daemon(&mut self, boot: &str) -> Peer {
        let mut peer = self.accept().await;
        peer.send(ack(boot)).await;
        self.link(LinkState::is_ready).await;
        peer
    }

    /// The same, of a daemon that keeps a journal.
    pub(super) async fn journaling_daemon(&mut self, boot: &str) -> Peer {
        let mut peer = self.accept().await;
        let mut ack = ack(boot);
        ack["features"] = json!(["journal"]);
        peer.send(ack).await;
        self.link(LinkState::is_ready).await;
        peer
    }

    /// The same, of one that names it.
    pub(super) async fn daemon_with_journal(&mut self, boot: &str, journal: &str) -> Peer {
        let mut peer = self.accept().await;
        let mut ack = ack(boot);
        ack["journal"] = json!(journal);
        peer.send(ack).await;
        self.link(LinkState::is_ready).await;
        peer
    }

    pub(super) async fn call(&self, id: &str, repeatable: bool) -> CallStream {
        self.client.call(spec(id, repeatable)).await
    }

    /// Waits for a state of the link.
    pub(super) async fn link(&self, wanted: impl FnMut(&LinkState) -> bool) -> LinkState {
        self.client.link().wait_for(wanted).await.unwrap().clone()
    }
}

pub(super) fn spec(id: &str, repeatable: bool) -> CallSpec {
    CallSpec {
        request_id: RequestId::new(id),
        name: "tool".to_owned(),
        arguments: Some(RawValue::from_string(r#"{ "a" : 1.00 }"#.to_owned()).unwrap()),
        timeout_ms: None,
        roots: None,
        repeatable,
    }
}

pub(super) fn ack(boot: &str) -> Value {
    json!({
        "op": "hello_ack", "ok": true, "session_id": "s", "protocol": "1.1",
        "server": {"name": "exai-daemon", "version": "0", "build": "", "boot_id": boot, "home": ""},
        "features": [], "tools_hash": "h",
        "limits": {"max_frame_bytes": 33_554_432, "max_depth": 128, "client_inflight": 8,
                   "call_timeout_secs": 600, "retention_secs": 600},
    })
}

pub(super) struct Peer {
    pub(super) socket: WebSocketStream<DuplexStream>,
    pub(super) hello: Value,
}

impl Peer {
    /// The next text frame.
    pub(super) async fn read(&mut self) -> Value {
        self.try_read().await.expect("a frame")
    }

    pub(super) async fn try_read(&mut self) -> Option<Value> {
        loop {
            match self.socket.next().await? {
                Ok(Message::Text(text)) => return Some(serde_json::from_str(&text).unwrap()),
                Ok(Message::Close(_)) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    pub(super) async fn expect(&mut self, op: &str, id: &str) -> Value {
        let frame = self.read().await;
        assert_eq!(
            (&frame["op"], &frame["request_id"]),
            (&json!(op), &json!(id)),
            "{frame}"
        );
        frame
    }

    /// No text frame comes for this long.
    pub(super) async fn silent(&mut self, time: Duration) {
        if let Ok(Some(frame)) = tokio::time::timeout(time, self.try_read()).await {
            panic!("unexpected {frame}");
        }
    }

    pub(super) async fn send(&mut self, frame: Value) {
        self.socket
            .send(Message::text(frame.to_string()))
            .await
            .unwrap();
    }

    /// Goes in good order, as a daemon does that was stopped.
    pub(super) async fn farewell(&mut self) {
        let frame = CloseFrame {
            code: CloseCode::Away,
            reason: "the daemon is shutting down".into(),
        };
        self.socket.close(Some(frame)).await.unwrap();
    }

    pub(super) async fn acknowledge(&mut self, id: &str) {
        self.send(
            json!({"op": "call_tool_ack", "request_id": id, "accepted": true,
                         "timeout": 600.0, "name": "tool"}),
        )
        .await;
    }

    pub(super) async fn progress(&mut self, id: &str, stage: &str) {
        self.send(
            json!({"op": "progress", "request_id": id, "name": "tool", "t": 1.0,
                         "seq": 1, "stage": stage}),
        )
        .await;
    }

    pub(super) async fn finish(&mut self, id: &str) {
        self.send(json!({"op": "call_tool_res", "request_id": id,
                         "outputs": [{"type": "text", "text": "done"}]}))
            .await;
    }

    /// Is asked for so many calls, in any order, and knows none of them.
    pub(super) async fn knows_none(&mut self, of: usize) {
        for _ in 0..of {
            let asked = self.read().await;
            assert_eq!(asked["op"], "attach", "{asked}");
            let id = asked["request_id"].as_str().unwrap();
            self.attach_state(id, "unknown").await;
        }
    }

    /// Is asked for this call, and its journal of this name does not have it.
    pub(super) async fn is_asked_and_has_none(&mut self, id: &str, journal: Option<&str>) {
        self.expect("attach", id).await;
        let mut answer = json!({"op": "attach_res", "request_id": id, "state": "unknown"});
        if let Some(journal) = journal {
            answer["journal"] = json!(journal);
        }
        self.send(answer).await;
    }

    pub(super) async fn attach_state(&mut self, id: &str, state: &str) {
        self.send(json!({"op": "attach_res", "request_id": id, "state": state}))
            .await;
    }
}

/// Everything up to the end, which must be the last thing.
pub(super) async fn end(stream: &mut CallStream) -> CallToolRes {
    let mut result = None;
    while let Some(event) = stream.next().await {
        assert!(result.is_none(), "something came after the end");
        if let CallEvent::Finished(finished) = event {
            result = Some(finished);
        }
    }
    result.expect("an end")
}

pub(super) async fn failure(stream: &mut CallStream) -> (Code, String) {
    let error = end(stream).await.error.expect("a failure");
    (error.code, error.message)
}

/// Waits for the first event of a call.
pub(super) async fn first(stream: &mut CallStream) -> CallEvent {
    stream.next().await.expect("an event")
}
