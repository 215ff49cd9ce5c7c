//! From a byte stream to a known peer: the HTTP upgrade, the hello, the answer. Timed and
//! bounded as a whole, in the connection's own task, so that a stranger who stalls costs one
//! of the pending places and nothing else.

use crate::{
    Control, Shared,
    budget::{Budget, Budgeted},
    origin,
};
use exai_protocol::{
    Principal,
    hello::{Hello, HelloAck, HelloFault, close},
    limits::MAX_HANDSHAKE_BYTES,
    object::RawObject,
};
use futures_util::{SinkExt, StreamExt};
use std::time::Duration;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    time::{Instant, timeout, timeout_at},
};
use tokio_tungstenite::{
    WebSocketStream, accept_hdr_async_with_config,
    tungstenite::{
        Error, Message,
        error::ProtocolError,
        handshake::server::{Request, Response},
        protocol::{CloseFrame, Role, WebSocketConfig},
    },
};

pub(crate) type Socket<S> = WebSocketStream<Budgeted<S>>;

/// Memory a quiet connection holds for reading.
const READ_BUFFER: usize = 4 * 1024;
const WRITE_BUFFER: usize = 32 * 1024;
/// Longest name of a refused program in the log.
const MAX_NAME: usize = 64;
/// How long a refused peer gets to read its refusal.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// A peer that may stay.
pub(crate) struct Welcomed<S> {
    pub(crate) socket: Socket<S>,
    pub(crate) hello: Hello,
    pub(crate) principal: Principal,
}

/// Lets a peer in, or tells it why not and closes. `None` is over and done with.
pub(crate) async fn welcome<S, C>(
    stream: S,
    peer: String,
    shared: &Shared<C>,
) -> Option<Welcomed<S>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    C: Control,
{
    let deadline = Instant::now() + shared.settings.hello_timeout;
    let budget = Budget::new(MAX_HANDSHAKE_BYTES);
    let stream = Budgeted::new(stream, budget.clone());
    let mut socket = match timeout_at(deadline, upgrade(stream, shared)).await {
        Ok(Ok(socket)) => socket,
        Ok(Err(error)) => {
            tracing::debug!(peer, %error, "no upgrade");
            return None;
        }
        Err(_) => return None,
    };
    budget.renew(MAX_HANDSHAKE_BYTES);
    let Ok(first) = timeout_at(deadline, first_text(&mut socket)).await else {
        refuse(
            &mut socket,
            None,
            close::HELLO_TIMEOUT,
            "hello timeout or disconnect",
        )
        .await;
        return None;
    };
    let Some(first) = first else {
        refuse(
            &mut socket,
            Some("invalid_hello"),
            close::INVALID_HELLO,
            "invalid hello",
        )
        .await;
        return None;
    };
    match admit(&first, shared) {
        Ok((hello, principal)) => {
            budget.lift();
            Some(Welcomed {
                socket,
                hello,
                principal,
            })
        }
        Err(refused) => {
            let (ack, code, reason) = *refused;
            let hold_back = shared.failures.note();
            let client = name_in(&first);
            tracing::warn!(peer, client, code, reason, "handshake refused");
            tokio::time::sleep(hold_back).await;
            refuse_with(&mut socket, Some(&ack), code, reason).await;
            None
        }
    }
}

/// The program of a peer that is refused, as far as it said; from outside, hence cut.
fn name_in(hello: &str) -> Option<String> {
    let mut name = Hello::decode(hello).ok()?.client.name;
    name.truncate(name.floor_char_boundary(MAX_NAME));
    Some(name).filter(|name| !name.is_empty())
}

async fn upgrade<S, C>(mut stream: Budgeted<S>, shared: &Shared<C>) -> Result<Socket<S>, Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let settings = &shared.settings;
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_BUFFER)
        .max_write_buffer_size(settings.max_frame_bytes * 2 + 2 * WRITE_BUFFER)
        .max_message_size(Some(settings.max_frame_bytes))
        .max_frame_size(Some(settings.max_frame_bytes));
    #[expect(
        clippy::result_large_err,
        reason = "the callback's signature is tungstenite's"
    )]
    let gate = |request: &Request, response: Response| {
        origin::gate(request, settings.port, &settings.allowed_hosts).map(|()| response)
    };
    // Lent, not given: who asks for no WebSocket is told so on the same stream. Nothing but the
    // request has been read of it; tungstenite refuses one with more behind it.
    match accept_hdr_async_with_config(&mut stream, gate, Some(config)).await {
        Ok(_) => Ok(WebSocketStream::from_raw_socket(stream, Role::Server, Some(config)).await),
        Err(error) => {
            if is_plain_request(&error) {
                // Whether it listened or not, it is gone now.
                let _ = timeout(CLOSE_TIMEOUT, explain(&mut stream)).await;
            }
            Err(error)
        }
    }
}

/// HTTP, but no upgrade: a browser, or a probe.
fn is_plain_request(error: &Error) -> bool {
    matches!(
        error,
        Error::Protocol(
            ProtocolError::WrongHttpMethod
                | ProtocolError::WrongHttpVersion
                | ProtocolError::MissingConnectionUpgradeHeader
                | ProtocolError::MissingUpgradeWebSocketHeader
                | ProtocolError::MissingSecWebSocketVersionHeader
                | ProtocolError::MissingSecWebSocketKey
        )
    )
}

async fn explain<S>(stream: &mut Budgeted<S>) -> std::io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let words = "exai: this port speaks WebSocket; `exai-daemon status` tells how it is doing\n";
    let answer = format!(
        "HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nConnection: Upgrade, close\r\n\
         Content-Type: text/plain\r\nContent-Length: {}\r\n\r\n{words}",
        words.len()
    );
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await?;
    stream.discard().await;
    Ok(())
}

/// The first data frame as text; `None` for anything that can be no hello.
async fn first_text<S>(socket: &mut Socket<S>) -> Option<String>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        match socket.next().await? {
            Ok(Message::Text(text)) => return Some(text.to_string()),
            Ok(Message::Ping(_) | Message::Pong(_)) => {}
            Ok(_) | Err(_) => return None,
        }
    }
}

/// What to say, the close code, and its reason.
type Refused = Box<(HelloAck, u16, &'static str)>;

fn admit<C: Control>(text: &str, shared: &Shared<C>) -> Result<(Hello, Principal), Refused> {
    let hello = Hello::decode(text).map_err(|fault| match fault {
        HelloFault::Invalid(why) => {
            let mut ack = HelloAck::refusal("invalid_hello");
            // V1's refusal has no such field; whoever announces a protocol reads it.
            let announced = RawObject::parse(text).is_ok_and(|hello| hello.any("protocol").is_some());
            ack.message = announced.then_some(why);
            Box::new((ack, close::INVALID_HELLO, "invalid hello"))
        }
        HelloFault::Missing => {
            Box::new((HelloAck::refusal("missing_hello"), close::MISSING_HELLO, "missing hello"))
        }
        HelloFault::UnsupportedProtocol(announced) => {
            let mut ack = HelloAck::refusal("unsupported_protocol");
            let ours = exai_protocol::version::PROTOCOL;
            ack.message = Some(format!(
                "this daemon speaks protocol {ours}, the client {announced}; update the older of the two"
            ));
            ack.protocol = Some(ours.to_owned());
            Box::new((ack, close::UNSUPPORTED_PROTOCOL, "unsupported protocol"))
        }
    })?;
    match shared.control.authenticate(&hello.token) {
        Some(principal) => Ok((hello, principal)),
        None => {
            let mut ack = HelloAck::refusal("unauthorized");
            if hello.protocol.is_some() {
                // Names the home, so that a client of another home can say whose port this is.
                ack.server = Some(shared.control.identity().clone());
            }
            Err(Box::new((ack, close::UNAUTHORIZED, "unauthorized")))
        }
    }
}

async fn refuse<S>(socket: &mut Socket<S>, error: Option<&str>, code: u16, reason: &'static str)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    refuse_with(socket, error.map(HelloAck::refusal).as_ref(), code, reason).await;
}

async fn refuse_with<S>(
    socket: &mut Socket<S>,
    ack: Option<&HelloAck>,
    code: u16,
    reason: &'static str,
) where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let farewell = async {
        if let Some(ack) = ack {
            socket
                .send(Message::text(crate::outbox::encode(ack)))
                .await
                .ok()?;
        }
        let frame = CloseFrame {
            code: code.into(),
            reason: reason.into(),
        };
        socket.close(Some(frame)).await.ok()?;
        let mut answered = false;
        while let Some(Ok(message)) = socket.next().await {
            answered |= message.is_close();
        }
        if !answered {
            socket.get_mut().discard().await;
        }
        Some(())
    };
    // Whether it listened or not, it is gone now.
    let _ = timeout(CLOSE_TIMEOUT, farewell).await;
}
