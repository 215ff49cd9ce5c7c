//! How a client reaches a daemon. The client opens no file and starts no process: whoever
//! builds it says where the daemon is found, and what may be done when none is there.

use exai_protocol::Secret;
use std::{future::Future, io, time::Duration};
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
        Ok((connect_tcp(&self.target).await?, self.target.clone()))
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

    async fn once(&mut self) -> Result<(TcpStream, Target), Unreachable> {
        let target = self.rendezvous.locate()?;
        Ok((connect_tcp(&target).await?, target))
    }
}

impl<R: Rendezvous> Dial for WatchedDial<R> {
    type Stream = TcpStream;

    async fn dial(&mut self) -> Result<(TcpStream, Target), Unreachable> {
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
