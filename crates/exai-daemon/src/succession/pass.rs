//! Descriptors through a socket: the lock and the listeners, which are never closed on the way.

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use std::{
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::fd::{BorrowedFd, OwnedFd},
};
use tokio::{io::Interest, net::UnixStream};

/// Descriptors at most.
const MOST: usize = 16;
/// Goes with them, because something must.
const MARK: [u8; 1] = *b"!";

/// Sends all of them with one byte.
pub(super) async fn send(stream: &UnixStream, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    if descriptors.len() > MOST {
        return Err(io::Error::other("too many listeners to pass on"));
    }
    let send = || {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        control.push(SendAncillaryMessage::ScmRights(descriptors));
        let sent = sendmsg(
            stream,
            &[IoSlice::new(&MARK)],
            &mut control,
            SendFlags::empty(),
        );
        sent.map_err(io::Error::from)
    };
    stream.async_io(Interest::WRITABLE, send).await.map(|_| ())
}

/// Takes them; exactly one byte is read, so that what follows is still there.
pub(super) async fn receive(stream: &UnixStream) -> io::Result<Vec<OwnedFd>> {
    let receive = || {
        let mut mark = [0; MARK.len()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let got = recvmsg(
            stream,
            &mut [IoSliceMut::new(&mut mark)],
            &mut control,
            flags(),
        )?;
        if got.bytes == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut descriptors = Vec::new();
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(passed) = message {
                descriptors.extend(passed);
            }
        }
        (mark == MARK)
            .then_some(descriptors)
            .ok_or_else(|| io::Error::other("something else came where descriptors were expected"))
    };
    let descriptors = stream.async_io(Interest::READABLE, receive).await?;
    for descriptor in &descriptors {
        rustix::io::fcntl_setfd(descriptor, rustix::io::FdFlags::CLOEXEC)?;
    }
    Ok(descriptors)
}

/// No child inherits them, not even one that is started this very moment.
#[cfg(target_os = "linux")]
fn flags() -> RecvFlags {
    RecvFlags::CMSG_CLOEXEC
}

/// Others have to be told afterwards. Not run here.
#[cfg(not(target_os = "linux"))]
fn flags() -> RecvFlags {
    RecvFlags::empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs::File, os::fd::AsFd as _};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    #[tokio::test]
    async fn a_lock_is_passed_on_and_never_free() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let lock = File::create(&path).unwrap();
        lock.try_lock().unwrap();
        let is_free = || File::open(&path).unwrap().try_lock_shared().is_ok();
        let (mut elder, mut heir) = UnixStream::pair().unwrap();
        send(&elder, &[lock.as_fd()]).await.unwrap();
        elder.write_all(b"more").await.unwrap();
        drop(lock);
        assert!(!is_free(), "it is on its way");
        let passed = receive(&heir).await.unwrap();
        let mut rest = [0; 4];
        heir.read_exact(&mut rest).await.unwrap();
        assert_eq!((passed.len(), &rest), (1, b"more"));
        assert!(!is_free());
        drop(passed);
        assert!(is_free());
    }
}
