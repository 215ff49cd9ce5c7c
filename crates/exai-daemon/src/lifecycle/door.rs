//! The doors of a daemon: the listening sockets through which peers come, as one plain list that
//! is served, lent to a successor, or closed as a whole.

use crate::{control::Daemon, lifecycle::tcp};
use exai_config::{Home, settings::Network};
use exai_server::{Caller, Listener, Server};
use std::io;
use tokio::{net::TcpListener, sync::watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

#[cfg(unix)]
use crate::lifecycle::socket::Socket;
#[cfg(unix)]
use std::os::fd::{AsFd as _, OwnedFd};

/// One listening socket.
pub(crate) enum Door {
    /// A port, for everybody who has the token.
    Tcp(TcpListener),
    /// The home's Unix socket, for its owner's programs.
    #[cfg(unix)]
    Unix(Socket),
}

impl Door {
    /// Opens the port of the settings.
    pub(crate) async fn tcp(host: &str, port: u16) -> io::Result<Self> {
        tcp::open(host, port).await.map(Self::Tcp)
    }

    /// A second descriptor of the listening socket: who is given it can go on accepting where
    /// this process stops, with nobody turned away in between.
    #[cfg(unix)]
    pub(crate) fn lend(&self) -> io::Result<OwnedFd> {
        match self {
            Self::Tcp(listener) => listener.as_fd().try_clone_to_owned(),
            Self::Unix(socket) => socket.lend(),
        }
    }

    /// The door a descriptor was lent of.
    #[cfg(unix)]
    pub(crate) fn adopt(lent: OwnedFd) -> io::Result<Self> {
        if let Some(socket) = Socket::adopt(&lent)? {
            return Ok(Self::Unix(socket));
        }
        let listener = std::net::TcpListener::from(lent);
        listener.set_nonblocking(true)?;
        TcpListener::from_std(listener).map(Self::Tcp)
    }

    /// Its port, if it is one.
    pub(crate) fn port(&self) -> Option<u16> {
        match self {
            Self::Tcp(listener) => listener.local_addr().ok().map(|address| address.port()),
            #[cfg(unix)]
            Self::Unix(_) => None,
        }
    }

    /// Its path, if it is a socket that has one which can be written down.
    pub(crate) fn path(&self) -> Option<String> {
        match self {
            Self::Tcp(_) => None,
            #[cfg(unix)]
            Self::Unix(socket) => socket.path().to_str().map(str::to_owned),
        }
    }
}

/// Opens the port, without which there is no daemon, and the socket; or says why there is none.
pub(crate) async fn open(
    home: &Home,
    network: &Network,
) -> io::Result<(Vec<Door>, Option<String>)> {
    let doors = vec![Door::tcp(&network.host, network.port).await?];
    if network.unix_socket {
        Ok(with_socket(home, doors))
    } else {
        Ok((doors, None))
    }
}

#[cfg(unix)]
fn with_socket(home: &Home, mut doors: Vec<Door>) -> (Vec<Door>, Option<String>) {
    match Socket::open(home) {
        Ok(socket) => {
            doors.push(Door::Unix(socket));
            (doors, None)
        }
        Err(error) => {
            let place = home.socket_file();
            let trouble = format!(
                "there is no Unix socket at {}: {error}; windows connect over TCP, which is \
                 slower; move away what is there and restart the daemon",
                place.display()
            );
            (doors, Some(trouble))
        }
    }
}

/// Windows: named pipes would bring nothing that TCP with proof lacks; see the code map.
#[cfg(not(unix))]
fn with_socket(_: &Home, doors: Vec<Door>) -> (Vec<Door>, Option<String>) {
    (doors, None)
}

/// Serves all of them until `closing`, while the gate is open.
pub(crate) fn serve(
    doors: Vec<Door>,
    gate: &watch::Receiver<bool>,
    server: &Server<Daemon>,
    tasks: &TaskTracker,
    closing: &CancellationToken,
    goodbye: &CancellationToken,
) {
    for door in doors {
        let (server, closing, goodbye) = (server.clone(), closing.clone(), goodbye.clone());
        match door {
            Door::Tcp(listener) => {
                let gate = gate.clone();
                let gated = Gated { listener, gate };
                tasks.spawn(exai_server::serve(gated, server, closing, goodbye))
            }
            #[cfg(unix)]
            Door::Unix(listener) => {
                let gate = gate.clone();
                let gated = Gated { listener, gate };
                tasks.spawn(exai_server::serve(gated, server, closing, goodbye))
            }
        };
    }
}

/// A listener that accepts while its gate is open; whoever comes meanwhile waits in the system's
/// backlog, for us or for whom the listener is passed to.
pub(crate) struct Gated<L> {
    pub(crate) listener: L,
    pub(crate) gate: watch::Receiver<bool>,
}

impl<L: Listener> Listener for Gated<L> {
    type Stream = L::Stream;

    fn caller(stream: &L::Stream) -> Caller {
        L::caller(stream)
    }

    async fn accept(&mut self) -> io::Result<L::Stream> {
        let mut closes = self.gate.clone();
        loop {
            if self.gate.wait_for(|open| *open).await.is_err() {
                // Nobody is left who could open it.
                return std::future::pending().await;
            }
            tokio::select! {
                // First, so that nobody slips through who came after it was closed.
                biased;
                // Not where nobody is left who could close it: then it stays open.
                Ok(_) = closes.wait_for(|open| !open) => {}
                accepted = self.listener.accept() => return accepted,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::{io::DuplexStream, task::yield_now};

    /// Nobody ever comes; counts how often it is asked.
    #[derive(Default)]
    struct Quiet(usize);

    impl Listener for Quiet {
        type Stream = DuplexStream;

        async fn accept(&mut self) -> io::Result<DuplexStream> {
            self.0 += 1;
            std::future::pending().await
        }
    }

    #[tokio::test]
    async fn a_gate_that_nobody_holds_stays_as_it_is_and_costs_nothing() {
        for (open, asked) in [(true, 1), (false, 0)] {
            let (holder, gate) = watch::channel(open);
            drop(holder);
            let listener = Quiet::default();
            let mut gated = Gated { listener, gate };
            tokio::select! {
                biased;
                _ = gated.accept() => unreachable!("nobody comes"),
                () = async { for _ in 0..50 { yield_now().await } } => {}
            }
            assert_eq!(gated.listener.0, asked);
        }
    }

    /// Somebody comes once he may.
    struct Late(std::sync::Arc<tokio::sync::Notify>);

    impl Listener for Late {
        type Stream = DuplexStream;

        async fn accept(&mut self) -> io::Result<DuplexStream> {
            self.0.notified().await;
            Ok(tokio::io::duplex(1).0)
        }

        fn caller(_: &DuplexStream) -> Caller {
            unreachable!("nobody is let in")
        }
    }

    #[tokio::test]
    async fn r44_nobody_slips_through_a_gate_that_was_closed_before_he_came() {
        for _ in 0..50 {
            let (opens, gate) = watch::channel(true);
            let comes = std::sync::Arc::new(tokio::sync::Notify::new());
            let mut gated = Gated {
                listener: Late(std::sync::Arc::clone(&comes)),
                gate,
            };
            let mut accepts = tokio::task::JoinSet::new();
            accepts.spawn(async move { gated.accept().await.is_ok() });
            yield_now().await;
            opens.send_replace(false);
            comes.notify_one();
            for _ in 0..50 {
                yield_now().await;
            }
            assert!(accepts.try_join_next().is_none());
        }
    }
}
