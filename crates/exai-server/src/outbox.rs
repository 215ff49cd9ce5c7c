//! What waits to be written to one peer. Bounded: signs of life are skipped and streamed text
//! is joined while the peer reads slowly; answers are kept, until a peer that reads nothing
//! at all is closed. Its calls go on, and their results can be collected.

use exai_protocol::{RequestId, call::Partial, hello::close};
use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};
use tokio::sync::Notify;
use tokio_tungstenite::tungstenite::Utf8Bytes;

/// Above this a peer is a slow reader.
const SOFT_BYTES: usize = 1024 * 1024;
/// Most text joined for a slow reader, a call.
const MAX_JOINED: usize = 256 * 1024;
/// Frames written before the next flush.
const BATCH: usize = 256;

pub(crate) struct Outbox {
    state: Mutex<State>,
    filled: Notify,
    drained: Notify,
    aborted: Notify,
    hard_bytes: usize,
}

#[derive(Default)]
struct State {
    frames: VecDeque<Utf8Bytes>,
    joined: Vec<(RequestId, String)>,
    bytes: usize,
    end: Option<End>,
}

/// How the connection is to end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) code: u16,
    pub(crate) reason: String,
}

/// What the writer is to do next.
pub(crate) enum Work {
    Frames(Vec<Utf8Bytes>),
    Close(End),
}

impl Outbox {
    pub(crate) fn new(max_frame_bytes: usize) -> Self {
        Self {
            state: Mutex::default(),
            filled: Notify::new(),
            drained: Notify::new(),
            aborted: Notify::new(),
            hard_bytes: max_frame_bytes.saturating_mul(2) + SOFT_BYTES,
        }
    }

    /// An answer: kept whatever the peer does.
    pub(crate) fn answer(&self, frame: String) {
        let overflown = {
            let mut state = self.lock();
            if state.end.is_some() {
                return;
            }
            state.push(frame);
            state.bytes > self.hard_bytes
        };
        if overflown {
            let reason = "the peer does not read; reconnect and collect the results".to_owned();
            self.end(close::SLOW_READER, reason);
            // The writer is stuck in a write that will not end by itself.
            self.aborted.notify_one();
        }
        self.filled.notify_one();
    }

    /// A sign of life: skipped while the peer reads slowly.
    pub(crate) fn hint(&self, frame: String) {
        {
            let mut state = self.lock();
            if state.end.is_some() || state.bytes > SOFT_BYTES {
                return;
            }
            state.push(frame);
        }
        self.filled.notify_one();
    }

    /// Streamed text: joined while the peer reads slowly.
    pub(crate) fn partial(&self, partial: Partial) {
        {
            let mut state = self.lock();
            if state.end.is_some() {
                return;
            }
            if state.bytes > SOFT_BYTES {
                return state.join(partial);
            }
            state.push(encode(&partial));
        }
        self.filled.notify_one();
    }

    /// The call's end is about to be pushed: text still waiting is contained in it.
    pub(crate) fn forget_partial(&self, id: &RequestId) {
        self.lock().joined.retain(|(joined, _)| joined != id);
    }

    /// No more frames after those already waiting; then close.
    pub(crate) fn end(&self, code: u16, reason: String) {
        self.lock().end.get_or_insert(End { code, reason });
        self.filled.notify_one();
    }

    /// Waits until the peer keeps up; for events, whose readers pull.
    pub(crate) async fn room(&self) {
        loop {
            let drained = self.drained.notified();
            tokio::pin!(drained);
            drained.as_mut().enable();
            if self.lock().bytes <= SOFT_BYTES {
                return;
            }
            drained.await;
        }
    }

    /// Waits for something to write; frames that wait together come together.
    pub(crate) async fn work(&self) -> Work {
        loop {
            if let Some(work) = self.take() {
                return work;
            }
            self.filled.notified().await;
        }
    }

    /// Waits until the connection is to be dropped at once.
    pub(crate) async fn aborted(&self) {
        self.aborted.notified().await;
    }

    fn take(&self) -> Option<Work> {
        let mut state = self.lock();
        if state.frames.is_empty() {
            let joined = std::mem::take(&mut state.joined);
            for (request_id, text) in joined {
                state.push(encode(&Partial { request_id, text }));
            }
        }
        if state.frames.is_empty() {
            return state.end.clone().map(Work::Close);
        }
        let count = state.frames.len().min(BATCH);
        let frames: Vec<Utf8Bytes> = state.frames.drain(..count).collect();
        state.bytes -= frames.iter().map(|frame| frame.len()).sum::<usize>();
        drop(state);
        self.drained.notify_waiters();
        Some(Work::Frames(frames))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn push(&mut self, frame: String) {
        self.bytes += frame.len();
        self.frames.push_back(frame.into());
    }

    fn join(&mut self, partial: Partial) {
        let at = self.joined.iter().position(|(id, _)| *id == partial.request_id);
        match at {
            Some(at) if self.joined[at].1.len() < MAX_JOINED => self.joined[at].1.push_str(&partial.text),
            Some(_) => {}
            None => self.joined.push((partial.request_id, partial.text)),
        }
    }
}

/// Our own frames always have a JSON form; an empty string would be dropped by any reader.
pub(crate) fn encode(frame: &impl serde::Serialize) -> String {
    serde_json::to_string(frame).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(outbox: &Outbox) -> Vec<String> {
        let mut all = Vec::new();
        while let Some(Work::Frames(frames)) = outbox.take() {
            all.extend(frames.iter().map(ToString::to_string));
        }
        all
    }

    #[test]
    fn r08_a_slow_reader_loses_hints_and_never_answers() {
        let outbox = Outbox::new(SOFT_BYTES);
        outbox.answer("a".repeat(SOFT_BYTES + 1));
        outbox.hint("beat".into());
        outbox.answer("the answer".into());
        let frames = drain(&outbox);
        assert_eq!(frames.len(), 2);
        assert_eq!(frames[1], "the answer");
    }

    #[test]
    fn text_for_a_slow_reader_is_joined_in_order() {
        let outbox = Outbox::new(SOFT_BYTES);
        outbox.answer("a".repeat(SOFT_BYTES + 1));
        for text in ["one ", "two"] {
            outbox.partial(Partial { request_id: "r".into(), text: text.into() });
        }
        assert!(drain(&outbox)[1].contains("one two"));
    }

    #[tokio::test]
    async fn r08_a_peer_that_reads_nothing_is_closed_at_the_bound() {
        let outbox = Outbox::new(100);
        outbox.answer("a".repeat(outbox.hard_bytes + 1));
        outbox.aborted().await;
        outbox.answer("late".into());
        assert_eq!(drain(&outbox).len(), 1);
        assert!(matches!(outbox.take(), Some(Work::Close(End { code: close::SLOW_READER, .. }))));
    }
}
