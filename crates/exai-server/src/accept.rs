//! The door. A place among the pending handshakes is taken before a connection is, so that a
//! crowd waits in the system's backlog and not in our memory.

use crate::{Control, Settings, Shared, auth::Failures, connection, handshake};
use exai_engine::Engine;
use std::{future::Future, io, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Where connections come from.
pub trait Listener: Send + 'static {
    /// What a connection is.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;
    /// Who is at the other end, for the log; empty where that cannot be said.
    fn peer(_: &Self::Stream) -> String {
        String::new()
    }
    /// Waits for the next one; cancel-safe.
    fn accept(&mut self) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}

impl Listener for TcpListener {
    type Stream = TcpStream;

    fn peer(stream: &TcpStream) -> String {
        stream
            .peer_addr()
            .map_or_else(|_| String::new(), |address| address.to_string())
    }

    async fn accept(&mut self) -> io::Result<TcpStream> {
        let (stream, _) = TcpListener::accept(self).await?;
        // Small frames must not wait for company. It fails only for a peer that is gone again,
        // which is no fault of the listener.
        let _ = stream.set_nodelay(true);
        Ok(stream)
    }
}

/// What a listener serves.
pub struct Server<C> {
    shared: Arc<Shared<C>>,
}

impl<C: Control> Server<C> {
    /// An edge for this engine.
    #[must_use]
    pub fn new(engine: Arc<Engine>, control: Arc<C>, settings: Settings) -> Self {
        let failures = Failures::new();
        Self {
            shared: Arc::new(Shared {
                engine,
                control,
                settings,
                failures,
            }),
        }
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
        let peer = L::peer(&stream);
        let (shared, goodbye) = (Arc::clone(&server.shared), goodbye.clone());
        connections.spawn(async move {
            let welcomed = tokio::select! {
                welcomed = Box::pin(handshake::welcome(stream, peer, &shared)) => welcomed,
                () = goodbye.cancelled() => None,
            };
            drop(place);
            if let Some(welcomed) = welcomed {
                connection::run(welcomed, shared, goodbye).await;
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
