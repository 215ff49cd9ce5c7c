//! From a byte stream to a welcome: the upgrade, the hello, and what each kind of no means.

use crate::{
    config::ClientConfig,
    dial::{Dial, Target, Unreachable},
    state::{Failure, Session},
};
use exai_protocol::{
    hello::{ClientInfo, Hello, HelloAck, close},
    limits::{MAX_HANDSHAKE_BYTES, MAX_HELLO_FIELD_BYTES},
    object::RawObject,
    version,
};
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{
        Error, Message,
        client::IntoClientRequest,
        handshake::client::Request,
        http::{HeaderValue, StatusCode, header::HOST},
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
    tokio::time::timeout(within, greet(stream, &target, config, client))
        .await
        .unwrap_or_else(|_| {
            let seconds = within.as_secs_f64().round();
            let at = target.authority();
            Err(Failure::Retry(format!(
                "no welcome from {at} within {seconds} s"
            )))
        })
}

async fn greet<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    target: &Target,
    config: &ClientConfig,
    client: &ClientInfo,
) -> Result<(WebSocketStream<S>, Session), Failure> {
    let request = upgrade(target)?;
    let limits = socket_limits(config.max_frame_bytes);
    let (mut socket, _) = client_async_with_config(request, stream, Some(limits))
        .await
        .map_err(|error| upgrade_failed(target, &error))?;
    let hello = Hello {
        session_id: config.session_id.clone(),
        token: target.token.clone(),
        protocol: Some(version::PROTOCOL.to_owned()),
        features: config.features.clone(),
        client: client.clone(),
    };
    let hello = fitting(hello);
    let retry = |error: Error| Failure::Retry(format!("the handshake broke: {error}"));
    socket.send(Message::text(hello)).await.map_err(retry)?;
    loop {
        match socket.next().await {
            Some(Ok(Message::Text(text))) => {
                let session = welcome(&text, target)?;
                return Ok((socket, session));
            }
            Some(Ok(Message::Close(frame))) => return Err(closed(frame.as_ref(), target)),
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(retry(error)),
            None => return Err(Failure::Retry("closed during the handshake".to_owned())),
        }
    }
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
    let mut request = format!("ws://{}/", target.authority())
        .into_client_request()
        .map_err(|_| wrong(&format!("the daemon's address {}", target.authority())))?;
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

fn upgrade_failed(target: &Target, error: &Error) -> Failure {
    let at = target.authority();
    match error {
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
        other => Failure::Retry(format!("{at}: the upgrade failed: {other}")),
    }
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
        close::UNSUPPORTED_PROTOCOL => refused("unsupported_protocol", reason, target),
        close::INVALID_HELLO | close::MISSING_HELLO => refused("invalid_hello", reason, target),
        _ => Failure::Retry(format!(
            "closed during the handshake (code {code}) {reason}"
        )),
    }
}
