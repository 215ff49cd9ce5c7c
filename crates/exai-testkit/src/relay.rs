//! A port in front of a port, whose link can be cut or frozen: what a container's port
//! mapping, a sleeping laptop or a lost network look like from the shim.

use crate::{Must as _, free_port};
use std::{
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::JoinSet,
};

/// No cut is planned.
const NEVER: u64 = u64::MAX;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Link {
    /// Bytes wait; nobody is told.
    frozen: bool,
    /// Connections older than this many cuts end.
    cuts: u64,
    /// Connections older than this many swallows are carried no further, and stay open.
    swallows: u64,
}

/// A relay; everything it carries ends when it is dropped.
pub struct Relay {
    port: u16,
    link: watch::Sender<Link>,
    left: Arc<AtomicU64>,
    carried: Arc<AtomicU64>,
    served: Arc<AtomicU64>,
    _accepting: JoinSet<()>,
}

/// What all connections share.
#[derive(Clone)]
struct Shared {
    target: u16,
    link: watch::Receiver<Link>,
    left: Arc<AtomicU64>,
    carried: Arc<AtomicU64>,
    served: Arc<AtomicU64>,
}

impl Relay {
    /// A relay from a fresh port to this one.
    pub async fn to(target: u16) -> Self {
        let port = free_port();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .await
            .must("listen as a relay");
        let (link, seen) = watch::channel(Link {
            frozen: false,
            cuts: 0,
            swallows: 0,
        });
        let left = Arc::new(AtomicU64::new(NEVER));
        let (carried, served) = (Arc::default(), Arc::default());
        let shared = Shared {
            target,
            link: seen,
            left: Arc::clone(&left),
            carried: Arc::clone(&carried),
            served: Arc::clone(&served),
        };
        let mut accepting = JoinSet::new();
        accepting.spawn(accept(listener, shared));
        Self {
            port,
            link,
            left,
            carried,
            served,
            _accepting: accepting,
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Ends every connection; new ones are served.
    pub fn cut(&mut self) {
        self.link.send_modify(|link| link.cuts += 1);
    }

    /// Ends a connection in the middle of what it carries: once this many more bytes, of both
    /// directions and all connections, have passed. Then all is well again.
    pub fn cut_after(&mut self, bytes: u64) {
        self.left.store(bytes, Ordering::SeqCst);
    }

    /// Whether no planned cut is still to come.
    #[must_use]
    pub fn has_cut(&self) -> bool {
        self.left.load(Ordering::SeqCst) == NEVER
    }

    /// Lets nothing through in either direction, and tells nobody.
    pub fn freeze(&mut self) {
        self.link.send_modify(|link| link.frozen = true);
    }

    /// Lets everything through again, what waited first.
    pub fn thaw(&mut self) {
        self.link.send_modify(|link| link.frozen = false);
    }

    /// Present connections stay open and carry nothing any more, as when an address has
    /// changed hands; new ones are served.
    pub fn swallow(&mut self) {
        self.link.send_modify(|link| link.swallows += 1);
    }

    /// Bytes carried so far, of both directions.
    #[must_use]
    pub fn carried(&self) -> u64 {
        self.carried.load(Ordering::SeqCst)
    }

    /// Connections taken so far.
    #[must_use]
    pub fn served(&self) -> u64 {
        self.served.load(Ordering::SeqCst)
    }
}

async fn accept(listener: TcpListener, shared: Shared) {
    let mut pairs = JoinSet::new();
    while let Ok((near, _)) = listener.accept().await {
        shared.served.fetch_add(1, Ordering::SeqCst);
        pairs.spawn(carry(near, shared.clone()));
    }
}

async fn carry(near: TcpStream, mut shared: Shared) {
    // What happened before this connection does not concern it.
    let born = *shared.link.borrow_and_update();
    let Ok(far) = TcpStream::connect((Ipv4Addr::LOCALHOST, shared.target)).await else {
        return;
    };
    // Without these two a relay would add its own delay to every small frame.
    let _ = (near.set_nodelay(true), far.set_nodelay(true));
    let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
    let mut cut = shared.link.clone();
    tokio::select! {
        () = pump(near_in, far_out, shared.clone(), born) => {}
        () = pump(far_in, near_out, shared, born) => {}
        _ = cut.wait_for(|link| link.cuts > born.cuts) => {}
    }
}

async fn pump(mut from: OwnedReadHalf, mut into: OwnedWriteHalf, mut shared: Shared, born: Link) {
    let open = |link: &Link| !link.frozen && link.swallows == born.swallows;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = from.read(&mut buffer).await.unwrap_or(0);
        // Swallowed connections wait here for ever, or until they are cut.
        if read == 0 || shared.link.wait_for(open).await.is_err() {
            return;
        }
        let (pass, cut) = shared.may_pass(read as u64);
        let pass = usize::try_from(pass).unwrap_or(read);
        if into.write_all(&buffer[..pass]).await.is_err() {
            return;
        }
        shared.carried.fetch_add(pass as u64, Ordering::SeqCst);
        if cut {
            // What was written is in the system's hands and arrives before the end.
            return;
        }
    }
}

impl Shared {
    /// How many of these bytes may pass, and whether that is the end.
    fn may_pass(&self, bytes: u64) -> (u64, bool) {
        let mut answer = (bytes, false);
        // Never refused: the closure always gives a new value.
        let _ = self
            .left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                answer = (bytes.min(left), left != NEVER && left <= bytes);
                Some(match left {
                    NEVER => NEVER,
                    left if left <= bytes => NEVER,
                    left => left - bytes,
                })
            });
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::time::timeout;

    /// Echoes one connection after the other.
    async fn echo(listener: TcpListener) {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (mut reader, mut writer) = stream.split();
            let _ = tokio::io::copy(&mut reader, &mut writer).await;
        }
    }

    async fn says(stream: &mut TcpStream, word: &[u8; 4]) -> Option<[u8; 4]> {
        stream.write_all(word).await.ok()?;
        let mut heard = [0; 4];
        let read = timeout(Duration::from_millis(300), stream.read_exact(&mut heard)).await;
        matches!(read, Ok(Ok(_))).then_some(heard)
    }

    #[tokio::test]
    async fn it_carries_freezes_thaws_and_cuts() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let target = listener.local_addr().unwrap().port();
        let mut serving = JoinSet::new();
        serving.spawn(echo(listener));
        let mut relay = Relay::to(target).await;

        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, relay.port()))
            .await
            .unwrap();
        assert_eq!(says(&mut stream, b"one.").await, Some(*b"one."));
        relay.freeze();
        assert_eq!(says(&mut stream, b"two.").await, None);
        relay.thaw();
        let mut late = [0; 4];
        timeout(crate::PATIENCE, stream.read_exact(&mut late))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(&late, b"two.");
        relay.cut();
        assert_eq!(
            timeout(crate::PATIENCE, stream.read(&mut late))
                .await
                .unwrap()
                .unwrap_or(0),
            0
        );
        let mut again = TcpStream::connect((Ipv4Addr::LOCALHOST, relay.port()))
            .await
            .unwrap();
        assert_eq!(says(&mut again, b"four").await, Some(*b"four"));
    }

    #[tokio::test]
    async fn it_swallows_the_old_and_cuts_in_the_middle() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let target = listener.local_addr().unwrap().port();
        let mut relay = Relay::to(target).await;
        let connect = async |relay: &Relay| {
            let near = TcpStream::connect((Ipv4Addr::LOCALHOST, relay.port()));
            let (near, far) = tokio::join!(near, listener.accept());
            (near.unwrap(), far.unwrap().0)
        };
        let (mut old, _old_far) = connect(&relay).await;
        relay.swallow();
        assert_eq!(says(&mut old, b"lost").await, None);

        let (mut near, mut far) = connect(&relay).await;
        relay.cut_after(6);
        near.write_all(b"12345678").await.unwrap();
        let mut heard = Vec::new();
        // A reset after the last byte is an end as well.
        let _ = timeout(crate::PATIENCE, far.read_to_end(&mut heard))
            .await
            .unwrap();
        assert_eq!(heard, b"123456");
        assert!(relay.has_cut());
        assert_eq!((relay.carried(), relay.served()), (6, 2));
    }
}
