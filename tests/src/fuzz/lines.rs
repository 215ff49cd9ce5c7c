//! Lines from an MCP client, as the shim reads them. What is promised of any bytes in any
//! pieces: the same lines, none longer than the limit, each with one verdict, and a refusal
//! under the id that the client would recognise.

use exai_protocol::object::RawObject;
use exai_shim::{
    envelope::{self, Incoming},
    stdin::{Line, Lines},
};
use serde_json::Value;
use std::{
    io,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};
use tokio::io::{AsyncRead, ReadBuf};

/// Small, so that short inputs reach it.
const LIMIT: usize = 256;

/// Any bytes, first whole, then in pieces.
pub fn lines(data: &[u8]) {
    let whole = read(data, data.len().max(1));
    for piece in [1, 7, LIMIT] {
        assert_eq!(read(data, piece), whole, "pieces of {piece}");
    }
    for line in &whole {
        match line {
            Line::Text(text) => {
                assert!(!text.is_empty() && text.len() <= LIMIT && !text.contains(&b'\n'));
                verdict(text);
            }
            Line::Oversize(_) => assert!(data.len() >= LIMIT),
        }
    }
}

fn read(data: &[u8], piece: usize) -> Vec<Line> {
    let mut lines = Lines::new(Pieces { left: data, piece }, LIMIT);
    let mut found = Vec::new();
    loop {
        let next = pin!(lines.next());
        match next.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(Some(line))) => found.push(line),
            Poll::Ready(Ok(None)) => return found,
            Poll::Ready(Err(error)) => panic!("a slice cannot fail: {error}"),
            Poll::Pending => panic!("a slice never waits"),
        }
    }
}

/// Hands its bytes out in pieces of one size.
struct Pieces<'a> {
    left: &'a [u8],
    piece: usize,
}

impl AsyncRead for Pieces<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let length = self.piece.min(self.left.len()).min(buffer.remaining());
        let (now, later) = self.left.split_at(length);
        buffer.put_slice(now);
        self.left = later;
        Poll::Ready(Ok(()))
    }
}

fn verdict(line: &[u8]) {
    match envelope::read(line) {
        Incoming::Call(call) => {
            assert!(!call.name.is_empty());
            assert!(
                call.arguments
                    .is_none_or(|arguments| arguments.get().starts_with('{'))
            );
        }
        Incoming::Task(ask) => assert!(!ask.task.is_empty()),
        Incoming::Forward(asked) => {
            assert!(!asked.method.is_empty());
            assert!(
                asked
                    .params
                    .is_none_or(|params| params.get().starts_with('{'))
            );
        }
        Incoming::Refused(refusal) => {
            assert!(!refusal.message.is_empty());
            assert!(
                (-32_768..-31_999).contains(&refusal.code.0),
                "{}",
                refusal.code.0
            );
            // With two ids nobody can say which one the client meant.
            let one_of_each =
                std::str::from_utf8(line).is_ok_and(|text| RawObject::parse(text).is_ok());
            let sent = serde_json::from_slice::<Value>(line)
                .ok()
                .filter(|_| one_of_each);
            let answered = refusal
                .id_json()
                .and_then(|id| serde_json::from_slice(&id).ok());
            if let (Some(Value::Object(sent)), Some(answered)) = (sent, answered) {
                let line = String::from_utf8_lossy(line);
                assert!(
                    sent.get("id").is_some_and(|id| same(id, &answered)),
                    "{line}"
                );
            }
        }
        Incoming::Ignored(why) => assert!(!why.is_empty()),
        Incoming::Message(_) | Incoming::Cancelled { .. } => {
            assert!(serde_json::from_slice::<serde::de::IgnoredAny>(line).is_ok());
        }
    }
}

/// To a client `1.0` and `1` are one id.
fn same(left: &Value, right: &Value) -> bool {
    left == right || (left.is_number() && left.as_f64() == right.as_f64())
}
