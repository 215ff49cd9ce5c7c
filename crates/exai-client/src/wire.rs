//! One live connection, polled from one place: frames in, commands in, frames out. Reading
//! never waits for writing, and what one burst queued leaves in one flush.

use crate::{command::Command, state::Session};
use futures_util::{Sink, Stream};
use std::{
    collections::VecDeque,
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::mpsc,
    time::Sleep,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Bytes, Error, Message, Utf8Bytes, protocol::frame::coding::CloseCode},
};

/// No more commands are taken while this much waits to be written.
const MAX_QUEUED: usize = 1024 * 1024;
/// Steps after which writing and timers get their turn whatever else is ready.
const BURST: u32 = 64;
/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_secs(1);

/// The next thing that happened.
pub(crate) enum Step {
    Text(Utf8Bytes),
    Pong(Bytes),
    /// A frame without meaning to us: a sign of life.
    Noise,
    Command(Option<Command>),
    Due,
    Gone(Loss),
}

/// How a connection ended.
pub(crate) struct Loss {
    pub(crate) cause: String,
    /// It ended over a frame larger than we accept.
    pub(crate) oversize: bool,
    /// The daemon said that it goes, after every answer it owed.
    pub(crate) farewell: bool,
}

impl Loss {
    pub(crate) fn new(cause: impl Into<String>) -> Self {
        Self {
            cause: cause.into(),
            oversize: false,
            farewell: false,
        }
    }
}

impl From<Error> for Loss {
    fn from(error: Error) -> Self {
        let oversize = matches!(error, Error::Capacity(_));
        Self {
            oversize,
            ..Self::new(error.to_string())
        }
    }
}

pub(crate) struct Wire<S> {
    socket: WebSocketStream<S>,
    pub(crate) session: Arc<Session>,
    queue: VecDeque<Message>,
    queued: usize,
    unflushed: bool,
    busy: u32,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    pub(crate) fn new(socket: WebSocketStream<S>, session: Arc<Session>) -> Self {
        Self {
            socket,
            session,
            queue: VecDeque::new(),
            queued: 0,
            unflushed: false,
            busy: 0,
        }
    }

    pub(crate) fn queue(&mut self, message: Message) {
        self.queued += message.len();
        self.queue.push_back(message);
    }

    /// Waits for whatever comes first. Cancel-safe.
    pub(crate) async fn step(
        &mut self,
        commands: &mut mpsc::Receiver<Command>,
        mut due: Pin<&mut Sleep>,
    ) -> Step {
        poll_fn(|cx| self.poll_step(cx, commands, due.as_mut())).await
    }

    fn poll_step(
        &mut self,
        cx: &mut Context<'_>,
        commands: &mut mpsc::Receiver<Command>,
        mut due: Pin<&mut Sleep>,
    ) -> Poll<Step> {
        self.busy += 1;
        if self.busy >= BURST {
            self.busy = 0;
            if let Poll::Ready(Err(loss)) = self.poll_write(cx) {
                return Poll::Ready(Step::Gone(loss));
            }
            if due.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Step::Due);
            }
        }
        if let Poll::Ready(frame) = Pin::new(&mut self.socket).poll_next(cx) {
            return Poll::Ready(read(frame));
        }
        if self.queued < MAX_QUEUED
            && let Poll::Ready(command) = commands.poll_recv(cx)
        {
            return Poll::Ready(Step::Command(command));
        }
        self.busy = 0;
        if let Poll::Ready(Err(loss)) = self.poll_write(cx) {
            return Poll::Ready(Step::Gone(loss));
        }
        due.poll(cx).map(|()| Step::Due)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Loss>> {
        while !self.queue.is_empty() {
            ready!(Pin::new(&mut self.socket).poll_ready(cx))?;
            if let Some(message) = self.queue.pop_front() {
                self.queued = self.queued.saturating_sub(message.len());
                Pin::new(&mut self.socket).start_send(message)?;
                self.unflushed = true;
            }
        }
        if self.unflushed {
            ready!(Pin::new(&mut self.socket).poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    /// Sends what is queued, then a close frame.
    pub(crate) async fn goodbye(mut self) {
        self.queue(Message::Close(None));
        let sent = poll_fn(|cx| self.poll_write(cx));
        // The daemon sees the socket close either way.
        let _ = tokio::time::timeout(GOODBYE, sent).await;
    }
}

fn read(frame: Option<Result<Message, Error>>) -> Step {
    match frame {
        Some(Ok(Message::Text(text))) => Step::Text(text),
        Some(Ok(Message::Pong(payload))) => Step::Pong(payload),
        Some(Ok(Message::Close(frame))) => Step::Gone(Loss {
            farewell: frame
                .as_ref()
                .is_some_and(|frame| frame.code == CloseCode::Away),
            ..Loss::new(match frame {
                Some(frame) => format!("closed by the daemon ({} {})", frame.code, frame.reason),
                None => "closed by the daemon".to_owned(),
            })
        }),
        Some(Ok(_)) => Step::Noise,
        Some(Err(error)) => Step::Gone(error.into()),
        None => Step::Gone(Loss::new("the connection ended")),
    }
}
