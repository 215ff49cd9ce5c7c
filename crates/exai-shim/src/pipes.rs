//! The standard streams, without a thread per read where the system allows it. Flags that other
//! processes could share are left alone: a pipe is opened anew through /proc, and only a socket,
//! which a client makes for us alone, is switched to non-blocking.

use tokio::io::{AsyncRead, AsyncWrite};

/// Where lines come from.
pub(crate) type Input = Box<dyn AsyncRead + Send + Unpin>;
/// Where lines go.
pub(crate) type Out = Box<dyn AsyncWrite + Send + Unpin>;

/// stdin and stdout; call it within the runtime.
pub(crate) fn open() -> (Input, Out) {
    #[cfg(unix)]
    let (input, out) = (unix::input(), unix::out());
    #[cfg(not(unix))]
    let (input, out): (Option<Input>, Option<Out>) = (None, None);
    (
        input.unwrap_or_else(|| Box::new(tokio::io::stdin())),
        out.unwrap_or_else(|| Box::new(tokio::io::stdout())),
    )
}

/// Waits until nobody can read stdout any more, which a shim that has nothing to say would not
/// notice; for ever where the system does not tell. Call it within the runtime.
pub(crate) async fn reader_gone() {
    #[cfg(unix)]
    if unix::reader_gone().await.is_some() {
        return;
    }
    std::future::pending().await
}

#[cfg(unix)]
mod unix {
    use super::{Input, Out};
    use std::{
        fs::File,
        io,
        os::{
            fd::{AsFd, BorrowedFd},
            unix::{
                fs::{FileTypeExt, MetadataExt},
                net::UnixStream,
            },
        },
    };
    use tokio::io::Interest;

    pub(super) fn input() -> Option<Input> {
        let stdin = io::stdin();
        let fd = stdin.as_fd();
        #[cfg(target_os = "linux")]
        if is(fd, FileTypeExt::is_fifo) {
            let fd = reopen(0, false)?;
            let pipe = tokio::net::unix::pipe::Receiver::from_owned_fd(fd).ok()?;
            return Some(Box::new(pipe));
        }
        Some(Box::new(socket(fd)?))
    }

    pub(super) fn out() -> Option<Out> {
        let stdout = io::stdout();
        let fd = stdout.as_fd();
        #[cfg(target_os = "linux")]
        if is(fd, FileTypeExt::is_fifo) {
            let fd = reopen(1, true)?;
            let pipe = tokio::net::unix::pipe::Sender::from_owned_fd(fd).ok()?;
            return Some(Box::new(pipe));
        }
        Some(Box::new(socket(fd)?))
    }

    /// `None` where the system does not tell.
    pub(super) async fn reader_gone() -> Option<()> {
        let stdout = io::stdout();
        let fd = stdout.as_fd();
        #[cfg(target_os = "linux")]
        if is(fd, FileTypeExt::is_fifo) {
            let pipe = tokio::net::unix::pipe::Sender::from_owned_fd(reopen(1, true)?).ok()?;
            return pipe.ready(Interest::ERROR).await.ok().map(drop);
        }
        // Nobody writes to this end; but one socket may be both stdin and stdout, and then it is
        // stdin's reader that sees its end.
        let shared = inode(io::stdin().as_fd()) == inode(fd);
        let socket = socket(fd).filter(|_| !shared)?;
        let ready = socket.ready(Interest::READABLE).await.ok()?;
        ready.is_read_closed().then_some(())
    }

    fn inode(fd: BorrowedFd<'_>) -> Option<(u64, u64)> {
        let meta = File::from(fd.try_clone_to_owned().ok()?).metadata().ok()?;
        Some((meta.dev(), meta.ino()))
    }

    fn is(fd: BorrowedFd<'_>, kind: fn(&std::fs::FileType) -> bool) -> bool {
        let meta = fd
            .try_clone_to_owned()
            .map(File::from)
            .and_then(|file| file.metadata());
        meta.is_ok_and(|meta| kind(&meta.file_type()))
    }

    /// The same pipe with a description, and so with flags, of our own.
    #[cfg(target_os = "linux")]
    fn reopen(number: u8, write: bool) -> Option<std::os::fd::OwnedFd> {
        use rustix::fs::{Mode, OFlags, open};
        let access = if write {
            OFlags::WRONLY
        } else {
            OFlags::RDONLY
        };
        let flags = access | OFlags::NONBLOCK | OFlags::CLOEXEC;
        open(format!("/proc/self/fd/{number}"), flags, Mode::empty()).ok()
    }

    fn socket(fd: BorrowedFd<'_>) -> Option<tokio::net::UnixStream> {
        if !is(fd, FileTypeExt::is_socket) {
            return None;
        }
        let stream = UnixStream::from(fd.try_clone_to_owned().ok()?);
        stream.set_nonblocking(true).ok()?;
        tokio::net::UnixStream::from_std(stream).ok()
    }
}
