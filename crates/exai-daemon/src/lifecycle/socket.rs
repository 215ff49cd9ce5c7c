//! The home's Unix socket: bound under the home's lock, which proves that whatever stands in its
//! place was left by the dead; served to the home's user alone; put back when somebody removes it;
//! removed at the end. Without one the daemon goes on over TCP and says why.

use super::tcp::BACKLOG;
use exai_config::{Home, socket};
use exai_server::{Caller, Listener};
use std::{
    fs::{Metadata, Permissions},
    io,
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _},
    },
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::{
    net::{UnixListener, UnixSocket, UnixStream},
    time::sleep,
};

/// Between two looks whether the socket still stands where it was put.
const LOOK: Duration = Duration::from_secs(5);

/// A bound socket. Keeps watch over its place in the file system for as long as it is served.
pub(crate) struct Socket {
    listener: UnixListener,
    path: PathBuf,
    /// What was put there: device and number.
    put: (u64, u64),
}

impl Socket {
    /// Binds the socket of a home whose lock this process holds.
    pub(crate) fn open(home: &Home) -> io::Result<Self> {
        let short = [std::env::temp_dir(), PathBuf::from("/tmp")];
        let path = socket::place(home, &short)?;
        let (listener, put) = bind(&path)?;
        Ok(Self {
            listener,
            path,
            put,
        })
    }

    /// Goes on with a descriptor that [`Socket::lend`] made; `None` where it is no Unix socket. What
    /// does not stand at its path any more is bound anew at the next look.
    pub(crate) fn adopt(lent: &OwnedFd) -> io::Result<Option<Self>> {
        let listener = std::os::unix::net::UnixListener::from(lent.try_clone()?);
        let path = match listener.local_addr() {
            Ok(address) => address.as_pathname().map(Path::to_owned),
            Err(_) => None,
        };
        let Some(path) = path else {
            return Ok(None);
        };
        listener.set_nonblocking(true)?;
        let listener = UnixListener::from_std(listener)?;
        let put = identity(&path).unwrap_or_default();
        Ok(Some(Self {
            listener,
            path,
            put,
        }))
    }

    /// Where it stands.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// See [`super::door::Door::lend`].
    pub(crate) fn lend(&self) -> io::Result<OwnedFd> {
        self.listener.as_fd().try_clone_to_owned()
    }

    /// Binds anew where the socket was removed; a file of somebody else's in its place stays.
    fn put_back(&mut self) {
        if identity(&self.path) == Some(self.put) {
            return;
        }
        match bind(&self.path) {
            Ok((listener, put)) => {
                tracing::warn!(path = %self.path.display(), "the socket was removed; it stands again");
                (self.listener, self.put) = (listener, put);
            }
            Err(error) => {
                tracing::debug!(path = %self.path.display(), %error, "the socket is gone");
            }
        }
    }
}

impl Listener for Socket {
    type Stream = UnixStream;

    fn caller(stream: &UnixStream) -> Caller {
        match stream.peer_cred() {
            Ok(peer) => Caller::process(peer.pid(), peer.uid(), socket::user()),
            // Nobody is taken for the owner on no evidence.
            Err(_) => Caller::default(),
        }
    }

    async fn accept(&mut self) -> io::Result<UnixStream> {
        loop {
            tokio::select! {
                accepted = self.listener.accept() => return accepted.map(|(stream, _)| stream),
                () = sleep(LOOK) => self.put_back(),
            }
        }
    }
}

/// Removes what a daemon of this home put there, if it is a socket of ours.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(meta) if is_ours(&meta) => std::fs::remove_file(path),
        Ok(_) => Err(io::Error::other(
            "it is not a socket of ours, and is left as it is",
        )),
    }
}

fn bind(path: &Path) -> io::Result<(UnixListener, (u64, u64))> {
    let listener = open_for_owner(path)?;
    let put = identity(path).ok_or_else(|| io::Error::other("it was removed at once"))?;
    Ok((listener, put))
}

/// A socket that is its owner's alone from its first moment, in the place of one of ours.
pub(crate) fn open_for_owner(path: &Path) -> io::Result<UnixListener> {
    const MODE: u32 = 0o600;
    remove(path)?;
    let socket = UnixSocket::new_stream()?;
    // What is bound gets the mode of the descriptor; other systems than Linux refuse that, and
    // there the folder, which is ours alone, has to do for the moment until the next line but one.
    #[cfg(target_os = "linux")]
    rustix::fs::fchmod(&socket, rustix::fs::Mode::from_raw_mode(MODE))?;
    socket.bind(path)?;
    std::fs::set_permissions(path, Permissions::from_mode(MODE))?;
    socket.listen(BACKLOG)
}

fn is_ours(meta: &Metadata) -> bool {
    meta.file_type().is_socket() && meta.uid() == socket::user()
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    let meta = path.symlink_metadata().ok()?;
    Some((meta.dev(), meta.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a client at the path hears of, whoever accepts.
    async fn heard(socket: &mut Socket) -> bool {
        let (client, server) =
            tokio::join!(UnixStream::connect(socket.path.clone()), socket.accept());
        client.is_ok() && Socket::caller(&server.unwrap()).name.starts_with("pid ")
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn s07_a_bound_socket_is_never_open_to_others() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bound");
        // As in `open_for_owner`, stopped before the mode is set at the path.
        let socket = UnixSocket::new_stream().unwrap();
        rustix::fs::fchmod(&socket, rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
        socket.bind(&path).unwrap();
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o600);
        open_for_owner(&path).unwrap();
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o600);
    }

    #[tokio::test]
    async fn a_lent_descriptor_goes_on_where_its_owner_stops() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(dir.path());
        home.prepare().unwrap();
        let mut elder = Socket::open(&home).unwrap();
        assert!(heard(&mut elder).await);
        let lent = elder.lend().unwrap();
        let mut heir = Socket::adopt(&lent).unwrap().unwrap();
        // Nobody is turned away in between: who came before the heir looked waits for it.
        let waiting = UnixStream::connect(heir.path().to_owned()).await.unwrap();
        drop(elder);
        heir.accept().await.unwrap();
        drop(waiting);
        assert!(heard(&mut heir).await);
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        assert!(Socket::adopt(&port.into()).unwrap().is_none());
        remove(heir.path()).unwrap();
        heir.put_back();
        assert!(heard(&mut heir).await, "it stands again");
    }
}
