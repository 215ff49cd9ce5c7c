//! A client that repairs nothing: HTTP and events decoded by hand.

use crate::provider::{Dialect, Provider};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

pub(super) fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// The terminating chunk, the promised length, or a close where that is the end.
    Whole,
    /// Closed too early.
    Short,
    /// Reset.
    Reset,
}

#[derive(Debug)]
pub(super) struct Heard {
    pub(super) status: u16,
    pub(super) head: String,
    /// As framed by HTTP; one chunk where there is no framing.
    pub(super) chunks: Vec<Vec<u8>>,
    pub(super) ended: Ended,
    pub(super) asked_at: Instant,
    pub(super) head_at: Instant,
    pub(super) chunks_at: Vec<Instant>,
}

impl Heard {
    pub(super) fn bytes(&self) -> Vec<u8> {
        self.chunks.concat()
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8(self.bytes()).unwrap()
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes()).unwrap()
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (known, value) = line.split_once(':')?;
            known.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// Events as (name, data), whatever the line ends are; comments are dropped.
    pub(super) fn sse(&self) -> Vec<(String, String)> {
        let text = self.text().replace("\r\n", "\n").replace('\r', "\n");
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text).to_owned();
        let mut events = Vec::new();
        for block in text.split("\n\n") {
            let field = |name: &str| -> Vec<String> {
                let lines = block.lines();
                lines
                    .filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
                    .map(str::to_owned)
                    .collect()
            };
            if block.contains("data:") {
                events.push((field("event").concat(), field("data").join("\n")));
            }
        }
        events
    }

    /// Every payload that is JSON, in either framing.
    pub(super) fn payloads(&self) -> Vec<Value> {
        let payloads: Vec<String> = match self.header("content-type") {
            Some(kind) if kind.starts_with("text/event-stream") => {
                self.sse().into_iter().map(|(_, data)| data).collect()
            }
            _ => self.text().lines().map(str::to_owned).collect(),
        };
        let parsed = payloads.iter();
        parsed
            .filter_map(|payload| serde_json::from_str(payload).ok())
            .collect()
    }
}

/// A connection of the client's.
pub(super) struct Line {
    stream: TcpStream,
    pending: Vec<u8>,
    broken: bool,
}

impl Line {
    pub(super) async fn to(provider: &Provider) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", provider.port()));
        Self {
            stream: stream.await.unwrap(),
            pending: Vec::new(),
            broken: false,
        }
    }

    pub(super) async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    pub(super) async fn request(&mut self, head: &str, body: &[u8]) -> Heard {
        let length = body.len();
        let head = format!("{head}\r\nhost: provider\r\ncontent-length: {length}\r\n\r\n");
        self.send(&[head.as_bytes(), body].concat()).await;
        self.hear().await
    }

    pub(super) async fn hear(&mut self) -> Heard {
        let asked_at = Instant::now();
        timeout(crate::PATIENCE, self.answer(asked_at))
            .await
            .unwrap()
    }

    async fn answer(&mut self, asked_at: Instant) -> Heard {
        let mut head = String::new();
        while let Some(line) = self.line().await.filter(|line| !line.is_empty()) {
            head.push_str(&line);
            head.push('\n');
        }
        let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
        let mut heard = Heard {
            status: status.unwrap_or(0),
            head,
            chunks: Vec::new(),
            ended: Ended::Short,
            asked_at,
            head_at: Instant::now(),
            chunks_at: Vec::new(),
        };
        let length = heard.header("content-length").map(|n| n.parse().unwrap());
        let whole = match length {
            _ if status.is_none() => false,
            _ if status == Some(100) => true,
            Some(length) => self.known(&mut heard, length).await,
            None if heard.header("transfer-encoding").is_some() => self.chunked(&mut heard).await,
            None => self.known(&mut heard, usize::MAX).await || !self.broken,
        };
        heard.ended = match (whole, self.broken) {
            (true, _) => Ended::Whole,
            (false, true) => Ended::Reset,
            (false, false) => Ended::Short,
        };
        heard
    }

    async fn known(&mut self, heard: &mut Heard, length: usize) -> bool {
        while self.pending.len() < length && self.more().await {}
        let rest = self.pending.split_off(length.min(self.pending.len()));
        let body = std::mem::replace(&mut self.pending, rest);
        let whole = body.len() == length;
        heard.chunks.push(body);
        heard.chunks_at.push(Instant::now());
        whole
    }

    async fn chunked(&mut self, heard: &mut Heard) -> bool {
        while let Some(size) = self.line().await {
            let size = usize::from_str_radix(&size, 16).unwrap();
            if size == 0 {
                return self.line().await.as_deref() == Some("");
            }
            if !self.known(heard, size).await {
                return false;
            }
            assert_eq!(self.line().await.as_deref(), Some(""), "after a chunk");
        }
        false
    }

    async fn line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.pending.windows(2).position(|two| two == b"\r\n") {
                let rest = self.pending.split_off(end + 2);
                let line = std::mem::replace(&mut self.pending, rest);
                return Some(String::from_utf8(line[..end].to_vec()).unwrap());
            }
            if !self.more().await {
                return None;
            }
        }
    }

    pub(super) async fn more(&mut self) -> bool {
        match self.stream.read_buf(&mut self.pending).await {
            Ok(read) => read > 0,
            Err(_) => {
                self.broken = true;
                false
            }
        }
    }

    pub(super) fn pending(&self) -> &[u8] {
        &self.pending
    }
}

/// A model call, as each dialect writes it.
pub(super) async fn ask(provider: &Provider, dialect: Dialect, stream: bool) -> Heard {
    let mut line = Line::to(provider).await;
    call(&mut line, provider, dialect, stream).await
}

pub(super) async fn call(
    line: &mut Line,
    provider: &Provider,
    dialect: Dialect,
    stream: bool,
) -> Heard {
    let (head, body) = written(provider, dialect, stream);
    line.request(&head, body.as_bytes()).await
}

/// The head without its length, and the body.
pub(super) fn written(provider: &Provider, dialect: Dialect, stream: bool) -> (String, String) {
    let base = provider.url(dialect);
    let base = base.splitn(4, '/').nth(3).unwrap_or_default();
    let slash = if base.is_empty() { "" } else { "/" };
    let head = format!(
        "POST {slash}{base}{} HTTP/1.1\r\ncontent-type: application/json",
        dialect.path("m-1", stream)
    );
    let body = json!({
        "model": "m-1",
        "stream": stream,
        "stream_options": {"include_usage": true},
    });
    (head, body.to_string())
}

pub(super) async fn get(provider: &Provider, path: &str, headers: &str) -> Heard {
    let mut line = Line::to(provider).await;
    let head = format!("GET {path} HTTP/1.1\r\n{headers}host: provider\r\n\r\n");
    line.send(head.as_bytes()).await;
    line.hear().await
}

pub(super) async fn send_json(provider: &Provider, verb: &str, path: &str, body: Value) -> Heard {
    let mut line = Line::to(provider).await;
    let head = format!("{verb} {path} HTTP/1.1");
    line.request(&head, body.to_string().as_bytes()).await
}
