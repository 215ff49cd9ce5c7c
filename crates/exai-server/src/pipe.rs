//! One socket, both ways, in one task. Reading and writing are polled side by side, so neither
//! waits for the other, no frame costs a wake-up of a second task, and what was answered while
//! reading leaves in one flush.

use crate::{
    handshake::Socket,
    outbox::{Frame, Outbox, Work},
};
use bytes::Bytes;
use exai_protocol::hello::close;
use futures_util::{Sink, Stream};
use std::{
    collections::VecDeque,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::tungstenite::{
    Error, Message, Utf8Bytes,
    error::{CapacityError, ProtocolError},
    protocol::{
        CloseFrame,
        frame::{
            Frame as Piece,
            coding::{CloseCode, Data, OpCode},
        },
    },
};

/// Frames read before the answers to them are written.
const TURN: usize = 32;
/// A larger frame is sent in pieces of this many bytes: what a socket is written from keeps, for as
/// long as the connection lives, the room of the largest it ever held.
const PIECE: usize = 256 * 1024;
/// Bytes thrown away at a time.
const SCRATCH: usize = 4 * 1024;

pub(crate) struct Pipe<S> {
    socket: Socket<S>,
    outbox: Arc<Outbox>,
    frames: VecDeque<Frame>,
    /// What is still to be sent of a frame that goes in pieces.
    rest: Option<Bytes>,
    /// A frame its reader could not take yet. Nothing more is read before it.
    held: Option<(Utf8Bytes, Hold)>,
    ping: bool,
    unflushed: bool,
    /// The system takes no more: the peer does not read as fast as it is written to.
    choked: bool,
    /// The peer has been heard since this was last cleared.
    pub(crate) heard: bool,
    /// The peer ended the connection as one does, and not because we did.
    pub(crate) said_goodbye: bool,
    /// Our close is on its way or out; only its answer is waited for.
    closing: bool,
    /// The peer broke the protocol: what it still sends is thrown away unread, but taken, or
    /// the system would reset the connection before our close is read.
    deaf: bool,
    reason: Option<String>,
}

/// Why a frame was not taken, and when it can be offered again.
pub(crate) struct Hold {
    /// Ready then.
    pub(crate) room: Pin<Box<dyn Future<Output = ()> + Send>>,
    /// It is the peer that has to read first; else we have something to catch up with.
    pub(crate) for_the_peer: bool,
}

/// What a reader makes of a frame.
pub(crate) trait Reader {
    /// Takes a frame, or says when it can be taken.
    fn text(&self, text: &str) -> Result<(), Hold>;
    fn binary(&self);
}

impl<S: AsyncRead + AsyncWrite + Unpin> Pipe<S> {
    pub(crate) fn new(socket: Socket<S>, outbox: Arc<Outbox>) -> Self {
        Self {
            socket,
            outbox,
            frames: VecDeque::new(),
            rest: None,
            held: None,
            ping: false,
            unflushed: false,
            choked: false,
            heard: true,
            said_goodbye: false,
            closing: false,
            deaf: false,
            reason: None,
        }
    }

    /// Sends a ping with the next frames.
    pub(crate) fn ping(&mut self) {
        self.ping = true;
    }

    /// Nothing was heard of the peer for too long.
    pub(crate) fn give_up(&self) {
        if self.choked {
            return self.outbox.too_slow();
        }
        self.outbox.end(close::INTERNAL, "no pong".to_owned());
    }

    /// Moves frames both ways as far as they go; ready when the connection is over, with why.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>, reader: &impl Reader) -> Poll<String> {
        self.outbox.quiet();
        if let Poll::Ready(reason) = self.poll_read(context, reader) {
            let reason = self.reason.take().unwrap_or(reason);
            return Poll::Ready(reason);
        }
        match self.poll_write(context) {
            Poll::Ready(Err(error)) => Poll::Ready(self.reason.take().unwrap_or(error.to_string())),
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Pending,
        }
    }

    fn poll_read(&mut self, context: &mut Context<'_>, reader: &impl Reader) -> Poll<String> {
        if self.deaf {
            return self.poll_discard(context);
        }
        for _ in 0..TURN {
            let message = ready!(self.poll_message(context));
            self.heard = true;
            match message {
                None => return Poll::Ready("closed".to_owned()),
                // After our close the peer's answers are no longer ours to serve.
                Some(Ok(_)) if self.closing => {}
                Some(Ok(Message::Text(text))) => {
                    if let Err(hold) = reader.text(&text) {
                        self.held = Some((text, hold));
                    }
                }
                Some(Ok(Message::Binary(_))) => reader.binary(),
                Some(Ok(Message::Close(_))) => {
                    self.said_goodbye = true;
                    self.reason = Some("closed by the client".to_owned());
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => {
                    let Some((code, reason)) = fault_of(&error) else {
                        return Poll::Ready(error.to_string());
                    };
                    self.outbox.end(code, reason);
                    self.deaf = true;
                    return self.poll_discard(context);
                }
            }
        }
        // There may be more; answers first, then another turn.
        context.waker().wake_by_ref();
        Poll::Pending
    }

    /// The next message: the held one, once there is room for it.
    fn poll_message(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Message, Error>>> {
        match self.held.take() {
            Some((text, mut hold)) if !self.closing => {
                if hold.room.as_mut().poll(context).is_pending() {
                    // We do not listen: that nothing is heard says nothing about the peer. But
                    // that it does not read says enough.
                    self.heard |= !hold.for_the_peer;
                    self.held = Some((text, hold));
                    return Poll::Pending;
                }
                Poll::Ready(Some(Ok(Message::Text(text))))
            }
            _ => Pin::new(&mut self.socket).poll_next(context),
        }
    }

    fn poll_discard(&mut self, context: &mut Context<'_>) -> Poll<String> {
        let mut bytes = [0; SCRATCH];
        for _ in 0..TURN {
            let mut buffer = ReadBuf::new(&mut bytes);
            let read = ready!(Pin::new(self.socket.get_mut()).poll_read(context, &mut buffer));
            if read.is_err() || buffer.filled().is_empty() {
                return Poll::Ready("closed".to_owned());
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }

    /// A peer that takes what could not be written before is alive, even if its pong waits
    /// behind megabytes.
    fn poll_write(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let was_choked = std::mem::take(&mut self.choked);
        let before = self.socket.get_ref().written();
        let polled = self.poll_frames(context);
        self.heard |= was_choked && self.socket.get_ref().written() > before;
        polled
    }

    fn poll_frames(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        loop {
            while !self.frames.is_empty() || self.rest.is_some() || self.ping {
                self.choked = true;
                ready!(self.sink().poll_ready(context))?;
                self.choked = false;
                let Some(message) = self.next_message() else {
                    break;
                };
                self.sink().start_send(message)?;
                self.unflushed = true;
            }
            match self.outbox.poll_work(context) {
                Poll::Ready(Work::Frames(frames)) => self.frames = frames,
                Poll::Ready(Work::Close(end)) if !self.closing => {
                    ready!(self.sink().poll_ready(context))?;
                    self.closing = true;
                    let frame = CloseFrame {
                        code: end.code.into(),
                        reason: end.reason.clone().into(),
                    };
                    self.reason.get_or_insert(end.reason);
                    self.sink().start_send(Message::Close(Some(frame)))?;
                    self.unflushed = true;
                }
                Poll::Ready(Work::Close(_)) | Poll::Pending => break,
            }
        }
        if self.unflushed {
            self.choked = true;
            ready!(self.sink().poll_flush(context))?;
            (self.unflushed, self.choked) = (false, false);
        }
        Poll::Pending
    }

    fn next_message(&mut self) -> Option<Message> {
        if std::mem::take(&mut self.ping) {
            return Some(Message::Ping(Bytes::new()));
        }
        if let Some(rest) = self.rest.take() {
            return Some(self.piece(rest, Data::Continue));
        }
        let text = self.frames.pop_front()?.text;
        Some(match text.len() > PIECE {
            true => self.piece(text.into(), Data::Text),
            false => Message::Text(text),
        })
    }

    /// As much of it as goes at once; the rest is next.
    fn piece(&mut self, mut payload: Bytes, kind: Data) -> Message {
        let piece = payload.split_to(PIECE.min(payload.len()));
        let is_last = payload.is_empty();
        self.rest = (!is_last).then_some(payload);
        Message::Frame(Piece::message(piece, OpCode::Data(kind), is_last))
    }

    fn sink(&mut self) -> Pin<&mut Socket<S>> {
        Pin::new(&mut self.socket)
    }
}

/// The close code of a peer that broke the protocol; `None` for one that is simply gone.
fn fault_of(error: &Error) -> Option<(u16, String)> {
    match error {
        Error::Capacity(CapacityError::MessageTooLong { size, max_size }) => Some((
            close::TOO_BIG,
            format!("frame of {size} bytes; the limit is {max_size}"),
        )),
        Error::Utf8(_) => Some((
            CloseCode::Invalid.into(),
            "a text frame that is not UTF-8".to_owned(),
        )),
        Error::Protocol(
            ProtocolError::ResetWithoutClosingHandshake
            | ProtocolError::ReceivedAfterClosing
            | ProtocolError::SendAfterClosing,
        ) => None,
        Error::Protocol(fault) => Some((CloseCode::Protocol.into(), fault.to_string())),
        _ => None,
    }
}
