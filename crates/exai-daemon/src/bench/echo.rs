//! The bare twin: tokio-tungstenite and nothing else, answering every message with one of the
//! size of a real result. A process of its own with the daemon's socket settings, so that it
//! is as fast as such a server can be here.

use super::{daemon::clean, drive::Peer};
use crate::lifecycle::spawn;
use anyhow::{Context as _, Result};
use exai_client::Target;
use exai_protocol::Secret;
use futures_util::{SinkExt, StreamExt};
use std::{path::Path, process::Stdio, time::Duration};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    process::Child,
    time::timeout,
};
use tokio_tungstenite::{
    accept_async_with_config,
    tungstenite::{Message, Utf8Bytes, protocol::WebSocketConfig},
};
use tokio_util::task::TaskTracker;

const PATIENCE: Duration = Duration::from_secs(20);

/// A running echo server; ends with this value.
pub(super) struct Echo {
    pub(super) peer: Peer,
    _child: Child,
}

impl Echo {
    /// Starts it; it answers with `reply`.
    pub(super) async fn start(program: &Path, reply: &str) -> Result<Self> {
        let mut command = clean(spawn::command(program), Path::new("."));
        command.arg("bench-echo");
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = tokio::process::Command::from(command)
            .kill_on_drop(true)
            .spawn()?;
        let mut stdin = child.stdin.take().context("the echo server has no input")?;
        stdin.write_all(format!("{reply}\n").as_bytes()).await?;
        let stdout = child
            .stdout
            .take()
            .context("the echo server has no output")?;
        let mut line = String::new();
        timeout(PATIENCE, BufReader::new(stdout).read_line(&mut line)).await??;
        let port = line
            .trim()
            .parse()
            .context("the echo server did not name its port")?;
        let target = Target {
            host: "127.0.0.1".to_owned(),
            port,
            host_header: None,
            socket: None,
            plain: true,
            token: Secret::new(""),
        };
        Ok(Self {
            peer: Peer::echo(target),
            _child: child,
        })
    }
}

/// The server process: reads its reply, names its port, answers until it is killed.
pub(crate) fn serve_until_killed(name_port: impl Fn(u16) -> Result<()>) -> Result<()> {
    let mut reply = String::new();
    std::io::stdin().read_line(&mut reply)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(std::thread::available_parallelism().map_or(2, |n| n.get().clamp(2, 4)))
        .enable_all()
        .build()
        .context("cannot start the echo server's runtime")?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        name_port(listener.local_addr()?.port())?;
        serve(listener, &Utf8Bytes::from(reply.trim_end())).await
    })
}

async fn serve(listener: TcpListener, reply: &Utf8Bytes) -> Result<()> {
    let sockets = TaskTracker::new();
    loop {
        let (stream, _) = listener.accept().await?;
        // Whatever goes wrong, the client counts it.
        sockets.spawn(echo(stream, reply.clone()));
    }
}

async fn echo(stream: TcpStream, reply: Utf8Bytes) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let config = WebSocketConfig::default()
        .read_buffer_size(4 * 1024)
        .write_buffer_size(32 * 1024);
    let mut socket = accept_async_with_config(stream, Some(config)).await.ok()?;
    socket.next().await?.ok()?;
    socket
        .send(Message::text(r#"{"op":"hello_ack","ok":true}"#))
        .await
        .ok()?;
    while let Some(Ok(message)) = socket.next().await {
        if message.is_text() {
            socket.send(Message::Text(reply.clone())).await.ok()?;
        }
    }
    Some(())
}

/// The same server in this process, for the tests of the client that drives it.
#[cfg(test)]
pub(super) async fn here(reply: &str) -> Peer {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let reply = Utf8Bytes::from(reply);
    TaskTracker::new().spawn(async move { serve(listener, &reply).await });
    Peer::echo(Target {
        host: "127.0.0.1".to_owned(),
        port,
        host_header: None,
        socket: None,
        plain: true,
        token: Secret::new(""),
    })
}
