//! The bare twin: a client that asks the model server itself over kept connections, with
//! nothing but a socket between them.

use super::{
    Streams,
    server::{Wish, lags},
};
use anyhow::{Result, ensure};
use std::time::{Duration, Instant};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_util::task::TaskTracker;

/// Enough that the end of the answer is not the first delta's business.
const SHORT: Wish = Wish {
    deltas: 2,
    every: Duration::from_millis(1),
};

/// How long until the first delta, call after call.
pub(super) async fn first_deltas(port: u16, calls: usize) -> Result<Vec<Duration>> {
    let mut line = Line::open(port).await?;
    let mut took = Vec::with_capacity(calls);
    for _ in 0..calls {
        let began = Instant::now();
        line.ask(SHORT).await?;
        while !line.has_delta() {
            line.more().await?;
        }
        took.push(began.elapsed());
        line.rest().await?;
    }
    Ok(took)
}

/// So many streams side by side.
pub(super) async fn streams(port: u16, count: usize, wish: Wish) -> Streams {
    let tasks = TaskTracker::new();
    let all: Vec<_> = (0..count).map(|_| tasks.spawn(one(port, wish))).collect();
    let mut streams = Streams::default();
    for one in all {
        let ended = one.await.unwrap_or_else(|error| Err(error.into()));
        streams.add(ended, wish.deltas as usize);
    }
    streams
}

async fn one(port: u16, wish: Wish) -> Result<Vec<Duration>> {
    let mut line = Line::open(port).await?;
    line.ask(wish).await?;
    let mut found = Vec::new();
    let mut read = 0;
    while !line.is_over() {
        line.more().await?;
        read = line.lags_from(read, &mut found);
    }
    Ok(found)
}

struct Line {
    stream: TcpStream,
    /// Of the answer under way, as it came.
    heard: String,
}

impl Line {
    async fn open(port: u16) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        let heard = String::new();
        Ok(Self { stream, heard })
    }

    async fn ask(&mut self, wish: Wish) -> Result<()> {
        self.heard.clear();
        let body = serde_json::json!({
            "model": wish.model(),
            "stream": true,
            "stream_options": { "include_usage": true },
            "max_tokens": 4096,
            "messages": [{ "role": "user", "content": "Say something." }],
        })
        .to_string();
        let request = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        Ok(self.stream.write_all(request.as_bytes()).await?)
    }

    async fn more(&mut self) -> Result<()> {
        let mut bytes = [0; 16 * 1024];
        let read = self.stream.read(&mut bytes).await?;
        ensure!(read > 0, "the server closed");
        // The server writes ASCII, so no character is cut in two.
        self.heard
            .push_str(&String::from_utf8_lossy(&bytes[..read]));
        Ok(())
    }

    fn has_delta(&self) -> bool {
        self.heard.contains(r#"{"content":""#)
    }

    fn is_over(&self) -> bool {
        self.heard.ends_with("0\r\n\r\n")
    }

    async fn rest(&mut self) -> Result<()> {
        while !self.is_over() {
            self.more().await?;
        }
        Ok(())
    }

    /// Notes the deltas from this place on that came whole; gives where to go on.
    fn lags_from(&self, from: usize, found: &mut Vec<Duration>) -> usize {
        let mut at = from;
        while let Some(begin) = self.heard[at..].find(r#"{"content":""#) {
            let begin = at + begin + r#"{"content":""#.len();
            let Some(end) = self.heard[begin..].find('"') else {
                break;
            };
            lags(&self.heard[begin..begin + end], found);
            at = begin + end;
        }
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::models::server;
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn the_bare_client_reads_the_bare_server() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        TaskTracker::new().spawn(server::serve(listener));
        assert_eq!(first_deltas(port, 3).await.unwrap().len(), 3);
        let wish = Wish {
            deltas: 20,
            every: Duration::from_millis(2),
        };
        let streams = streams(port, 4, wish).await;
        assert_eq!((streams.lags.len(), streams.first_error), (80, None));
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_is_an_error() {
        assert!(first_deltas(1, 1).await.is_err());
        let wish = SHORT;
        assert_eq!(streams(1, 2, wish).await.lagging, 2);
    }
}
