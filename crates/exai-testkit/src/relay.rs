//! A port in front of a port, whose link can be cut or frozen: what a container's port
//! mapping, a sleeping laptop or a lost network look like from the shim.

use crate::{Must as _, free_port};
use std::net::Ipv4Addr;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::JoinSet,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Link {
    Open,
    /// Bytes wait; nobody is told.
    Frozen,
    /// Every connection of this generation ends.
    Cut(u64),
}

/// A relay; everything it carries ends when it is dropped.
pub struct Relay {
    port: u16,
    link: watch::Sender<Link>,
    cuts: u64,
    _accepting: JoinSet<()>,
}

impl Relay {
    /// A relay from a fresh port to this one.
    pub async fn to(target: u16) -> Self {
        let port = free_port();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .await
            .must("listen as a relay");
        let (link, seen) = watch::channel(Link::Open);
        let mut accepting = JoinSet::new();
        accepting.spawn(accept(listener, target, seen));
        Self {
            port,
            link,
            cuts: 0,
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
        self.cuts += 1;
        self.link.send_replace(Link::Cut(self.cuts));
    }

    /// Lets nothing through in either direction, and tells nobody.
    pub fn freeze(&mut self) {
        self.link.send_replace(Link::Frozen);
    }

    /// Lets everything through again, what waited first.
    pub fn thaw(&mut self) {
        self.link.send_replace(Link::Open);
    }
}

async fn accept(listener: TcpListener, target: u16, link: watch::Receiver<Link>) {
    let mut pairs = JoinSet::new();
    while let Ok((near, _)) = listener.accept().await {
        let mut seen = link.clone();
        // A cut that happened before this connection does not concern it.
        seen.borrow_and_update();
        pairs.spawn(carry(near, target, seen));
    }
}

async fn carry(near: TcpStream, target: u16, link: watch::Receiver<Link>) {
    let Ok(far) = TcpStream::connect((Ipv4Addr::LOCALHOST, target)).await else {
        return;
    };
    // Without these two a relay would add its own delay to every small frame.
    let _ = (near.set_nodelay(true), far.set_nodelay(true));
    let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
    let mut cut = link.clone();
    tokio::select! {
        () = pump(near_in, far_out, link.clone()) => {}
        () = pump(far_in, near_out, link) => {}
        () = until_cut(&mut cut) => {}
    }
}

async fn until_cut(link: &mut watch::Receiver<Link>) {
    while link.changed().await.is_ok() {
        if matches!(*link.borrow_and_update(), Link::Cut(_)) {
            return;
        }
    }
}

async fn pump(mut from: OwnedReadHalf, mut into: OwnedWriteHalf, mut link: watch::Receiver<Link>) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = from.read(&mut buffer).await.unwrap_or(0);
        if read == 0 || link.wait_for(|link| *link != Link::Frozen).await.is_err() {
            return;
        }
        if into.write_all(&buffer[..read]).await.is_err() {
            return;
        }
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
}
