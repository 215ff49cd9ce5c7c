//! The door. A place among the pending handshakes is taken before a connection is, so that a
//! crowd waits in the system's backlog and not in our memory. A daemon has several doors, each
//! with places of its own: a crowd at one keeps nobody out at another.

use crate::{
    Control, Failures, Settings, Shared,
    caller::Caller,
    connection,
    handshake::{self, Verdict},
};
use exai_engine::Engine;
use std::{future::Future, io, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Refusals held back at once; more are told without delay, as waiting is to cost them and not us.
const HELD_BACK: usize = 64;

/// Where connections come from.
pub trait Listener: Send + 'static {
    /// What a connection is.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;
    /// Who is at the other end, as far as the system says.
    fn caller(_: &Self::Stream) -> Caller {
        Caller::default()
    }
    /// Waits for the next one; cancel-safe.
    fn accept(&mut self) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}

impl Listener for TcpListener {
    type Stream = TcpStream;

    fn caller(stream: &TcpStream) -> Caller {
        stream.peer_addr().map(Caller::at).unwrap_or_default()
    }

    async fn accept(&mut self) -> io::Result<TcpStream> {
        let (stream, _) = TcpListener::accept(self).await?;
        // Small frames must not wait for company. It fails only for a peer that is gone again,
        // which is no fault of the listener.
        let _ = stream.set_nodelay(true);
        Ok(stream)
    }
}

/// What listeners serve; a clone serves another one.
pub struct Server<C> {
    shared: Arc<Shared<C>>,
}

impl<C> Clone for Server<C> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<C: Control> Server<C> {
    /// An edge for this engine.
    #[must_use]
    pub fn new(engine: Arc<Engine>, control: Arc<C>, settings: Settings) -> Self {
        Self {
            shared: Arc::new(Shared {
                engine,
                control,
                settings,
                failures: Arc::new(Failures::new()),
                held_back: Semaphore::new(HELD_BACK),
                moving: CancellationToken::new(),
            }),
        }
    }

    /// Who failed to come in lately.
    #[must_use]
    pub fn failures(&self) -> Arc<Failures> {
        Arc::clone(&self.shared.failures)
    }

    /// To be cancelled once another daemon listens here: connections are sent over to it. Peers
    /// that know how to come back go at once, the others when nothing of theirs runs any more.
    #[must_use]
    pub fn moving(&self) -> CancellationToken {
        self.shared.moving.clone()
    }
}

/// Accepts until `closing`; connections go on until `goodbye`, and all are gone on return.
pub async fn serve<L: Listener, C: Control>(
    mut listener: L,
    server: Server<C>,
    closing: CancellationToken,
    goodbye: CancellationToken,
) {
    let pending = Arc::new(Semaphore::new(server.shared.settings.pending_handshakes));
    let connections = TaskTracker::new();
    while let Some(stream) = next(&mut listener, &pending, &closing).await {
        let (stream, place) = stream;
        let caller = L::caller(&stream);
        let (shared, goodbye) = (Arc::clone(&server.shared), goodbye.clone());
        connections.spawn(async move {
            let welcomed = tokio::select! {
                welcomed = Box::pin(handshake::welcome(stream, caller, &shared)) => welcomed,
                () = goodbye.cancelled() => None,
            };
            // Who is refused slowly must not keep others out meanwhile.
            drop(place);
            match welcomed {
                Some(Verdict::Welcome(welcomed)) => {
                    connection::run(welcomed, shared, goodbye).await;
                }
                Some(Verdict::Refused(refused)) => tokio::select! {
                    () = Box::pin(refused.tell(&shared)) => {}
                    () = goodbye.cancelled() => {}
                },
                None => {}
            }
        });
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

type Place = tokio::sync::OwnedSemaphorePermit;

async fn next<L: Listener>(
    listener: &mut L,
    pending: &Arc<Semaphore>,
    closing: &CancellationToken,
) -> Option<(L::Stream, Place)> {
    loop {
        let accepted = tokio::select! {
            biased;
            () = closing.cancelled() => return None,
            accepted = async {
                let place = Arc::clone(pending).acquire_owned().await;
                (listener.accept().await, place)
            } => accepted,
        };
        match accepted {
            (Ok(stream), Ok(place)) => return Some((stream, place)),
            (Err(error), _) => {
                // Out of descriptors, most likely; the backlog holds the rest meanwhile.
                tracing::error!(%error, "cannot accept connections");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            (_, Err(_)) => return None,
        }
    }
}
