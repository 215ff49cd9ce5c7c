//! Lines from the MCP client, before anything is parsed. A line over the limit is thrown away
//! while it arrives, in constant memory; only its id is kept, so that it can be answered.

use crate::id_scan::IdScan;
use bytes::{Bytes, BytesMut};
use rmcp::model::RequestId;
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt};

/// Read at once.
const CHUNK: usize = 16 * 1024;
/// A buffer larger than this is given back once it is empty.
const KEEP: usize = 64 * 1024;

/// One line.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    /// Without its end, never empty.
    Text(Bytes),
    /// Longer than the limit, with its id where it had one.
    Oversize(Option<RequestId>),
}

/// The lines of an input.
pub struct Lines<R> {
    input: R,
    buffer: BytesMut,
    /// Bytes of the buffer that hold no line end.
    searched: usize,
    limit: usize,
    /// The present line is over the limit.
    discarding: Option<IdScan>,
    ended: bool,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    /// Lines of at most `limit` bytes.
    pub fn new(input: R, limit: usize) -> Self {
        let buffer = BytesMut::new();
        Self {
            input,
            buffer,
            searched: 0,
            limit,
            discarding: None,
            ended: false,
        }
    }

    /// The next line; `None` at the end of the input. Cancel-safe.
    ///
    /// # Errors
    /// What reading says.
    pub async fn next(&mut self) -> io::Result<Option<Line>> {
        loop {
            if let Some(line) = self.take() {
                return Ok(Some(line));
            }
            if self.ended {
                return Ok(None);
            }
            if self.buffer.is_empty() && self.buffer.capacity() > KEEP {
                self.buffer = BytesMut::new();
            }
            self.buffer.reserve(CHUNK);
            self.ended = self.input.read_buf(&mut self.buffer).await? == 0;
        }
    }

    /// A line that is complete, or known to be too long.
    fn take(&mut self) -> Option<Line> {
        loop {
            let fresh = &self.buffer[self.searched..];
            let Some(at) = fresh.iter().position(|&byte| byte == b'\n') else {
                break;
            };
            let raw = self.buffer.split_to(self.searched + at + 1);
            self.searched = 0;
            if let Some(line) = self.complete(&raw[..raw.len() - 1], raw.len() > self.limit) {
                return Some(line);
            }
        }
        if self.ended && !(self.buffer.is_empty() && self.discarding.is_none()) {
            // The last line needs no line end.
            let raw = self.buffer.split();
            self.searched = 0;
            return self.complete(&raw, raw.len() > self.limit);
        }
        self.searched = self.buffer.len();
        if self.discarding.is_some() || self.searched > self.limit {
            let scan = self.discarding.get_or_insert_default();
            scan.feed(&self.buffer);
            self.buffer.clear();
            self.searched = 0;
        }
        None
    }

    fn complete(&mut self, raw: &[u8], oversize: bool) -> Option<Line> {
        if oversize || self.discarding.is_some() {
            let mut scan = self.discarding.take().unwrap_or_default();
            scan.feed(raw);
            return Some(Line::Oversize(scan.id()));
        }
        let text = raw
            .strip_prefix(b"\xef\xbb\xbf")
            .unwrap_or(raw)
            .trim_ascii();
        (!text.is_empty()).then(|| Line::Text(Bytes::copy_from_slice(text)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A source that hands its bytes out in pieces of one size.
    struct Pieces(Vec<u8>, usize, usize);

    impl AsyncRead for Pieces {
        fn poll_read(
            mut self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
            buf: &mut tokio::io::ReadBuf<'_>,
        ) -> std::task::Poll<io::Result<()>> {
            let end = (self.1 + self.2)
                .min(self.0.len())
                .min(self.1 + buf.remaining());
            buf.put_slice(&self.0[self.1..end]);
            self.1 = end;
            std::task::Poll::Ready(Ok(()))
        }
    }

    async fn all(input: &[u8], piece: usize, limit: usize) -> Vec<Line> {
        let mut lines = Lines::new(Pieces(input.to_vec(), 0, piece), limit);
        let mut found = Vec::new();
        while let Some(line) = lines.next().await.unwrap() {
            found.push(line);
        }
        found
    }

    fn text(text: &str) -> Line {
        Line::Text(Bytes::copy_from_slice(text.as_bytes()))
    }

    #[tokio::test]
    async fn p25_line_ends_blank_lines_and_marks_are_tolerated_at_every_cut() {
        let input = "\u{feff}{\"a\":1}\r\n\n  \r\n{\"b\":2}\n\u{feff}{\"ü\":3}".as_bytes();
        for piece in 1..input.len() {
            let found = all(input, piece, 1024).await;
            assert_eq!(
                found,
                [text("{\"a\":1}"), text("{\"b\":2}"), text("{\"ü\":3}")],
                "{piece}"
            );
        }
    }

    #[tokio::test]
    async fn r07_a_long_line_costs_nothing_and_its_id_is_found() {
        let long = "x".repeat(5000);
        let input = format!(
            "{{\"method\":\"m\",\"params\":{{\"id\":1,\"t\":\"{long}\"}},\"id\":7}}\n{{\"ok\":1}}\n"
        );
        for piece in [1, 7, 100, 4096, 100_000] {
            let found = all(input.as_bytes(), piece, 1000).await;
            let expected = [
                Line::Oversize(Some(RequestId::Number(7))),
                text("{\"ok\":1}"),
            ];
            assert_eq!(found, expected, "{piece}");
        }
        let found = all(long.as_bytes(), 100, 1000).await;
        assert_eq!(found, [Line::Oversize(None)]);
    }

    #[tokio::test]
    async fn r07_the_buffer_never_holds_more_than_the_limit_and_is_given_back() {
        let mut input = vec![b'['; 3_000_000];
        input.push(b'\n');
        let mut lines = Lines::new(Pieces(input, 0, 10_000), 100_000);
        assert_eq!(lines.next().await.unwrap(), Some(Line::Oversize(None)));
        assert!(
            lines.buffer.capacity() <= 300_000,
            "{}",
            lines.buffer.capacity()
        );
        assert_eq!(lines.next().await.unwrap(), None);
        assert!(
            lines.buffer.capacity() <= KEEP,
            "{}",
            lines.buffer.capacity()
        );
    }

    #[tokio::test]
    async fn a_line_of_exactly_the_limit_is_taken() {
        let line = "y".repeat(99);
        let found = all(format!("{line}\n").as_bytes(), 13, 100).await;
        assert_eq!(found, [text(&line)]);
    }
}
