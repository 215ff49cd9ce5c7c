//! The same through the daemon: a peer on the wire calls `chat` and reads what it streams.

use super::{
    Streams,
    server::{Wish, lags},
};
use crate::bench::drive::{Line, Peer};
use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio_tungstenite::tungstenite::Utf8Bytes;
use tokio_util::task::TaskTracker;

const SHORT: Wish = Wish {
    deltas: 2,
    every: Duration::from_millis(1),
};

/// `config/providers.toml` for the model server.
pub(super) fn providers(port: u16) -> String {
    format!(
        "[providers.bench]\ntitle = \"bench\"\ndialect = \"openai-chat\"\n\
         base_url = \"http://127.0.0.1:{port}/v1\"\nlimits = {{ concurrency = 256 }}\n"
    )
}

fn request(id: usize, wish: Wish) -> Utf8Bytes {
    let model = format!("{}@bench", wish.model());
    let frame = json!({
        "op": "call_tool", "request_id": format!("m-{id}"), "name": "chat",
        "arguments": { "prompt": "Say something.", "model": model },
    });
    Utf8Bytes::from(frame.to_string())
}

/// How long until the first delta, call after call.
pub(super) async fn first_deltas(peer: &Peer, calls: usize) -> Result<Vec<Duration>> {
    let mut line = Line::open(peer, 0).await?;
    let mut took = Vec::with_capacity(calls);
    for _ in 0..calls {
        let began = Instant::now();
        line.send(request(next(), SHORT)).await?;
        let mut first = None;
        loop {
            let frame = line.text().await?;
            if frame.starts_with(r#"{"op":"partial""#) {
                first.get_or_insert_with(|| began.elapsed());
            } else if is_end(&frame)? {
                break;
            }
        }
        took.push(first.context("an answer without a partial")?);
    }
    Ok(took)
}

/// So many streams side by side, each in a session of its own.
pub(super) async fn streams(peer: &Peer, count: usize, wish: Wish) -> Streams {
    let tasks = TaskTracker::new();
    let all: Vec<_> = (0..count)
        .map(|number| tasks.spawn(one(peer.clone(), number, wish)))
        .collect();
    let mut streams = Streams::default();
    for one in all {
        let ended = one.await.unwrap_or_else(|error| Err(error.into()));
        streams.add(ended, wish.deltas as usize);
    }
    streams
}

async fn one(peer: Peer, number: usize, wish: Wish) -> Result<Vec<Duration>> {
    let mut line = Line::open(&peer, number).await?;
    line.send(request(next(), wish)).await?;
    let mut found = Vec::new();
    loop {
        let frame = line.text().await?;
        if frame.starts_with(r#"{"op":"partial""#) {
            let frame: Value = serde_json::from_str(&frame)?;
            lags(frame["text"].as_str().unwrap_or_default(), &mut found);
        } else if is_end(&frame)? {
            return Ok(found);
        }
    }
}

fn is_end(frame: &str) -> Result<bool> {
    if frame.starts_with(r#"{"op":"error""#) {
        bail!("the daemon refused a frame: {frame}");
    }
    let end = frame.starts_with(r#"{"op":"call_tool_res""#);
    // Outputs hold escaped quotes only, so this can be nothing but the field.
    if end && frame.contains(r#""error":{"#) {
        bail!("a call failed: {frame}");
    }
    Ok(end)
}

/// An id must never come back.
fn next() -> usize {
    static NEXT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
    NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
}
