//! From a byte stream to a known peer: the HTTP upgrade, the hello, the answer. Timed and
//! bounded as a whole, in the connection's own task, so that a stranger who stalls costs one
//! of the pending places and nothing else.

use crate::{
    Control, Shared,
    auth::{fitting, same},
    budget::{Budget, Budgeted},
    caller::{Caller, Standing},
    origin,
    proving::Proving,
};
use exai_protocol::{
    Principal,
    hello::{Hello, HelloAck, HelloFault, close},
    limits::MAX_HANDSHAKE_BYTES,
    object::RawObject,
    proof::Prove,
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
use tokio_util::sync::CancellationToken;

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
    /// Fires when what let it in opens no more.
    pub(crate) revoked: CancellationToken,
}

/// What became of a peer that was understood so far.
pub(crate) enum Verdict<S> {
    Welcome(Box<Welcomed<S>>),
    Refused(Box<Refusal<S>>),
}

/// A peer that may not stay, and has not been told yet.
pub(crate) struct Refusal<S> {
    socket: Socket<S>,
    refused: Refused,
    hold_back: Duration,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Refusal<S> {
    /// Tells it, as late as its failures have earned.
    pub(crate) async fn tell<C>(mut self: Box<Self>, shared: &Shared<C>) {
        if let Ok(_place) = shared.held_back.try_acquire() {
            tokio::time::sleep(self.hold_back).await;
        }
        let Refused { ack, code, reason } = self.refused;
        refuse_with(&mut self.socket, Some(&*ack), code, reason).await;
    }
}

/// Lets a peer in, or says why not. `None` is over and done with.
pub(crate) async fn welcome<S, C>(
    stream: S,
    caller: Caller,
    shared: &Shared<C>,
) -> Option<Verdict<S>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    C: Control,
{
    let deadline = Instant::now() + shared.settings.hello_timeout;
    let budget = Budget::new(MAX_HANDSHAKE_BYTES);
    let stream = Budgeted::new(stream, budget.clone());
    let mut socket = match timeout_at(deadline, upgrade(stream, &caller, shared)).await {
        Ok(Ok(socket)) => socket,
        Ok(Err(error)) => {
            if matches!(caller.standing, Standing::Other(_)) {
                shared.failures.note(&caller);
            }
            tracing::debug!(peer = caller.name, %error, "no upgrade");
            return None;
        }
        Err(_) => return None,
    };
    budget.renew(MAX_HANDSHAKE_BYTES);
    let Ok(heard) = timeout_at(deadline, hear(&mut socket, &budget, &caller, shared)).await else {
        refuse(
            &mut socket,
            None,
            close::HELLO_TIMEOUT,
            "hello timeout or disconnect",
        )
        .await;
        return None;
    };
    let Some((first, proof)) = heard else {
        refuse(
            &mut socket,
            Some("invalid_hello"),
            close::INVALID_HELLO,
            "invalid hello",
        )
        .await;
        return None;
    };
    // Who reads keys from a disk that hangs is late like any other.
    let admitted = admit(&first, proof.as_ref(), &caller, shared);
    let admitted = timeout_at(deadline, admitted).await.ok()?;
    Some(match admitted {
        Ok((hello, (principal, revoked))) => {
            budget.lift();
            Verdict::Welcome(Box::new(Welcomed {
                socket,
                hello,
                principal,
                revoked,
            }))
        }
        Err(refused) => Verdict::Refused(Box::new(Refusal {
            hold_back: count(&refused, &first, &caller, shared),
            socket,
            refused,
        })),
    })
}

/// Notes a failure and says how long its refusal is held back. What was refused unread counts for
/// nothing, or guessing would keep a V1 client out for as long as it goes on.
fn count<C>(refused: &Refused, first: &str, caller: &Caller, shared: &Shared<C>) -> Duration {
    let (code, reason) = (refused.code, refused.reason);
    if code == close::RATE_LIMITED {
        tracing::debug!(peer = caller.name, "refused unread");
        return Duration::ZERO;
    }
    let cost = shared.failures.note(caller);
    if cost.is_news {
        let client = name_in(first);
        tracing::warn!(
            peer = caller.name,
            client,
            code,
            reason,
            "handshake refused"
        );
    }
    cost.hold_back
}

/// The hello of a peer, and what went before it where that was a question for proof. `None` for
/// anything that can be no hello.
async fn hear<S, C>(
    socket: &mut Socket<S>,
    budget: &Budget,
    caller: &Caller,
    shared: &Shared<C>,
) -> Option<(String, Option<Proving>)>
where
    S: AsyncRead + AsyncWrite + Unpin,
    C: Control,
{
    let first = first_text(socket).await?;
    let asked = match Prove::decode(&first) {
        None => return Some((first, None)),
        Some(asked) => asked.ok()?,
    };
    let passes = shared.control.passes().await;
    let (proving, answer) = Proving::answer(asked, &*shared.control, &passes)?;
    drop(passes);
    socket.send(Message::text(answer)).await.ok()?;
    budget.renew(MAX_HANDSHAKE_BYTES);
    match first_text(socket).await {
        Some(hello) => Some((hello, Some(proving))),
        None => {
            // Or it only wanted to see what we sign: it is told like a failure of ours to come in.
            if shared.failures.note(caller).is_news {
                let reason = "the client did not find its token in our proof";
                tracing::warn!(
                    peer = caller.name,
                    reason,
                    "handshake refused by the client"
                );
            }
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

async fn upgrade<S, C>(
    mut stream: Budgeted<S>,
    caller: &Caller,
    shared: &Shared<C>,
) -> Result<Socket<S>, Error>
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
        origin::gate(request, caller, settings).map(|()| origin::agreed(request, response))
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
struct Refused {
    ack: Box<HelloAck>,
    code: u16,
    reason: &'static str,
}

impl Refused {
    fn because(error: &str, code: u16, reason: &'static str) -> Self {
        let ack = Box::new(HelloAck::refusal(error));
        Self { ack, code, reason }
    }
}

fn read_hello(text: &str) -> Result<Hello, Refused> {
    Hello::decode(text).map_err(|fault| match fault {
        HelloFault::Invalid(why) => {
            let mut refused =
                Refused::because("invalid_hello", close::INVALID_HELLO, "invalid hello");
            // V1's refusal has no such field; whoever announces a protocol reads it.
            let announced =
                RawObject::parse(text).is_ok_and(|hello| hello.any("protocol").is_some());
            refused.ack.message = announced.then_some(why);
            refused
        }
        HelloFault::Missing => {
            Refused::because("missing_hello", close::MISSING_HELLO, "missing hello")
        }
        HelloFault::UnsupportedProtocol(announced) => {
            let (error, reason) = ("unsupported_protocol", "unsupported protocol");
            let mut refused = Refused::because(error, close::UNSUPPORTED_PROTOCOL, reason);
            let ours = exai_protocol::version::PROTOCOL;
            refused.ack.message = Some(format!(
                "this daemon speaks protocol {ours}, the client {announced}; update the older of the two"
            ));
            refused.ack.protocol = Some(ours.to_owned());
            refused
        }
    })
}

/// Whom a peer stands for, and until when.
type Admitted = (Principal, CancellationToken);

async fn admit<C: Control>(
    text: &str,
    proving: Option<&Proving>,
    caller: &Caller,
    shared: &Shared<C>,
) -> Result<(Hello, Admitted), Refused> {
    let hello = read_hello(text)?;
    let control = &*shared.control;
    let admitted = match (proving, &hello.proof) {
        // Right proofs are let in however many wrong ones came from there.
        (Some(proving), Some(proof)) => {
            let passes = control.passes().await;
            fitting(passes, |key| proving.is_proven(proof, key))
                .map(|pass| (pass.principal, pass.revoked))
        }
        (Some(_), None) | (None, Some(_)) => None,
        (None, None) if caller.is_owner() && hello.token.is_empty() => {
            Some((control.owner(), CancellationToken::new()))
        }
        (None, None) => by_token(&hello, caller, shared).await?,
    };
    match admitted {
        Some(admitted) => Ok((hello, admitted)),
        None => Err(unauthorized(&hello, shared)),
    }
}

/// The predecessor's way in: the token itself, as long as guessing has not been tried too often.
async fn by_token<C: Control>(
    hello: &Hello,
    caller: &Caller,
    shared: &Shared<C>,
) -> Result<Option<Admitted>, Refused> {
    if !shared.settings.accept_plain_token {
        let mut refused = Refused::because("unauthorized", close::UNAUTHORIZED, "unauthorized");
        refused.ack.message = hello.protocol.is_some().then(|| {
            "this daemon takes proof instead of the token (EXAI_WS_ACCEPT_PLAIN_TOKEN=false); \
             update the client, or let it use the socket in the daemon's home"
                .to_owned()
        });
        return Err(refused);
    }
    let limited = || match shared.failures.retry_after(caller) {
        Some(wait) => Err(rate_limited(hello, wait)),
        None => Ok(()),
    };
    limited()?;
    let passes = shared.control.passes().await;
    // Again: a crowd of guesses must not all be looked at because none had failed before the wait.
    limited()?;
    let pass = fitting(passes, |key| same(key, &hello.token));
    Ok(pass.map(|pass| (pass.principal, pass.revoked)))
}

fn unauthorized<C: Control>(hello: &Hello, shared: &Shared<C>) -> Refused {
    let mut refused = Refused::because("unauthorized", close::UNAUTHORIZED, "unauthorized");
    if hello.protocol.is_some() {
        // Names the home, so that a client of another home can say whose port this is.
        refused.ack.server = Some(shared.control.identity().clone());
    }
    refused
}

fn rate_limited(hello: &Hello, wait: u64) -> Refused {
    let mut refused = Refused::because("rate_limited", close::RATE_LIMITED, "rate limited");
    refused.ack.retry_after = Some(wait);
    refused.ack.message = hello.protocol.is_some().then(|| {
        format!(
            "too many wrong tokens came from there; this one was not looked at; the next is in \
             {wait} s"
        )
    });
    refused
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
