//! Who listens there? One handshake, told apart more finely than a client needs: ours, an exai
//! of another home, something foreign, something silent, nobody. Proof is the handshake alone.

mod first_frame;

use exai_client::{Asked, Credential, Stranger, Stream, Target, Unreachable, connect};
use exai_config::Home;
use exai_protocol::{
    ClientId, Secret,
    hello::{ClientInfo, Hello, HelloAck, ServerInfo},
    object::RawObject,
    version,
};
use first_frame::{First, Line};
use std::{path::Path, time::Duration};

/// What a handshake met.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// The daemon of this home let us in.
    Ours(ServerInfo),
    /// An exai of another home listens there.
    OtherHome(ServerInfo),
    /// An exai that does not accept our token or protocol, and says why.
    Refused(String),
    /// A program that is no exai; says how it showed.
    Foreign(String),
    /// It accepts connections and then says nothing.
    Silent,
    /// Nobody listens.
    Nobody(String),
}

/// Long enough for a daemon under load, short enough for a person.
const PATIENCE: Duration = Duration::from_secs(3);

/// Shakes hands once, as a client of `home`.
pub(crate) async fn probe(target: &Target, home: &Home) -> Answer {
    probe_within(target, home, PATIENCE).await
}

/// The same with another patience.
pub(crate) async fn probe_within(target: &Target, home: &Home, patience: Duration) -> Answer {
    let (stream, target) = match tokio::time::timeout(patience, connect(target.clone())).await {
        Ok(Ok(connected)) => connected,
        Ok(Err(Unreachable::Connect { error, .. })) => return Answer::Nobody(error.to_string()),
        Ok(Err(other)) => return Answer::Nobody(other.to_string()),
        Err(_) => return Answer::Nobody("no connection in time".to_owned()),
    };
    match tokio::time::timeout(patience, shake(&target, home, stream)).await {
        Ok(answer) => answer,
        Err(_) => Answer::Silent,
    }
}

async fn shake(target: &Target, home: &Home, stream: Stream) -> Answer {
    match Line::upgrade(stream, &target.host_line()).await {
        Ok(Ok(mut line)) => {
            let answer = greet(target, home, &mut line).await;
            line.close().await;
            answer
        }
        Ok(Err(first)) => no_text(first),
        Err(error) => hung_up(&error),
    }
}

/// The hello, and before it the question that a stranger cannot answer.
async fn greet(target: &Target, home: &Home, line: &mut Line<Stream>) -> Answer {
    let mut proof = None;
    if target.credential() == Credential::Proof {
        match prove(target, home, line).await {
            Ok(signed) => proof = Some(signed),
            Err(answer) => return answer,
        }
    }
    let token = match target.credential() {
        Credential::Token => target.token.clone(),
        Credential::Proof | Credential::None => Secret::new(""),
    };
    match line.ask(&hello(token, proof).encode()).await {
        Ok(First::Text(text)) => judge(&text, home),
        Ok(other) => no_text(other),
        Err(error) => hung_up(&error),
    }
}

async fn prove(target: &Target, home: &Home, line: &mut Line<Stream>) -> Result<String, Answer> {
    let asked = Asked::new().map_err(Answer::Nobody)?;
    let answer = match line.ask(&asked.frame()).await {
        Ok(First::Text(text)) => text,
        Ok(other) => return Err(no_text(other)),
        Err(error) => return Err(hung_up(&error)),
    };
    let stranger = match asked.judge(&answer, &target.token) {
        Ok(proof) => return Ok(proof),
        Err(stranger) => stranger,
    };
    Err(match stranger {
        Stranger::OtherToken(server) if !is_home(&server.home, home) => Answer::OtherHome(*server),
        Stranger::OtherToken(_) => {
            Answer::Refused("unauthorized: it does not know our token".to_owned())
        }
        Stranger::NoProof(_) if ack(&answer).is_some() => {
            Answer::Foreign("it is an exai of an older generation, or pretends to be".to_owned())
        }
        Stranger::NoProof(how) => Answer::Foreign(how),
    })
}

fn hello(token: Secret, proof: Option<String>) -> Hello {
    Hello {
        session_id: None,
        token,
        proof,
        protocol: Some(version::PROTOCOL.to_owned()),
        features: Vec::new(),
        client: ClientInfo {
            // The same each time, so that the daemon need not remember every look.
            id: Some(ClientId::new("exai-probe")),
            name: "exai-daemon-probe".to_owned(),
            version: crate::compose::VERSION.to_owned(),
            pid: Some(std::process::id()),
            ..ClientInfo::default()
        },
    }
}

fn no_text(first: First) -> Answer {
    match first {
        First::Closed(reason) => Answer::Refused(format!("it closed the handshake: {reason}")),
        First::Http(403, body) if body.starts_with("exai:") => {
            Answer::Refused(body.trim().to_owned())
        }
        First::Http(status, _) => Answer::Foreign(format!("it answers HTTP {status}")),
        First::Text(_) | First::Other => Answer::Foreign("it does not speak WebSocket".to_owned()),
    }
}

fn hung_up(error: &std::io::Error) -> Answer {
    Answer::Foreign(format!("it hung up on our hello: {error}"))
}

fn ack(text: &str) -> Option<HelloAck> {
    let is_ack = RawObject::parse(text)
        .is_ok_and(|object| matches!(object.string("op"), Ok(Some(op)) if op == "hello_ack"));
    is_ack.then(|| serde_json::from_str(text).ok()).flatten()
}

fn judge(text: &str, home: &Home) -> Answer {
    let Some(ack) = ack(text) else {
        return Answer::Foreign("its first frame is no hello_ack".to_owned());
    };
    match ack.server {
        Some(server) if !is_home(&server.home, home) => Answer::OtherHome(server),
        Some(server) if ack.ok => Answer::Ours(server),
        None if ack.ok => Answer::Foreign("it is an exai of an older generation".to_owned()),
        _ => {
            let error = ack.error.unwrap_or_else(|| "no reason given".to_owned());
            Answer::Refused(
                ack.message
                    .map_or(error.clone(), |message| format!("{error}: {message}")),
            )
        }
    }
}

/// Whether what a daemon calls its home is this one. One directory may have several names;
/// what the system calls it decides.
pub(crate) fn is_home(theirs: &str, ours: &Home) -> bool {
    let real = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let theirs = Path::new(theirs);
    theirs == ours.root() || real(theirs) == real(ours.root())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    fn ack(ok: bool, home: &str) -> String {
        let boot = "b";
        format!(
            r#"{{"op":"hello_ack","ok":{ok},"error":"unauthorized","server":{{"name":"exai-daemon","version":"1","build":"x","boot_id":"{boot}","home":"{home}"}}}}"#
        )
    }

    #[test]
    fn r41_acks_are_told_apart_by_home() {
        let home = Home::at("/some/home");
        assert!(matches!(
            judge(&ack(true, "/some/home"), &home),
            Answer::Ours(_)
        ));
        assert!(matches!(
            judge(&ack(true, "/other"), &home),
            Answer::OtherHome(_)
        ));
        assert!(matches!(
            judge(&ack(false, "/other"), &home),
            Answer::OtherHome(_)
        ));
        let Answer::Refused(why) = judge(&ack(false, "/some/home"), &home) else {
            panic!("let in")
        };
        assert!(why.contains("unauthorized"));
        for text in ["", "[]", r#"{"op":"else"}"#, "hello"] {
            assert!(matches!(judge(text, &home), Answer::Foreign(_)), "{text}");
        }
    }

    async fn answered_by(reply: &'static [u8]) -> Answer {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let target = Target {
            host: "127.0.0.1".to_owned(),
            port,
            host_header: None,
            socket: None,
            plain: false,
            token: exai_protocol::Secret::new("t"),
        };
        let serve = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut buffer = [0u8; 1024];
            let _ = stream.read(&mut buffer).await;
            let _ = stream.write_all(reply).await;
            if reply.is_empty() {
                std::future::pending::<()>().await;
            }
            let _ = stream.shutdown().await;
        };
        let home = Home::at("/h");
        let asked = probe_within(&target, &home, Duration::from_millis(300));
        tokio::pin!(asked);
        tokio::select! {
            answer = &mut asked => answer,
            () = serve => asked.await,
        }
    }

    #[tokio::test]
    async fn r41_foreign_silent_and_absent_listeners_are_told_apart() {
        let web = answered_by(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
        assert!(
            matches!(&web, Answer::Foreign(how) if how.contains("200")),
            "{web:?}"
        );
        assert!(matches!(
            answered_by(b"SSH-2.0-x\r\n").await,
            Answer::Foreign(_)
        ));
        assert!(matches!(answered_by(b"").await, Answer::Silent));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let target = Target {
            host: "127.0.0.1".to_owned(),
            port,
            host_header: None,
            socket: None,
            plain: false,
            token: exai_protocol::Secret::new(""),
        };
        assert!(matches!(
            probe(&target, &Home::at("/h")).await,
            Answer::Nobody(_)
        ));
    }
}
