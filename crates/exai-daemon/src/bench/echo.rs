//! The bare twin: tokio-tungstenite and nothing else, on a runtime of its own, answering every
//! message with one of the size of a real result.

use super::drive::Peer;
use anyhow::{Context, Result};
use exai_client::Target;
use exai_protocol::Secret;
use futures_util::{SinkExt, StreamExt};
use tokio::{net::TcpListener, runtime::Runtime};
use tokio_tungstenite::{
    accept_async,
    tungstenite::{Message, Utf8Bytes},
};
use tokio_util::task::TaskTracker;

/// A running echo server; ends with this value.
pub(super) struct Echo {
    pub(super) peer: Peer,
    runtime: Option<Runtime>,
}

impl Echo {
    /// Starts it; it answers with `reply`.
    pub(super) fn start(reply: &str) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(std::thread::available_parallelism().map_or(2, |n| n.get().clamp(2, 4)))
            .enable_all()
            .build()
            .context("cannot start the echo server's runtime")?;
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        let tasks = TaskTracker::new();
        let reply = Utf8Bytes::from(reply);
        tasks
            .clone()
            .spawn_on(serve(listener, reply, tasks), runtime.handle());
        let target = Target {
            host: "127.0.0.1".to_owned(),
            port,
            host_header: None,
            token: Secret::new(""),
        };
        Ok(Self {
            peer: Peer::echo(target),
            runtime: Some(runtime),
        })
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        // Not waited for: this may be dropped inside another runtime.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn serve(listener: std::net::TcpListener, reply: Utf8Bytes, tasks: TaskTracker) {
    let Ok(listener) = TcpListener::from_std(listener) else {
        return;
    };
    while let Ok((stream, _)) = listener.accept().await {
        let reply = reply.clone();
        tasks.spawn(async move {
            // Whatever goes wrong, the client counts it.
            stream.set_nodelay(true).ok()?;
            let mut socket = accept_async(stream).await.ok()?;
            let hello = socket.next().await?.ok()?;
            drop(hello);
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
        });
    }
}
