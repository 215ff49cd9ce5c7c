//! A WebSocket on which one thing is said and one is heard, byte by byte: a probe has to tell
//! apart what a client library calls one error. It knows no more of the protocol than that.

use std::{io, time::Duration};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};

/// Whatever listens gets this much to say; an answer to a hello is shorter.
const MOST: usize = 64 * 1024;
/// Ours sends a refusal's words along with its head; a stranger may send none, and hang on.
const BODY: Duration = Duration::from_millis(300);
const TEXT: u8 = 1;
const CLOSE: u8 = 8;

/// What came first.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum First {
    /// A text frame.
    Text(String),
    /// A close frame, with its reason.
    Closed(String),
    /// No upgrade: the status, and the body as far as it came along.
    Http(u16, String),
    /// Nothing of the kind.
    Other,
}

/// An upgraded connection.
pub(super) struct Line<S> {
    stream: BufReader<S>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Line<S> {
    /// Upgrades; what came instead where that was refused.
    pub(super) async fn upgrade(stream: S, host: &str) -> io::Result<Result<Self, First>> {
        let mut stream = BufReader::new(stream);
        // The key of a handshake guards caches between the two; on loopback there are none.
        let upgrade = format!(
            "GET / HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ZXhhaS1kYWVtb24tbG9vaw==\r\n\r\n"
        );
        stream.write_all(upgrade.as_bytes()).await?;
        let head = head(&mut stream).await?;
        Ok(match status(&head) {
            Some(101) => Ok(Self { stream }),
            Some(status) => Err(First::Http(status, body(&mut stream).await)),
            None => Err(First::Other),
        })
    }

    /// Says one thing and reads what comes back.
    pub(super) async fn ask(&mut self, text: &str) -> io::Result<First> {
        let said = frame(TEXT, text.as_bytes());
        self.stream.write_all(&said).await?;
        first(&mut self.stream).await
    }

    /// Says goodbye. What was to be learned is known; how it goes is of no interest.
    pub(super) async fn close(mut self) {
        let goodbye = frame(CLOSE, &1000u16.to_be_bytes());
        let _ = self.stream.write_all(&goodbye).await;
    }
}

async fn head<S: AsyncRead + Unpin>(stream: &mut BufReader<S>) -> io::Result<String> {
    let mut head = Vec::new();
    let http = |head: &[u8]| head.iter().zip(b"HTTP/").all(|(one, other)| one == other);
    while http(&head) && !head.ends_with(b"\r\n\r\n") && head.len() < MOST {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            // What speaks first and hangs up has said enough to be known.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && !head.is_empty() => break,
            Err(error) => return Err(error),
        }
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

/// `HTTP/1.1 101 …` → 101.
fn status(head: &str) -> Option<u16> {
    head.strip_prefix("HTTP/")?.split(' ').nth(1)?.parse().ok()
}

async fn body<S: AsyncRead + Unpin>(stream: &mut BufReader<S>) -> String {
    let mut body = vec![0; 1024];
    let read = tokio::time::timeout(BODY, stream.read(&mut body)).await;
    let length = read.map_or(0, Result::unwrap_or_default);
    String::from_utf8_lossy(&body[..length]).into_owned()
}

/// A client's frame, short as ours are; its mask is zero, for the reason given above.
fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80 | kind];
    match u16::try_from(payload.len()) {
        Ok(length) if length < 126 => frame.push(0x80 | length.to_be_bytes()[1]),
        Ok(length) => {
            frame.push(0x80 | 126);
            frame.extend(length.to_be_bytes());
        }
        Err(_) => {
            frame.push(0x80 | 127);
            frame.extend((payload.len() as u64).to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

async fn first<S: AsyncRead + Unpin>(stream: &mut BufReader<S>) -> io::Result<First> {
    loop {
        let kind = stream.read_u8().await? & 0x0f;
        let length = match stream.read_u8().await? {
            // A server's frame has no mask.
            masked if masked & 0x80 != 0 => return Ok(First::Other),
            126 => u64::from(stream.read_u16().await?),
            127 => stream.read_u64().await?,
            length => u64::from(length),
        };
        let Some(length) = usize::try_from(length)
            .ok()
            .filter(|length| *length <= MOST)
        else {
            return Ok(First::Other);
        };
        let mut payload = vec![0; length];
        stream.read_exact(&mut payload).await?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        match kind {
            TEXT => return Ok(First::Text(text(&payload))),
            CLOSE => return Ok(First::Closed(text(payload.get(2..).unwrap_or_default()))),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::{TcpListener, TcpStream};

    /// Answers the upgrade and then the hello, as given; returns the hello as it was received.
    async fn met(upgrade: &[u8], then: &[u8]) -> (io::Result<First>, Vec<u8>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 1024];
            let length = stream.read(&mut request).await.unwrap();
            assert!(request[..length].starts_with(b"GET / HTTP/1.1\r\nHost: h:1\r\n"));
            stream.write_all(upgrade).await.unwrap();
            stream.write_all(then).await.unwrap();
            let mut hello = vec![0; 1024];
            let length = if then.is_empty() {
                0
            } else {
                stream.read(&mut hello).await.unwrap()
            };
            hello[..length].to_vec()
        };
        let client = async {
            let stream = TcpStream::connect(address).await.unwrap();
            match Line::upgrade(stream, "h:1").await? {
                Ok(mut line) => line.ask("hello").await,
                Err(first) => Ok(first),
            }
        };
        tokio::join!(client, server)
    }

    const UPGRADED: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n";

    #[tokio::test]
    async fn a_hello_is_answered() {
        let (first, hello) = met(UPGRADED, b"\x89\x00\x81\x02ok").await;
        assert_eq!(
            first.unwrap(),
            First::Text("ok".to_owned()),
            "a ping is passed over"
        );
        assert!(hello.starts_with(b"\x81\x85\0\0\0\0hello"), "{hello:?}");
        let long = [&b"\x81\x7e\x01\x00"[..], &[b'x'; 256]].concat();
        assert_eq!(
            met(UPGRADED, &long).await.0.unwrap(),
            First::Text("x".repeat(256))
        );
        let closed = met(UPGRADED, b"\x88\x04\x0f\xa3no").await.0.unwrap();
        assert_eq!(closed, First::Closed("no".to_owned()));
    }

    #[tokio::test]
    async fn whatever_else_listens_is_told_apart() {
        let refused = met(b"HTTP/1.1 403 Forbidden\r\n\r\nexai: no", b"")
            .await
            .0
            .unwrap();
        assert_eq!(refused, First::Http(403, "exai: no".to_owned()));
        assert_eq!(met(b"SSH-2.0-x\r\n", b"").await.0.unwrap(), First::Other);
        let bodiless = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stream = TcpStream::connect(address).await.unwrap();
        let (mut served, _) = listener.accept().await.unwrap();
        served.write_all(bodiless).await.unwrap();
        let Ok(Err(kept_open)) = Line::upgrade(stream, "h:1").await else {
            panic!("upgraded")
        };
        assert_eq!(kept_open, First::Http(404, String::new()));
        let endless = met(UPGRADED, b"\x81\x7f\x7f\xff\xff\xff\xff\xff\xff\xff")
            .await
            .0
            .unwrap();
        assert_eq!(endless, First::Other, "its length is not believed");
        assert!(met(UPGRADED, b"\x81").await.0.is_err(), "cut short");
        assert!(met(b"", b"").await.0.is_err(), "it says nothing at all");
    }

    #[test]
    fn frames_of_every_length_say_theirs() {
        assert_eq!(frame(TEXT, b"a"), b"\x81\x81\0\0\0\0a");
        assert_eq!(frame(TEXT, &[0; 126])[..4], [0x81, 0xfe, 0, 126]);
        assert_eq!(
            frame(TEXT, &[0; 70_000])[..10],
            [0x81, 0xff, 0, 0, 0, 0, 0, 1, 0x11, 0x70]
        );
    }
}
