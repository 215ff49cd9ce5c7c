//! From a byte stream to a welcome: the upgrade, the hello, and what each kind of no means.

use crate::{
    config::ClientConfig,
    dial::{Credential, Dial, Target, Unreachable},
    prove::{Asked, Stranger},
    state::{Failure, Session},
};
use exai_protocol::{
    Secret,
    hello::{ClientInfo, Hello, HelloAck, close},
    limits::{MAX_HANDSHAKE_BYTES, MAX_HELLO_FIELD_BYTES},
    object::RawObject,
    proof::SUBPROTOCOL,
    version,
};
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{
        Error, Message, Utf8Bytes,
        client::IntoClientRequest,
        error::ProtocolError,
        handshake::client::Request,
        http::{
            HeaderValue, StatusCode,
            header::{HOST, SEC_WEBSOCKET_PROTOCOL},
        },
        protocol::{CloseFrame, WebSocketConfig},
    },
};

/// The reader's chunk; most frames are smaller.
const READ_BUFFER: usize = 4 * 1024;
/// Frames of one burst are written together up to this size.
pub(crate) const WRITE_BUFFER: usize = 64 * 1024;
/// What a daemon may send over the limit before we hang up: headers, rounding, goodwill.
const SLACK: usize = 64 * 1024;

/// One attempt, from finding the daemon to its welcome.
pub(crate) async fn attempt<D: Dial>(
    dial: &mut D,
    config: &ClientConfig,
    client: &ClientInfo,
) -> Result<(WebSocketStream<D::Stream>, Session), Failure> {
    let (stream, target) = dial.dial().await.map_err(|failure| match failure {
        Unreachable::Stopped => Failure::Stopped,
        Unreachable::Misconfigured(why) => Failure::Refused(why),
        other => Failure::Retry(other.to_string()),
    })?;
    let within = config.times.handshake;
    let greeted = tokio::time::timeout(within, greet(stream, &target, config, client)).await;
    greeted
        .unwrap_or_else(|_| {
            let seconds = within.as_secs_f64().round();
            let at = target.authority();
            Err(Broken::Failure(Failure::Retry(format!(
                "no welcome from {at} within {seconds} s"
            ))))
        })
        .map_err(|broken| match broken {
            Broken::Failure(failure) => failure,
            Broken::Stranger(stranger) => explain(&stranger, &target, dial.port_owner(target.port)),
        })
}

/// How a handshake ended that ended in no welcome.
enum Broken {
    Failure(Failure),
    Stranger(Stranger),
}

impl From<Failure> for Broken {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

async fn greet<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    target: &Target,
    config: &ClientConfig,
    client: &ClientInfo,
) -> Result<(WebSocketStream<S>, Session), Broken> {
    let request = upgrade(target)?;
    let limits = socket_limits(config.max_frame_bytes);
    let (mut socket, _) = client_async_with_config(request, stream, Some(limits))
        .await
        .map_err(|error| upgrade_failed(target, error))?;
    let proof = match target.credential() {
        Credential::Proof => Some(proven(&mut socket, target).await?),
        Credential::Token | Credential::None => None,
    };
    let hello = Hello {
        session_id: config.session_id.clone(),
        token: match target.credential() {
            Credential::Token => target.token.clone(),
            Credential::Proof | Credential::None => Secret::new(""),
        },
        proof,
        protocol: Some(version::PROTOCOL.to_owned()),
        features: config.features.clone(),
        client: client.clone(),
    };
    let ack = ask(&mut socket, fitting(hello), target).await?;
    let session = welcome(&ack, target)?;
    Ok((socket, session))
}

/// Our signature, once the other end has shown that it knows the token; it hears nothing before.
async fn proven<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut WebSocketStream<S>,
    target: &Target,
) -> Result<String, Broken> {
    let asked = Asked::new().map_err(Failure::Retry)?;
    let answer = ask(socket, asked.frame(), target).await?;
    match asked.judge(&answer, &target.token) {
        Ok(proof) => Ok(proof),
        Err(stranger) => {
            let frame = CloseFrame {
                code: close::UNAUTHORIZED.into(),
                reason: "the client knows another token".into(),
            };
            // It tells a daemon of ours what to log; whoever else it is may hear it too.
            let _ = socket.close(Some(frame)).await;
            Err(Broken::Stranger(stranger))
        }
    }
}

/// Says one thing and hears one.
async fn ask<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut WebSocketStream<S>,
    frame: String,
    target: &Target,
) -> Result<Utf8Bytes, Failure> {
    let retry = |error: Error| Failure::Retry(format!("the handshake broke: {error}"));
    socket.send(Message::text(frame)).await.map_err(retry)?;
    loop {
        match socket.next().await {
            Some(Ok(Message::Text(text))) => return Ok(text),
            Some(Ok(Message::Close(frame))) => return Err(closed(frame.as_ref(), target)),
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(retry(error)),
            None => return Err(Failure::Retry("closed during the handshake".to_owned())),
        }
    }
}

/// Who is there instead of our daemon, and what to do.
fn explain(stranger: &Stranger, target: &Target, owner: Option<String>) -> Failure {
    let at = target.authority();
    let port = target.port;
    let owner = owner.map_or_else(String::new, |owner| format!(" ({owner})"));
    match stranger {
        Stranger::NoProof(what) => Failure::Retry(format!(
            "something else is on port {port}{owner}; it does not know the token: {what}; nothing \
             was said to it. A daemon older than this program needs EXAI_WS_SEND_PLAIN_TOKEN=true"
        )),
        Stranger::OtherToken(_) if target.token.is_empty() => refused("unauthorized", "", target),
        Stranger::OtherToken(server) => Failure::Refused(format!(
            "something else is on port {port}{owner}; it does not know the token, and the daemon \
             at {at} does not accept this token: it says that it is the exai of {}. Either the token \
             was rotated, or it belongs to another home (EXAI_HOME): compare `exai-daemon token show`",
            tame(&server.home)
        )),
    }
}

/// What a stranger says is shown, a line of it at most.
fn tame(text: &str) -> String {
    const LONGEST: usize = 200;
    text.chars()
        .filter(|letter| !letter.is_control())
        .take(LONGEST)
        .collect()
}

/// A hello is bounded; what is only nice to know gives way.
fn fitting(mut hello: Hello) -> String {
    if hello.encode().len() > MAX_HANDSHAKE_BYTES {
        hello.client.roots.clear();
    }
    if hello.encode().len() > MAX_HANDSHAKE_BYTES || hello.client.cwd.len() > MAX_HELLO_FIELD_BYTES
    {
        hello.client.cwd.clear();
    }
    hello.encode()
}

fn upgrade(target: &Target) -> Result<Request, Failure> {
    let wrong = |what: &str| Failure::Refused(format!("{what} is not usable in a request"));
    let at = target.host_line();
    let mut request = format!("ws://{at}/")
        .into_client_request()
        .map_err(|_| wrong(&format!("the daemon's address {at}")))?;
    if target.credential() == Credential::Proof {
        let value = HeaderValue::from_static(SUBPROTOCOL);
        request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, value);
    }
    if let Some(host) = &target.host_header {
        let value = HeaderValue::from_str(host).map_err(|_| wrong("the Host header"))?;
        request.headers_mut().insert(HOST, value);
    }
    Ok(request)
}

fn socket_limits(max_frame: usize) -> WebSocketConfig {
    let incoming = Some(max_frame.saturating_add(SLACK));
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_BUFFER)
        .max_write_buffer_size(max_frame.saturating_add(WRITE_BUFFER).saturating_add(SLACK))
        .max_message_size(incoming)
        .max_frame_size(incoming)
}

fn upgrade_failed(target: &Target, error: Error) -> Broken {
    let at = target.authority();
    Broken::Failure(match error {
        Error::Http(response) if response.status() == StatusCode::FORBIDDEN => {
            Failure::Refused(format!(
                "{at} does not accept this Host; add it to EXAI_WS_ALLOWED_HOSTS of the daemon"
            ))
        }
        Error::Http(response) => {
            let status = response.status();
            Failure::Retry(format!(
                "{at} is no exai daemon, or not ready: HTTP {status}"
            ))
        }
        Error::Protocol(ProtocolError::SecWebSocketSubProtocolError(_)) => {
            let what = "it upgrades without knowing of proof".to_owned();
            return Broken::Stranger(Stranger::NoProof(what));
        }
        other => Failure::Retry(format!("{at}: the upgrade failed: {other}")),
    })
}

fn welcome(text: &str, target: &Target) -> Result<Session, Failure> {
    let at = target.authority();
    let no_exai = |what: &str| Failure::Retry(format!("{at} does not speak like exai: {what}"));
    let object = RawObject::parse(text).map_err(|_| no_exai("not a JSON object"))?;
    if !matches!(object.string("op"), Ok(Some(op)) if op == "hello_ack") {
        return Err(no_exai("its first frame is no hello_ack"));
    }
    // Before anything else: what another protocol says next may look like nothing we know.
    if let Ok(Some(theirs)) = object.string("protocol")
        && version::major_of(&theirs) != Some(version::PROTOCOL_MAJOR)
    {
        let message = format!("it speaks {theirs}");
        return Err(refused("unsupported_protocol", &message, target));
    }
    let ack: HelloAck = serde_json::from_str(text).map_err(|error| no_exai(&error.to_string()))?;
    if !ack.ok {
        let message = ack.message.unwrap_or_default();
        return Err(refused(
            ack.error.as_deref().unwrap_or("refused"),
            &message,
            target,
        ));
    }
    Ok(Session::from(ack))
}

fn refused(error: &str, message: &str, target: &Target) -> Failure {
    let at = target.authority();
    let said = if message.is_empty() {
        String::new()
    } else {
        format!(" ({message})")
    };
    Failure::Refused(match error {
        "unauthorized" if target.token.is_empty() => format!(
            "the daemon at {at} wants a token and none is known here; set EXAI_WS_TOKEN or use \
             the home it runs in (EXAI_HOME)"
        ),
        "unauthorized" => format!(
            "the daemon at {at} does not accept this token{said}; it was rotated, or the daemon \
             belongs to another home (EXAI_HOME): compare `exai-daemon token show`"
        ),
        "unsupported_protocol" => format!(
            "the daemon at {at} does not speak protocol {}{said}; update the older of the two",
            version::PROTOCOL
        ),
        "rate_limited" => {
            return Failure::Retry(format!(
                "the daemon at {at} looks at no more tokens for a while{said}"
            ));
        }
        "hello_timeout" => {
            return Failure::Retry(format!("the daemon at {at} did not see our hello in time"));
        }
        other => format!("the daemon at {at} refused the handshake: {other}{said}"),
    })
}

fn closed(frame: Option<&CloseFrame>, target: &Target) -> Failure {
    let code = frame.map_or(0, |frame| u16::from(frame.code));
    let reason = frame.map_or("", |frame| frame.reason.as_str());
    match code {
        close::UNAUTHORIZED => refused("unauthorized", reason, target),
        close::RATE_LIMITED => refused("rate_limited", reason, target),
        close::UNSUPPORTED_PROTOCOL => refused("unsupported_protocol", reason, target),
        close::INVALID_HELLO | close::MISSING_HELLO => refused("invalid_hello", reason, target),
        _ => Failure::Retry(format!(
            "closed during the handshake (code {code}) {reason}"
        )),
    }
}
