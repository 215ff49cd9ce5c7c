//! Reading requests off a connection, as far as HTTP/1.1 clients use it: a head, a body by
//! length or in chunks, `Expect: 100-continue`. Whatever arrives early is kept for the next.

use std::io;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// The first byte of a TLS handshake record.
const TLS_HANDSHAKE: u8 = 0x16;
const LONGEST_LINE: usize = 64 * 1024;
const MOST_HEADERS: usize = 200;
const LARGEST_BODY: usize = 128 * 1024 * 1024;

/// A request as it came.
#[derive(Debug)]
pub(super) struct Incoming {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Incoming {
    pub(super) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }
}

pub(super) fn find<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.as_str())
}

/// What came over a connection.
#[derive(Debug)]
pub(super) enum Heard {
    Request(Incoming),
    TlsHello,
    /// The other side is gone.
    End,
}

/// Bytes that have arrived and not been understood yet.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    pending: Vec<u8>,
}

impl Inbox {
    /// The next request.
    pub(super) async fn hear<S>(&mut self, stream: &mut S) -> io::Result<Heard>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        if self.pending.is_empty() && !self.more(stream).await? {
            return Ok(Heard::End);
        }
        if self.pending.first() == Some(&TLS_HANDSHAKE) {
            return Ok(Heard::TlsHello);
        }
        let first = self.line(stream).await?;
        let mut words = first.split(' ');
        let (Some(method), Some(target), Some(_), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(invalid(format!("'{first}' begins no request")));
        };
        let mut incoming = Incoming {
            method: method.to_owned(),
            target: target.to_owned(),
            headers: self.headers(stream).await?,
            body: Vec::new(),
        };
        incoming.body = self.body(stream, &incoming).await?;
        Ok(Heard::Request(incoming))
    }

    /// Waits until the other side is gone. What it sends meanwhile is kept, up to a bound.
    /// Closing only the sending half counts as gone: HTTP clients do not do that.
    pub(super) async fn until_gone<R: AsyncRead + Unpin>(&mut self, reader: &mut R) {
        loop {
            if self.pending.len() > LONGEST_LINE {
                return std::future::pending().await;
            }
            if !matches!(self.more(reader).await, Ok(true)) {
                return;
            }
        }
    }

    async fn headers<S>(&mut self, stream: &mut S) -> io::Result<Vec<(String, String)>>
    where
        S: AsyncRead + Unpin,
    {
        let mut headers = Vec::new();
        loop {
            let line = self.line(stream).await?;
            if line.is_empty() {
                return Ok(headers);
            }
            let Some((name, value)) = line.split_once(':') else {
                return Err(invalid(format!("'{line}' is no header")));
            };
            headers.push((name.to_owned(), value.trim().to_owned()));
            if headers.len() > MOST_HEADERS {
                return Err(invalid("too many headers"));
            }
        }
    }

    async fn body<S>(&mut self, stream: &mut S, head: &Incoming) -> io::Result<Vec<u8>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        if head.header("expect").is_some() {
            stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        }
        let chunked = head
            .header("transfer-encoding")
            .is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"));
        if chunked {
            return self.chunks(stream).await;
        }
        match head.header("content-length") {
            None => Ok(Vec::new()),
            Some(length) => match length.parse::<usize>() {
                Ok(length) if length <= LARGEST_BODY => self.exactly(stream, length).await,
                _ => Err(invalid(format!("a content-length of '{length}'"))),
            },
        }
    }

    async fn chunks<S: AsyncRead + Unpin>(&mut self, stream: &mut S) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.line(stream).await?;
            let size = line.split(';').next().unwrap_or_default().trim();
            let Ok(size) = usize::from_str_radix(size, 16) else {
                return Err(invalid(format!("'{line}' is no chunk size")));
            };
            if size == 0 {
                while !self.line(stream).await?.is_empty() {}
                return Ok(body);
            }
            if size > LARGEST_BODY || body.len() + size > LARGEST_BODY {
                return Err(invalid("the body is too large"));
            }
            body.extend(self.exactly(stream, size).await?);
            self.line(stream).await?;
        }
    }

    async fn exactly<S: AsyncRead + Unpin>(
        &mut self,
        stream: &mut S,
        length: usize,
    ) -> io::Result<Vec<u8>> {
        while self.pending.len() < length {
            self.must_have_more(stream).await?;
        }
        let rest = self.pending.split_off(length);
        Ok(std::mem::replace(&mut self.pending, rest))
    }

    async fn line<S: AsyncRead + Unpin>(&mut self, stream: &mut S) -> io::Result<String> {
        let mut seen = 0;
        loop {
            let found = self.pending[seen..].iter().position(|byte| *byte == b'\n');
            if let Some(found) = found {
                let mut line = self.exactly(stream, seen + found + 1).await?;
                line.pop();
                line.pop_if(|last| *last == b'\r');
                return String::from_utf8(line).map_err(|error| invalid(error.to_string()));
            }
            seen = self.pending.len();
            if seen > LONGEST_LINE {
                return Err(invalid("a line is too long"));
            }
            self.must_have_more(stream).await?;
        }
    }

    async fn must_have_more<S: AsyncRead + Unpin>(&mut self, stream: &mut S) -> io::Result<()> {
        if self.more(stream).await? {
            return Ok(());
        }
        Err(io::ErrorKind::UnexpectedEof.into())
    }

    async fn more<S: AsyncRead + Unpin>(&mut self, stream: &mut S) -> io::Result<bool> {
        self.pending.reserve(16 * 1024);
        Ok(stream.read_buf(&mut self.pending).await? > 0)
    }
}

fn invalid(what: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.into())
}
