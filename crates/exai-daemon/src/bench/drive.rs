//! The client that drives both: raw frames, one call at a time in each session, no help from
//! our own client library, whose cost is not the question here.

use anyhow::{Context as _, Result, bail, ensure};
use exai_client::{Asked, Credential, Target, connect_tcp};
use exai_protocol::{
    ClientId, Secret,
    hello::{ClientInfo, Hello},
    version,
};
use futures_util::{SinkExt, StreamExt};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    net::TcpStream,
    sync::{Barrier, Semaphore},
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{Message, Utf8Bytes, protocol::WebSocketConfig},
};
use tokio_util::task::TaskTracker;

/// Handshakes at once: a crowd at the door is another test.
const ARRIVING: usize = 64;
/// A session that takes longer has lost a call.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is called, where nothing else is said.
const AT_ONCE: &str = "version";

/// Who is measured.
#[derive(Clone)]
pub(super) struct Peer {
    target: Arc<Target>,
    features: bool,
    tool: &'static str,
}

impl Peer {
    /// Over TCP, as the echo server is.
    pub(super) fn daemon(mut target: Target) -> Self {
        target.socket = None;
        Self {
            target: Arc::new(target),
            features: true,
            tool: AT_ONCE,
        }
    }

    /// The same, asked for another tool.
    pub(super) fn calling(&self, tool: &'static str) -> Self {
        Self {
            tool,
            ..self.clone()
        }
    }

    pub(super) fn echo(target: Target) -> Self {
        Self {
            target: Arc::new(target),
            features: false,
            tool: AT_ONCE,
        }
    }
}

/// How hard.
#[derive(Debug, Clone, Copy)]
pub(super) struct Load {
    pub(super) sessions: usize,
    /// Of each session, measured.
    pub(super) calls: usize,
    /// Of each session, before.
    pub(super) warm_up: usize,
}

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Run {
    pub(super) latencies: Vec<Duration>,
    pub(super) elapsed: Duration,
    pub(super) errors: u64,
    pub(super) first_error: Option<String>,
}

impl Run {
    pub(super) fn add(&mut self, other: Self) {
        self.latencies.extend(other.latencies);
        self.elapsed += other.elapsed;
        self.errors += other.errors;
        self.first_error = self.first_error.take().or(other.first_error);
    }

    fn failed(&mut self, error: &anyhow::Error) {
        self.errors += 1;
        self.first_error.get_or_insert_with(|| format!("{error:#}"));
    }

    /// Calls a second, over all sessions.
    pub(super) fn rate(&self) -> Option<f64> {
        let seconds = self.elapsed.as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52 calls")]
        let calls = self.latencies.len() as f64;
        (calls > 0.0 && seconds > 0.0).then(|| calls / seconds)
    }
}

/// Drives a peer: all sessions are there before the first call is measured.
pub(super) async fn run(peer: &Peer, load: Load) -> Run {
    let door = Arc::new(Semaphore::new(ARRIVING));
    let ready = Arc::new(Barrier::new(load.sessions + 1));
    let tasks = TaskTracker::new();
    let sessions: Vec<_> = (0..load.sessions)
        .map(|number| {
            tasks.spawn(session(
                peer.clone(),
                number,
                load,
                Arc::clone(&door),
                Arc::clone(&ready),
            ))
        })
        .collect();
    ready.wait().await;
    let began = Instant::now();
    let mut run = Run::default();
    for ended in sessions {
        match ended.await {
            Ok(part) => run.add(part),
            Err(error) => run.failed(&error.into()),
        }
    }
    run.elapsed = began.elapsed();
    run
}

async fn session(
    peer: Peer,
    number: usize,
    load: Load,
    door: Arc<Semaphore>,
    ready: Arc<Barrier>,
) -> Run {
    let mut run = Run::default();
    let mut line = {
        let _place = door.acquire().await;
        let mut line = Line::open(&peer, number).await;
        for call in 0..load.warm_up {
            let Ok(open) = &mut line else { break };
            if let Err(error) = open.call(number, call).await {
                line = Err(error);
            }
        }
        line
    };
    // Also those that failed come here, or the others would wait for ever.
    ready.wait().await;
    match &mut line {
        Err(error) => run.failed(error),
        Ok(line) => {
            run.latencies.reserve_exact(load.calls);
            let calls = async {
                for call in load.warm_up..load.warm_up + load.calls {
                    run.latencies.push(line.call(number, call).await?);
                }
                Ok::<(), anyhow::Error>(())
            };
            // One timer a session, not one a call: the client is in every number.
            let ended = timeout(PATIENCE, calls).await;
            if let Err(error) = ended.map_err(Into::into).and_then(|ended| ended) {
                run.failed(&error);
            }
        }
    }
    run
}

/// Sessions that are open and do nothing.
pub(super) struct Attached {
    pub(super) errors: u64,
    lines: Vec<Line>,
}

/// Opens sessions and keeps them.
pub(super) async fn attach(peer: &Peer, count: usize) -> Attached {
    let mut attached = Attached {
        errors: 0,
        lines: Vec::with_capacity(count),
    };
    for number in 0..count {
        match Line::open(peer, number).await {
            Ok(line) => attached.lines.push(line),
            Err(_) => attached.errors += 1,
        }
    }
    attached
}

/// A real result frame, for the echo server to be as long.
pub(super) async fn sample(peer: &Peer) -> Result<String> {
    let mut line = Line::open(peer, 0).await?;
    line.send(request(peer.tool, 0, usize::MAX)).await?;
    Ok(line.result().await?.to_string())
}

pub(super) struct Line {
    socket: WebSocketStream<TcpStream>,
    tool: &'static str,
}

impl Line {
    pub(super) async fn open(peer: &Peer, number: usize) -> Result<Self> {
        let stream = connect_tcp(&peer.target).await?;
        let url = format!("ws://{}/", peer.target.authority());
        let (socket, _) = timeout(
            PATIENCE,
            client_async_with_config(url, stream, Some(small_buffers())),
        )
        .await??;
        let tool = peer.tool;
        let mut line = Self { socket, tool };
        let features = if peer.features {
            &version::FEATURES[..]
        } else {
            &[]
        };
        let proof = line.prove(&peer.target).await?;
        let hello = Hello {
            session_id: None,
            token: Secret::new(""),
            proof,
            protocol: Some(version::PROTOCOL.to_owned()),
            features: features
                .iter()
                .map(|feature| (*feature).to_owned())
                .collect(),
            client: ClientInfo {
                id: Some(ClientId::new(format!("bench-{number}"))),
                name: "exai-bench".to_owned(),
                ..ClientInfo::default()
            },
        };
        line.send(Utf8Bytes::from(hello.encode())).await?;
        let ack = line.text().await?;
        ensure!(
            ack.contains(r#""ok":true"#),
            "the handshake was refused: {ack}"
        );
        Ok(line)
    }

    /// The daemon's proof and ours; the echo server is asked for none.
    async fn prove(&mut self, target: &Target) -> Result<Option<String>> {
        if target.credential() != Credential::Proof {
            return Ok(None);
        }
        let asked = Asked::new().map_err(anyhow::Error::msg)?;
        self.send(Utf8Bytes::from(asked.frame())).await?;
        let answer = self.text().await?;
        match asked.judge(&answer, &target.token) {
            Ok(proof) => Ok(Some(proof)),
            Err(stranger) => bail!("not the daemon that was started: {stranger:?}"),
        }
    }

    async fn call(&mut self, session: usize, call: usize) -> Result<Duration> {
        let request = request(self.tool, session, call);
        let began = Instant::now();
        self.send(request).await?;
        let result = self.result().await?;
        let took = began.elapsed();
        // Outputs hold escaped quotes only, so this can be nothing but the field.
        ensure!(!result.contains(r#""error":{"#), "a call failed: {result}");
        Ok(took)
    }

    pub(super) async fn send(&mut self, text: Utf8Bytes) -> Result<()> {
        Ok(self.socket.send(Message::Text(text)).await?)
    }

    /// The terminal frame; what comes before it is passed over.
    async fn result(&mut self) -> Result<Utf8Bytes> {
        loop {
            let text = self.text().await?;
            if text.starts_with(r#"{"op":"call_tool_res""#) {
                return Ok(text);
            }
            ensure!(
                !text.starts_with(r#"{"op":"error""#),
                "the daemon refused a frame: {text}"
            );
        }
    }

    pub(super) async fn text(&mut self) -> Result<Utf8Bytes> {
        loop {
            let message = self.socket.next().await;
            match message.context("the connection was closed")?? {
                Message::Text(text) => return Ok(text),
                Message::Close(frame) => bail!("the connection was closed: {frame:?}"),
                _ => {}
            }
        }
    }
}

/// A thousand sessions must not be a thousand times the library's 128 KiB.
fn small_buffers() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(4 * 1024)
        .write_buffer_size(32 * 1024)
}

fn request(tool: &str, session: usize, call: usize) -> Utf8Bytes {
    Utf8Bytes::from(format!(
        r#"{{"op":"call_tool","request_id":"b-{}-{session}-{call}","name":"{tool}","arguments":{{}}}}"#,
        nonce()
    ))
}

/// Rounds follow each other in one process; an id must never come back.
fn nonce() -> u64 {
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::echo::here;

    #[tokio::test]
    async fn the_client_drives_the_bare_server() {
        let reply = r#"{"op":"call_tool_res","request_id":"x","outputs":[]}"#;
        let echo = here(reply).await;
        let run = run(
            &echo,
            Load {
                sessions: 3,
                calls: 5,
                warm_up: 2,
            },
        )
        .await;
        assert_eq!(
            (run.latencies.len(), run.errors),
            (15, 0),
            "{:?}",
            run.first_error
        );
        assert!(run.rate().is_some_and(|rate| rate > 0.0));
        assert_eq!(sample(&echo).await.unwrap(), reply);
    }

    #[tokio::test]
    async fn failures_are_counted_and_nobody_waits_for_ever() {
        let failing = r#"{"op":"call_tool_res","request_id":"x","error":{"code":"INTERNAL"}}"#;
        let echo = here(failing).await;
        let run = run(
            &echo,
            Load {
                sessions: 2,
                calls: 5,
                warm_up: 0,
            },
        )
        .await;
        assert_eq!((run.latencies.len(), run.errors), (0, 2));
        assert!(
            run.first_error
                .is_some_and(|error| error.contains("INTERNAL"))
        );
        let mut gone = echo;
        let target = Arc::make_mut(&mut gone.target);
        target.port = 1;
        let run = super::run(
            &gone,
            Load {
                sessions: 2,
                calls: 1,
                warm_up: 1,
            },
        )
        .await;
        assert_eq!(run.errors, 2);
    }

    #[test]
    fn no_id_comes_twice() {
        assert_ne!(request("t", 1, 1), request("t", 1, 1));
    }
}
