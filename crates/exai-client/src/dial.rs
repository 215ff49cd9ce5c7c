//! How a client reaches a daemon. The client opens no file and starts no process: whoever
//! builds it says where the daemon is found, and what may be done when none is there.

use crate::stream::Stream;
use exai_protocol::Secret;
use std::{future::Future, io, path::PathBuf, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};

/// Where a daemon is, and the proof that we may speak to it.
#[derive(Clone)]
pub struct Target {
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// The `Host` header where it is not `host:port`.
    pub host_header: Option<String>,
    /// The token.
    pub token: Secret,
    /// Whether the token itself is shown, because the owner asked for that: a predecessor knows
    /// no proof.
    pub plain: bool,
    /// The daemon's own door for its user's programs, tried first. Of a connection: that it was
    /// made there.
    pub socket: Option<Socket>,
}

/// A Unix socket, and whose the daemon behind it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Socket {
    /// Where it stands.
    pub path: PathBuf,
    /// The user it must run as: ours.
    pub user: u32,
    /// Whether the token is proven there too, because a person gave it: a wrong one is then told
    /// and not passed over.
    pub with_token: bool,
}

impl Target {
    /// `host:port`, with the brackets an IPv6 address needs.
    #[must_use]
    pub fn authority(&self) -> String {
        if self.host.contains(':') && !self.host.starts_with('[') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// What a connection to it says in `Host`, where that is not set: a socket has no port.
    #[must_use]
    pub fn host_line(&self) -> String {
        match &self.socket {
            Some(_) => "localhost".to_owned(),
            None => self.authority(),
        }
    }

    /// How a connection to it says whose it is.
    #[must_use]
    pub fn credential(&self) -> Credential {
        match &self.socket {
            Some(socket) if !socket.with_token => Credential::None,
            _ if self.plain => Credential::Token,
            _ => Credential::Proof,
        }
    }
}

/// What opens the door on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Credential {
    /// At the daemon's own socket the system vouches for both ends.
    None,
    /// Both ends prove that they know the token.
    Proof,
    /// The token itself, to a daemon that knows no proof.
    Token,
}

/// Why no connection came about.
#[derive(Debug, thiserror::Error)]
pub enum Unreachable {
    /// There is no record of a daemon.
    #[error("no daemon is running ({0})")]
    Absent(String),
    /// The owner stopped it and has not started it again.
    #[error("stopped by you; run exai-daemon start")]
    Stopped,
    /// Something only its owner can put right: no token, an unreadable file. Not hot-retried.
    #[error("{0}")]
    Misconfigured(String),
    /// It was to be started, and did not start.
    #[error("the daemon could not be started: {0}")]
    NotStarted(String),
    /// The connection failed.
    #[error("{at}: {error}")]
    Connect {
        /// Where.
        at: String,
        /// How.
        error: io::Error,
    },
}

/// Makes connections, one at a time.
pub trait Dial: Send + 'static {
    /// The byte stream of a connection.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// Finds a daemon and connects to it; may start one first.
    fn dial(&mut self) -> impl Future<Output = Result<(Self::Stream, Target), Unreachable>> + Send;

    /// Resolves when an attempt made now has better prospects than the last one: the record
    /// of where the daemon is, or the token, changed. Must be cancel-safe.
    fn changed(&mut self) -> impl Future<Output = ()> + Send {
        std::future::pending()
    }

    /// Told before each attempt: whether anybody waits for it, or it is for later.
    fn wanted(&mut self, _wanted: bool) {}

    /// Who holds that port, for a message about a stranger; where the system tells.
    fn port_owner(&self, _port: u16) -> Option<String> {
        None
    }

    /// Whether the daemon's owner wants none to run: one that goes away then is followed by
    /// none until they say otherwise.
    fn is_stopped(&mut self) -> bool {
        false
    }
}

/// One TCP connection to `target`, without Nagle's delay.
///
/// # Errors
/// [`Unreachable::Connect`].
pub async fn connect_tcp(target: &Target) -> Result<TcpStream, Unreachable> {
    let failed = |error| Unreachable::Connect {
        at: target.authority(),
        error,
    };
    let host = target.host.trim_start_matches('[').trim_end_matches(']');
    let stream = TcpStream::connect((host, target.port))
        .await
        .map_err(failed)?;
    stream.set_nodelay(true).map_err(failed)?;
    Ok(stream)
}

/// One connection to `target`: through its socket where that leads to a daemon of ours, else over
/// TCP. The target that comes back says which.
///
/// # Errors
/// [`Unreachable::Connect`].
pub async fn connect(mut target: Target) -> Result<(Stream, Target), Unreachable> {
    #[cfg(unix)]
    if let Some(socket) = &target.socket {
        match connect_unix(socket).await {
            Ok(stream) => return Ok((Stream::Unix(stream), target)),
            Err(error) => {
                tracing::debug!(path = %socket.path.display(), %error, "not through the socket");
            }
        }
    }
    target.socket = None;
    Ok((Stream::Tcp(connect_tcp(&target).await?), target))
}

/// A connection whose other end is proven to run as the user it should.
#[cfg(unix)]
async fn connect_unix(socket: &Socket) -> io::Result<tokio::net::UnixStream> {
    let stream = tokio::net::UnixStream::connect(&socket.path).await?;
    let theirs = stream.peer_cred()?.uid();
    if theirs == socket.user {
        Ok(stream)
    } else {
        Err(io::Error::other(format!(
            "it is served by user {theirs}, not by {}",
            socket.user
        )))
    }
}

/// Dials one fixed place.
pub struct TcpDial {
    target: Target,
}

impl TcpDial {
    /// Always this target.
    #[must_use]
    pub fn new(target: Target) -> Self {
        Self { target }
    }
}

impl Dial for TcpDial {
    type Stream = TcpStream;

    async fn dial(&mut self) -> Result<(TcpStream, Target), Unreachable> {
        let target = Target {
            socket: None,
            ..self.target.clone()
        };
        Ok((connect_tcp(&target).await?, target))
    }
}

/// What a binary knows of its daemon's whereabouts; the sync part reads a small file or two.
pub trait Rendezvous: Send + 'static {
    /// Where the daemon should be.
    ///
    /// # Errors
    /// Why that is not known.
    fn locate(&mut self) -> Result<Target, Unreachable>;

    /// A number that changes when [`Rendezvous::locate`] may answer otherwise.
    fn fingerprint(&mut self) -> u64;

    /// Starts a daemon where none answers and that is allowed; `false` when it is not
    /// allowed (or too soon), so that `locate` or the connection says what is wrong.
    fn start(&mut self) -> impl Future<Output = Result<bool, Unreachable>> + Send {
        std::future::ready(Ok(false))
    }

    /// See [`Dial::wanted`].
    fn wanted(&mut self, _wanted: bool) {}

    /// See [`Dial::port_owner`].
    fn port_owner(&self, _port: u16) -> Option<String> {
        None
    }

    /// Whether the daemon's owner stopped it and has not started it again.
    fn is_stopped(&mut self) -> bool {
        false
    }
}

/// Dials where a [`Rendezvous`] points, and looks again when it points elsewhere.
pub struct WatchedDial<R> {
    rendezvous: R,
    seen: Option<u64>,
    every: Duration,
}

impl<R: Rendezvous> WatchedDial<R> {
    /// Looks at the fingerprint five times a second while there is no connection.
    #[must_use]
    pub fn new(rendezvous: R) -> Self {
        Self {
            rendezvous,
            seen: None,
            every: Duration::from_millis(200),
        }
    }

    async fn once(&mut self) -> Result<(Stream, Target), Unreachable> {
        connect(self.rendezvous.locate()?).await
    }
}

impl<R: Rendezvous> Dial for WatchedDial<R> {
    type Stream = Stream;

    async fn dial(&mut self) -> Result<(Stream, Target), Unreachable> {
        self.seen = Some(self.rendezvous.fingerprint());
        let failure = match self.once().await {
            Ok(connected) => return Ok(connected),
            Err(failure) => failure,
        };
        if !nobody_there(&failure) || !self.rendezvous.start().await? {
            return Err(failure);
        }
        self.seen = Some(self.rendezvous.fingerprint());
        self.once().await
    }

    async fn changed(&mut self) {
        loop {
            tokio::time::sleep(self.every).await;
            let now = self.rendezvous.fingerprint();
            if self.seen.replace(now) != Some(now) {
                return;
            }
        }
    }

    fn wanted(&mut self, wanted: bool) {
        self.rendezvous.wanted(wanted);
    }

    fn port_owner(&self, port: u16) -> Option<String> {
        self.rendezvous.port_owner(port)
    }

    fn is_stopped(&mut self) -> bool {
        self.rendezvous.is_stopped()
    }
}

/// A refused connection is the sign of a record that outlived its daemon.
fn nobody_there(failure: &Unreachable) -> bool {
    match failure {
        Unreachable::Absent(_) => true,
        Unreachable::Connect { error, .. } => error.kind() == io::ErrorKind::ConnectionRefused,
        _ => false,
    }
}
