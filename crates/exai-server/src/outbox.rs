//! What waits to be written to one peer. Bounded: signs of life are skipped and streamed text
//! is joined while the peer reads slowly; answers are kept, until a peer that reads nothing
//! at all is closed. Its calls go on, and their results can be collected.

use exai_protocol::{RequestId, call::Partial, hello::close};
use std::{
    collections::VecDeque,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
};
use tokio::sync::Notify;
use tokio_tungstenite::tungstenite::Utf8Bytes;

/// Above this a peer is a slow reader.
const SOFT_BYTES: usize = 1024 * 1024;
/// Most text joined for a slow reader, a call.
const MAX_JOINED: usize = 256 * 1024;
/// Frames written before the next flush.
const BATCH: usize = 256;
/// A peer that reads, only slower than it is answered, may have this many times as much waiting
/// as one that does not read.
const PATIENCE: usize = 4;
/// What a byte of text may become in JSON, with some room for the rest of its frame.
const ESCAPED: usize = 8;

pub(crate) struct Outbox {
    state: Mutex<State>,
    drained: Notify,
    ended: Notify,
    hard_bytes: usize,
    /// Of the answers that came since the peer last took a frame.
    unmoved: AtomicUsize,
}

#[derive(Default)]
struct State {
    frames: VecDeque<Utf8Bytes>,
    joined: Vec<(RequestId, String)>,
    /// Of all frames that wait or are being written.
    bytes: usize,
    /// Of the frames that are being written.
    in_hand: usize,
    /// Most text in one frame.
    piece: usize,
    end: Option<End>,
    /// The connection's task, while it waits for something to write.
    writer: Option<Waker>,
}

/// How the connection is to end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) code: u16,
    pub(crate) reason: String,
}

/// What the writer is to do next.
pub(crate) enum Work {
    Frames(VecDeque<Utf8Bytes>),
    Close(End),
}

impl Outbox {
    pub(crate) fn new(max_frame_bytes: usize) -> Self {
        Self {
            state: Mutex::new(State {
                piece: max_frame_bytes / ESCAPED,
                ..State::default()
            }),
            drained: Notify::new(),
            ended: Notify::new(),
            hard_bytes: max_frame_bytes.saturating_mul(2) + SOFT_BYTES,
            unmoved: AtomicUsize::new(0),
        }
    }

    /// An answer: kept whatever the peer does.
    pub(crate) fn answer(&self, frame: String) {
        let overflown = {
            let mut state = self.lock();
            if state.end.is_some() {
                return;
            }
            let length = frame.len();
            state.push(frame);
            let unmoved = self.unmoved.fetch_add(length, Ordering::Relaxed) + length;
            unmoved > self.hard_bytes || state.bytes > self.hard_bytes.saturating_mul(PATIENCE)
        };
        if overflown {
            let reason = "the peer does not read; reconnect and collect the results".to_owned();
            self.end(close::SLOW_READER, reason);
        }
        self.wake();
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
        self.wake();
    }

    /// Streamed text: joined while the peer reads slowly.
    pub(crate) fn partial(&self, partial: Partial) {
        {
            let mut state = self.lock();
            if state.end.is_some() {
                return;
            }
            // Text that already waits goes first.
            let waits = state.joined.iter().any(|(id, _)| *id == partial.request_id);
            if waits || state.bytes > SOFT_BYTES {
                return state.join(partial);
            }
            state.push_text(&partial.request_id, &partial.text);
        }
        self.wake();
    }

    /// The call's end is about to be pushed: text still waiting is contained in it.
    pub(crate) fn forget_partial(&self, id: &RequestId) {
        self.lock().joined.retain(|(joined, _)| joined != id);
    }

    /// No more frames after those already waiting; then close.
    pub(crate) fn end(&self, code: u16, reason: String) {
        self.lock().end.get_or_insert(End { code, reason });
        self.ended.notify_one();
        self.wake();
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

    /// The connection's task is awake and will look by itself: nobody needs to wake it.
    pub(crate) fn quiet(&self) {
        self.lock().writer = None;
    }

    /// The peer has taken a frame.
    pub(crate) fn moves(&self) {
        self.unmoved.store(0, Ordering::Relaxed);
    }

    /// What there is to write; frames that wait together come together.
    pub(crate) fn poll_work(&self, context: &Context<'_>) -> Poll<Work> {
        let work = {
            let mut state = self.lock();
            let work = state.take();
            if work.is_none() {
                state.writer = Some(context.waker().clone());
            }
            work
        };
        self.drained.notify_waiters();
        work.map_or(Poll::Pending, Poll::Ready)
    }

    fn wake(&self) {
        let writer = self.lock().writer.take();
        if let Some(writer) = writer {
            writer.wake();
        }
    }

    /// Why the connection ends.
    pub(crate) fn why(&self) -> String {
        self.lock()
            .end
            .as_ref()
            .map_or_else(|| "closed".to_owned(), |end| end.reason.clone())
    }

    /// Waits until the connection is to end: from then on its peer has only so much time.
    pub(crate) async fn ended(&self) {
        self.ended.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The next frames; those taken before are written by now.
    fn take(&mut self) -> Option<Work> {
        self.bytes -= std::mem::take(&mut self.in_hand);
        if self.frames.is_empty() {
            for (request_id, text) in std::mem::take(&mut self.joined) {
                self.push_text(&request_id, &text);
            }
        }
        if self.frames.is_empty() {
            return self.end.clone().map(Work::Close);
        }
        let rest = self.frames.split_off(self.frames.len().min(BATCH));
        let frames = std::mem::replace(&mut self.frames, rest);
        self.in_hand = frames.iter().map(|frame| frame.len()).sum();
        Some(Work::Frames(frames))
    }

    fn push(&mut self, frame: String) {
        self.bytes += frame.len();
        self.frames.push_back(frame.into());
    }

    /// Streamed text, in as many frames as its length takes.
    fn push_text(&mut self, id: &RequestId, mut text: &str) {
        while !text.is_empty() {
            let (piece, rest) = text.split_at(text.floor_char_boundary(self.piece.max(4)));
            self.push(encode(&Partial {
                request_id: id.clone(),
                text: piece.to_owned(),
            }));
            text = rest;
        }
    }

    fn join(&mut self, partial: Partial) {
        let at = self
            .joined
            .iter()
            .position(|(id, _)| *id == partial.request_id);
        match at {
            Some(at) if self.joined[at].1.len() < MAX_JOINED => {
                self.joined[at].1.push_str(&partial.text)
            }
            Some(_) => {}
            None => self.joined.push((partial.request_id, partial.text)),
        }
    }
}

/// Our own frames always have a JSON form; an empty string would be dropped by any reader.
pub(crate) fn encode(frame: &impl serde::Serialize) -> String {
    // Most frames fit; growing costs more than the room.
    let mut text = Vec::with_capacity(512);
    match serde_json::to_writer(&mut text, frame) {
        Ok(()) => String::from_utf8(text).unwrap_or_default(),
        Err(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(outbox: &Outbox) -> Vec<String> {
        let mut all = Vec::new();
        while let Some(Work::Frames(frames)) = outbox.lock().take() {
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
    fn r08_who_reads_is_kept_and_who_does_not_is_let_go() {
        let is_kept = |outbox: &Outbox| outbox.lock().end.is_none();
        let answer = || "a".repeat(SOFT_BYTES + 1);
        // Faster than it is read: more waits than a deaf peer may have.
        let reads = Outbox::new(SOFT_BYTES);
        for _ in 0..6 {
            reads.answer(answer());
            reads.moves();
        }
        assert!(is_kept(&reads) && reads.lock().bytes > reads.hard_bytes);
        let deaf = Outbox::new(SOFT_BYTES);
        deaf.answer(answer());
        deaf.answer(answer());
        assert!(is_kept(&deaf));
        deaf.answer(answer());
        assert!(!is_kept(&deaf));
        for _ in 0..6 {
            reads.answer(answer());
            reads.moves();
        }
        assert!(!is_kept(&reads), "there is a bound for everybody");
    }

    #[test]
    fn text_for_a_slow_reader_is_joined_in_order() {
        let outbox = Outbox::new(SOFT_BYTES);
        outbox.answer("a".repeat(SOFT_BYTES + 1));
        for text in ["one ", "two"] {
            outbox.partial(Partial {
                request_id: "r".into(),
                text: text.into(),
            });
        }
        assert!(drain(&outbox)[1].contains("one two"));
    }

    #[test]
    fn text_that_waits_is_never_overtaken() {
        let outbox = Outbox::new(SOFT_BYTES);
        let stream = |text: &str| {
            outbox.partial(Partial {
                request_id: "r".into(),
                text: text.into(),
            })
        };
        outbox.answer("a".repeat(SOFT_BYTES + 1));
        for n in 0..BATCH {
            outbox.answer(n.to_string());
        }
        stream("one ");
        assert!(
            matches!(outbox.lock().take(), Some(Work::Frames(frames)) if frames.len() == BATCH)
        );
        assert!(matches!(outbox.lock().take(), Some(Work::Frames(frames)) if frames.len() == 1));
        stream("two");
        assert!(drain(&outbox)[0].contains("one two"));
    }

    #[test]
    fn what_is_being_written_still_counts() {
        let outbox = Outbox::new(SOFT_BYTES);
        outbox.answer("a".repeat(SOFT_BYTES + 1));
        assert!(outbox.lock().take().is_some());
        outbox.hint("beat".into());
        assert!(
            outbox.lock().take().is_none(),
            "the peer still reads the first"
        );
        outbox.hint("beat".into());
        assert!(outbox.lock().take().is_some());
    }

    #[test]
    fn i07_text_is_cut_to_frames() {
        let outbox = Outbox::new(400);
        let text = "\u{1}ä".repeat(100);
        outbox.partial(Partial {
            request_id: "r".into(),
            text: text.clone(),
        });
        let frames = drain(&outbox);
        assert!(
            frames.len() > 3 && frames.iter().all(|frame| frame.len() <= 400),
            "{frames:?}"
        );
        let pieces = frames
            .iter()
            .map(|frame| serde_json::from_str::<Partial>(frame).unwrap().text);
        assert_eq!(pieces.collect::<String>(), text);
    }

    #[tokio::test]
    async fn r08_a_peer_that_reads_nothing_is_closed_at_the_bound() {
        let outbox = Outbox::new(100);
        outbox.answer("a".repeat(outbox.hard_bytes + 1));
        outbox.ended().await;
        outbox.answer("late".into());
        assert_eq!(drain(&outbox).len(), 1);
        assert!(matches!(
            outbox.lock().take(),
            Some(Work::Close(End {
                code: close::SLOW_READER,
                ..
            }))
        ));
    }
}
