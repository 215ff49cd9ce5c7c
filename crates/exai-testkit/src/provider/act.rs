//! What may happen to an answer, and when: the vocabulary of faults.

use std::{sync::Arc, time::Duration};
use tokio::sync::watch;

/// A moment in an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// The request is read; not a byte has been sent.
    Headers,
    /// The headers are out, and nothing else.
    FirstEvent,
    /// Before this piece (of thought, text or arguments), from 0. Past the last one it is
    /// [`At::End`].
    Piece(usize),
    /// After the last piece, before the events that say why it stopped and what it took.
    End,
    /// Before the very last event: the closing mark of the dialect.
    Last,
}

/// How long nothing happens.
#[derive(Debug, Clone)]
pub enum Stall {
    /// Until the caller hangs up.
    Forever,
    /// This long.
    For(Duration),
    /// Until the test opens it.
    Until(Gate),
}

impl From<Duration> for Stall {
    fn from(time: Duration) -> Self {
        Self::For(time)
    }
}

impl From<&Gate> for Stall {
    fn from(gate: &Gate) -> Self {
        Self::Until(gate.clone())
    }
}

/// Something a test opens, once and for all who wait.
#[derive(Debug, Clone)]
pub struct Gate(Arc<watch::Sender<bool>>);

impl Gate {
    /// A closed one.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }

    /// Lets everybody through.
    pub fn open(&self) {
        self.0.send_replace(true);
    }

    pub(super) async fn opened(&self) {
        // The sender is in our hands, so the wait ends only with the opening.
        let _ = self.0.subscribe().wait_for(|open| *open).await;
    }
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}

/// How an answer ends before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// A complete HTTP message (with the terminating chunk) around an incomplete answer.
    Clean,
    /// The connection closes without the terminating chunk, or before the promised length.
    Short,
    /// The connection is reset.
    Reset,
}

/// What a server that does not speak TLS does with a TLS hello.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Tls {
    /// Answers in clear text, as web servers do.
    #[default]
    ClearText,
    /// Sends a fatal handshake failure.
    Alert,
    /// Closes.
    HangUp,
    /// Never answers.
    Stall,
}

/// One thing that happens at one moment.
#[derive(Debug, Clone)]
pub(super) enum Act {
    Stall(Stall),
    Cut {
        how: Cut,
        /// In the middle of what comes next, not before it.
        inside: bool,
    },
    /// An event with this payload, whatever it is.
    Event(String),
    /// The dialect's own error event.
    Error(String),
}
