//! A stream that may be read only so far until its peer has proven itself: the whole of the
//! upgrade and the hello cost a stranger's connection no more than a few kilobytes.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll},
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

const UNLIMITED: usize = usize::MAX;

/// The bytes a stranger may still send.
#[derive(Clone)]
pub(crate) struct Budget(Arc<AtomicUsize>);

impl Budget {
    pub(crate) fn new(bytes: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(bytes)))
    }

    /// Sets what may be read from here on.
    pub(crate) fn renew(&self, bytes: usize) {
        self.0.store(bytes, Relaxed);
    }

    /// The peer is known: no budget any more.
    pub(crate) fn lift(&self) {
        self.0.store(UNLIMITED, Relaxed);
    }
}

pub(crate) struct Budgeted<S> {
    stream: S,
    budget: Budget,
    written: u64,
}

impl<S> Budgeted<S> {
    /// Bytes that the system has taken for the peer.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    fn count(&mut self, polled: &Poll<io::Result<usize>>) {
        if let Poll::Ready(Ok(bytes)) = polled {
            self.written += *bytes as u64;
        }
    }

    pub(crate) fn new(stream: S, budget: Budget) -> Self {
        Self {
            stream,
            budget,
            written: 0,
        }
    }
}

impl<S: AsyncRead + Unpin> Budgeted<S> {
    /// Takes what still comes and throws it away, until the peer hangs up: unread bytes would
    /// make the system reset the connection before our last frame is read.
    pub(crate) async fn discard(&mut self) {
        let mut bytes = [0; 1024];
        while self
            .stream
            .read(&mut bytes)
            .await
            .is_ok_and(|count| count > 0)
        {}
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Budgeted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let left = self.budget.0.load(Relaxed);
        if left == UNLIMITED {
            return Pin::new(&mut self.stream).poll_read(context, buffer);
        }
        if left == 0 {
            return Poll::Ready(Err(io::Error::other("too many bytes before the hello")));
        }
        let room = buffer.remaining().min(left);
        let mut part = ReadBuf::new(buffer.initialize_unfilled_to(room));
        let polled = Pin::new(&mut self.stream).poll_read(context, &mut part);
        let read = part.filled().len();
        buffer.advance(read);
        self.budget.0.store(left - read, Relaxed);
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Budgeted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.count(&polled);
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.count(&polled);
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
