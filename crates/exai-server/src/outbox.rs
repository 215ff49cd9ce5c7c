//! What waits to be written to one peer. Signs of life are skipped and streamed text is joined
//! while the peer reads slowly; answers are kept, and counted: what is too much keeps its client's
//! next calls from beginning (the engine's account), and its next frames from being read. So what
//! waits is bounded by what was promised, and a peer that reads at all gets all of it. One that
//! takes nothing is closed in time; its calls go on, and their results can be collected.

use exai_engine::{Engine, sessions::Session};
use exai_protocol::{RequestId, call::Partial, hello::close};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
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
/// Answers other than results (refusals, lists, pages) that may wait before nothing more is read
/// that would be answered too.
const REPLIES: usize = 1024 * 1024;
/// What a byte of text may become in JSON, with some room for the rest of its frame.
const ESCAPED: usize = 8;

pub(crate) struct Outbox {
    state: Mutex<State>,
    drained: Notify,
    ended: Notify,
    /// Beyond this somebody makes more wait than any call of the peer was promised.
    hard_bytes: usize,
    reader: OnceLock<Reader>,
}

/// On whose account it waits.
struct Reader {
    engine: Arc<Engine>,
    session: Arc<Session>,
}

#[derive(Default)]
struct State {
    frames: VecDeque<Frame>,
    joined: Vec<(RequestId, String)>,
    /// Of all frames that wait or are being written.
    bytes: usize,
    /// Of those that are no results.
    replies: usize,
    /// Of the frames that are being written, all and replies.
    in_hand: (usize, usize),
    /// Most text in one frame.
    piece: usize,
    end: Option<End>,
    /// The connection's task, while it waits for something to write.
    writer: Option<Waker>,
}

/// One frame that waits.
pub(crate) struct Frame {
    pub(crate) text: Utf8Bytes,
    is_reply: bool,
}

/// How the connection is to end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) code: u16,
    pub(crate) reason: String,
}

/// What the writer is to do next.
pub(crate) enum Work {
    Frames(VecDeque<Frame>),
    Close(End),
}

impl Outbox {
    /// `promised`: what may wait at most of the results of calls that were let in.
    pub(crate) fn new(max_frame_bytes: usize, promised: usize) -> Self {
        Self {
            state: Mutex::new(State {
                piece: max_frame_bytes / ESCAPED,
                ..State::default()
            }),
            drained: Notify::new(),
            ended: Notify::new(),
            hard_bytes: promised
                .saturating_add(max_frame_bytes.saturating_mul(2))
                .saturating_add(SOFT_BYTES),
            reader: OnceLock::new(),
        }
    }

    /// Says on whose account it waits; before anything does.
    pub(crate) fn belongs_to(&self, engine: &Arc<Engine>, session: &Arc<Session>) {
        let (engine, session) = (Arc::clone(engine), Arc::clone(session));
        let _ = self.reader.set(Reader { engine, session });
    }

    /// An answer that its peer can make no sense of losing: kept whatever it does.
    pub(crate) fn answer(&self, frame: String) {
        self.keep(frame, true);
    }

    /// The result of a call: kept too, and what its client is said to be behind with.
    pub(crate) fn result(&self, frame: String) {
        self.keep(frame, false);
    }

    fn keep(&self, frame: String, is_reply: bool) {
        let overflown = {
            let mut state = self.lock();
            if state.end.is_some() {
                return;
            }
            self.count(&mut state, |state| state.push(frame, is_reply));
            state.bytes > self.hard_bytes
        };
        if overflown {
            self.too_slow();
        }
        self.wake();
    }

    /// The peer has taken nothing for too long, or is sent more than was ever promised.
    pub(crate) fn too_slow(&self) {
        let reason = "the peer does not read; reconnect and collect the results".to_owned();
        self.end(close::SLOW_READER, reason);
    }

    /// Whether so many answers wait that the peer's next frame is not to be read.
    pub(crate) fn is_choked(&self) -> bool {
        self.lock().replies > REPLIES
    }

    /// Whether more than this waits here; the client's other connections may hold the rest.
    pub(crate) fn holds_more_than(&self, bytes: usize) -> bool {
        self.lock().bytes > bytes
    }

    /// Waits until the peer has read so much that its next frame can be.
    pub(crate) async fn unchoked(&self, most: usize) {
        loop {
            let drained = self.drained.notified();
            tokio::pin!(drained);
            drained.as_mut().enable();
            {
                let state = self.lock();
                if state.replies <= REPLIES && state.bytes <= most {
                    return;
                }
            }
            drained.await;
        }
    }

    /// Does something that lets more wait, and puts it on the account.
    fn count(&self, state: &mut State, push: impl FnOnce(&mut State)) {
        let before = state.bytes;
        push(state);
        if let Some(reader) = self.reader.get() {
            reader.session.account.sent(state.bytes - before);
        }
    }

    /// The connection is over: what still waits is read by nobody.
    pub(crate) fn abandon(&self) {
        let bytes = {
            let mut state = self.lock();
            let (code, reason) = (close::GOING_AWAY, "closed".to_owned());
            state.end.get_or_insert(End { code, reason });
            state.frames.clear();
            state.joined.clear();
            state.in_hand = (0, 0);
            state.replies = 0;
            std::mem::take(&mut state.bytes)
        };
        self.taken(bytes);
    }

    fn taken(&self, bytes: usize) {
        if bytes > 0
            && let Some(Reader { engine, session }) = self.reader.get()
        {
            engine.taken_by(session, bytes);
        }
    }

    /// A sign of life: skipped while the peer reads slowly.
    pub(crate) fn hint(&self, frame: String) {
        {
            let mut state = self.lock();
            if state.end.is_some() || state.bytes > SOFT_BYTES {
                return;
            }
            self.count(&mut state, |state| state.push(frame, true));
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
            self.count(&mut state, |state| {
                state.push_text(&partial.request_id, &partial.text);
            });
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

    /// What there is to write; frames that wait together come together.
    pub(crate) fn poll_work(&self, context: &Context<'_>) -> Poll<Work> {
        let (work, written) = {
            let mut state = self.lock();
            let written = state.written();
            let mut work = None;
            self.count(&mut state, |state| work = state.take());
            if work.is_none() {
                state.writer = Some(context.waker().clone());
            }
            (work, written)
        };
        self.taken(written);
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
    /// The frames that were taken before are written by now; how much that was.
    fn written(&mut self) -> usize {
        let (bytes, replies) = std::mem::take(&mut self.in_hand);
        self.bytes -= bytes;
        self.replies -= replies;
        bytes
    }

    /// The next frames.
    fn take(&mut self) -> Option<Work> {
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
        for frame in &frames {
            self.in_hand.0 += frame.text.len();
            self.in_hand.1 += frame.replies();
        }
        Some(Work::Frames(frames))
    }

    fn push(&mut self, frame: String, is_reply: bool) {
        let text = frame.into();
        let frame = Frame { text, is_reply };
        self.bytes += frame.text.len();
        self.replies += frame.replies();
        self.frames.push_back(frame);
    }

    /// Streamed text, in as many frames as its length takes.
    fn push_text(&mut self, id: &RequestId, mut text: &str) {
        while !text.is_empty() {
            let (piece, rest) = text.split_at(text.floor_char_boundary(self.piece.max(4)));
            let frame = encode(&Partial {
                request_id: id.clone(),
                text: piece.to_owned(),
            });
            self.push(frame, true);
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

impl Frame {
    fn replies(&self) -> usize {
        if self.is_reply { self.text.len() } else { 0 }
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
        while let Some(Work::Frames(frames)) = take(outbox) {
            all.extend(frames.iter().map(|frame| frame.text.to_string()));
        }
        all
    }

    fn take(outbox: &Outbox) -> Option<Work> {
        let mut state = outbox.lock();
        state.written();
        state.take()
    }

    fn new(max_frame_bytes: usize) -> Outbox {
        Outbox::new(max_frame_bytes, 0)
    }

    #[test]
    fn r08_a_slow_reader_loses_hints_and_never_answers() {
        let outbox = new(SOFT_BYTES);
        outbox.answer("a".repeat(SOFT_BYTES + 1));
        outbox.hint("beat".into());
        outbox.answer("the answer".into());
        let frames = drain(&outbox);
        assert_eq!(frames.len(), 2);
        assert_eq!(frames[1], "the answer");
    }

    #[test]
    fn r08_results_that_were_promised_are_kept_whoever_reads() {
        let is_kept = |outbox: &Outbox| outbox.lock().end.is_none();
        let outbox = Outbox::new(SOFT_BYTES, 10 * SOFT_BYTES);
        for _ in 0..10 {
            outbox.result("a".repeat(SOFT_BYTES));
        }
        assert!(
            is_kept(&outbox) && !outbox.is_choked(),
            "they choke nothing"
        );
        for _ in 0..4 {
            outbox.answer("a".repeat(SOFT_BYTES));
        }
        assert!(!is_kept(&outbox), "there is a bound for everybody");
    }

    #[test]
    fn a_peer_that_reads_none_of_its_answers_is_not_asked_for_more() {
        let outbox = Outbox::new(SOFT_BYTES, 10 * SOFT_BYTES);
        outbox.answer("a".repeat(REPLIES));
        assert!(!outbox.is_choked());
        outbox.answer("a".to_owned());
        assert!(outbox.is_choked());
        drain(&outbox);
        assert!(!outbox.is_choked());
    }

    #[test]
    fn text_for_a_slow_reader_is_joined_in_order() {
        let outbox = new(SOFT_BYTES);
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
        let outbox = new(SOFT_BYTES);
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
        assert!(matches!(take(&outbox), Some(Work::Frames(frames)) if frames.len() == BATCH));
        assert!(matches!(take(&outbox), Some(Work::Frames(frames)) if frames.len() == 1));
        stream("two");
        assert!(drain(&outbox)[0].contains("one two"));
    }

    #[test]
    fn what_is_being_written_still_counts() {
        let outbox = new(SOFT_BYTES);
        outbox.answer("a".repeat(SOFT_BYTES + 1));
        assert!(take(&outbox).is_some());
        outbox.hint("beat".into());
        assert!(take(&outbox).is_none(), "the peer still reads the first");
        outbox.hint("beat".into());
        assert!(take(&outbox).is_some());
    }

    #[test]
    fn i07_text_is_cut_to_frames() {
        let outbox = new(400);
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
        let outbox = new(100);
        outbox.answer("a".repeat(outbox.hard_bytes + 1));
        outbox.ended().await;
        outbox.answer("late".into());
        assert_eq!(drain(&outbox).len(), 1);
        assert!(matches!(
            take(&outbox),
            Some(Work::Close(End {
                code: close::SLOW_READER,
                ..
            }))
        ));
    }
}
