//! One call as its caller sees it: a spec, a stream of what happens to it, and a way to let
//! go. The driver writes into a slot and never waits for a slow caller: newer progress
//! replaces older, streamed text is bounded, the end is always kept.

use crate::{command::Command, explain};
use exai_protocol::{
    Code, RawValue, RequestId, WireError,
    call::{CallToolRes, Progress},
    error::Ran,
    request::CancelMode,
};
use std::{
    future::poll_fn,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Poll, Waker},
    time::Duration,
};
use tokio::sync::mpsc;

/// Most streamed text kept for a caller that does not read; the oldest goes first.
const MAX_PARTIAL_BYTES: usize = 256 * 1024;

/// A call to be made.
#[derive(Debug)]
pub struct CallSpec {
    /// Its identity for its whole life, whatever happens to links and daemons.
    pub request_id: RequestId,
    /// The tool.
    pub name: String,
    /// An object, forwarded byte for byte; `None` means `{}`.
    pub arguments: Option<Box<RawValue>>,
    /// How long the caller will wait, where it says so.
    pub timeout_ms: Option<u64>,
    /// The folders open now, where known.
    pub roots: Option<Vec<String>>,
    /// Whether it may run again when nobody knows if it ran.
    pub repeatable: bool,
}

/// What happens to a call.
#[derive(Debug)]
pub enum CallEvent {
    /// The daemon has it, and ends it by itself after this time.
    Acknowledged {
        /// The daemon's own deadline.
        timeout: Duration,
    },
    /// It had been running when it was attached to.
    Attached {
        /// How long ago it was accepted.
        since: Duration,
        /// The last it said.
        message: Option<String>,
    },
    /// How far it is; older news that was not read is gone.
    Progress(Progress),
    /// Streamed text.
    Partial(String),
    /// Its end; exactly one, and the last.
    Finished(CallToolRes),
}

/// What letting go of a call met.
#[derive(Debug)]
pub enum Detached {
    /// The daemon has it.
    Left,
    /// It never left, and never will.
    NotSent,
    /// It had just ended.
    Ended(Box<CallToolRes>),
}

/// The caller's end of a call. Dropping it before the end detaches: the daemon finishes the
/// call, and the result can be collected for a while.
pub struct CallStream {
    id: RequestId,
    slot: Arc<Slot>,
    commands: mpsc::Sender<Command>,
}

impl CallStream {
    pub(crate) fn new(id: RequestId, slot: Arc<Slot>, commands: mpsc::Sender<Command>) -> Self {
        Self { id, slot, commands }
    }

    /// The call's identity.
    #[must_use]
    pub fn id(&self) -> &RequestId {
        &self.id
    }

    /// What happened next; `None` after [`CallEvent::Finished`]. Cancel-safe.
    pub async fn next(&mut self) -> Option<CallEvent> {
        poll_fn(|cx| {
            let mut state = self.slot.lock();
            if let Some(event) = state.take() {
                return Poll::Ready(Some(event));
            }
            if state.ended {
                return Poll::Ready(None);
            }
            state.waker = Some(cx.waker().clone());
            Poll::Pending
        })
        .await
    }

    /// Waits for the end and forgets the rest.
    pub async fn finished(mut self) -> Option<CallToolRes> {
        while let Some(event) = self.next().await {
            if let CallEvent::Finished(result) = event {
                return Some(result);
            }
        }
        None
    }

    /// Lets go of the call and leaves it to run; it can be attached to again.
    pub async fn detach(self, reason: &str) -> Detached {
        self.cancel(CancelMode::Detach, reason).await;
        let end = self.finished().await;
        let error = end.as_ref().and_then(|end| end.error.as_ref());
        match error {
            Some(error) if explain::is_unsent(error) => Detached::NotSent,
            Some(error) if explain::is_left(error) => Detached::Left,
            _ => end.map_or(Detached::Left, |end| Detached::Ended(Box::new(end))),
        }
    }

    /// Lets go of the call. Its [`CallEvent::Finished`] still comes: at once after a detach
    /// or where nothing was sent, else when the daemon has ended it.
    pub async fn cancel(&self, mode: CancelMode, reason: &str) {
        let command = Command::LetGo {
            id: self.id.clone(),
            mode,
            reason: reason.to_owned(),
        };
        // A closed channel means that the driver has already ended every call.
        let _ = self.commands.send(command).await;
    }
}

impl Drop for CallStream {
    fn drop(&mut self) {
        let ended = {
            let mut state = self.slot.lock();
            state.abandoned = true;
            state.ended || state.finished.is_some()
        };
        if !ended {
            let reason = "the caller is gone".to_owned();
            let command = Command::LetGo {
                id: self.id.clone(),
                mode: CancelMode::Detach,
                reason,
            };
            // When the queue is full the driver finds the slot abandoned by itself.
            let _ = self.commands.try_send(command);
        }
    }
}

/// Where the driver leaves news for the caller.
#[derive(Default)]
pub(crate) struct Slot {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    acknowledged: Option<Duration>,
    attached: Option<(Duration, Option<String>)>,
    progress: Option<Progress>,
    partial: String,
    finished: Option<CallToolRes>,
    ended: bool,
    abandoned: bool,
    waker: Option<Waker>,
}

impl State {
    fn take(&mut self) -> Option<CallEvent> {
        if let Some(timeout) = self.acknowledged.take() {
            return Some(CallEvent::Acknowledged { timeout });
        }
        if let Some((since, message)) = self.attached.take() {
            return Some(CallEvent::Attached { since, message });
        }
        if let Some(progress) = self.progress.take() {
            return Some(CallEvent::Progress(progress));
        }
        if !self.partial.is_empty() {
            return Some(CallEvent::Partial(std::mem::take(&mut self.partial)));
        }
        let result = self.finished.take()?;
        self.ended = true;
        Some(CallEvent::Finished(result))
    }
}

/// The driver's end of a slot. However it is lost (a panic, a queue that is thrown away), the
/// caller gets an end.
pub(crate) struct Pen {
    id: RequestId,
    slot: Arc<Slot>,
}

impl Pen {
    pub(crate) fn new(id: RequestId, slot: Arc<Slot>) -> Self {
        Self { id, slot }
    }

    pub(crate) fn acknowledge(&self, timeout: Duration) {
        self.write(|state| state.acknowledged = Some(timeout));
    }

    pub(crate) fn attached(&self, since: Duration, message: Option<String>) {
        self.write(|state| state.attached = Some((since, message)));
    }

    pub(crate) fn progress(&self, progress: Progress) {
        self.write(|state| state.progress = Some(progress));
    }

    pub(crate) fn partial(&self, text: &str) {
        self.write(|state| {
            state.partial.push_str(text);
            let excess = state.partial.len().saturating_sub(MAX_PARTIAL_BYTES);
            if excess > 0 {
                let cut = state.partial.ceil_char_boundary(excess);
                state.partial.drain(..cut);
            }
        });
    }

    /// The end.
    pub(crate) fn finish(self, result: CallToolRes) {
        self.end(result);
    }

    pub(crate) fn fail(self, error: WireError) {
        self.end(CallToolRes::failed(self.id.clone(), error));
    }

    /// The end for a caller that leaves, while the call is still seen to.
    pub(crate) fn leave(&self) {
        self.end(CallToolRes::failed(self.id.clone(), explain::left()));
    }

    pub(crate) fn is_abandoned(&self) -> bool {
        self.slot.lock().abandoned
    }

    fn end(&self, result: CallToolRes) {
        self.write(|state| {
            if !state.ended && state.finished.is_none() {
                state.finished = Some(result);
            }
        });
    }

    fn write(&self, change: impl FnOnce(&mut State)) {
        let waker = {
            let mut state = self.slot.lock();
            change(&mut state);
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Drop for Pen {
    fn drop(&mut self) {
        {
            let state = self.slot.lock();
            if state.ended || state.finished.is_some() {
                return;
            }
        }
        let message = "exai's client stopped unexpectedly; whether the call ran is not known";
        let error = WireError::new(Code::Internal, message).ran(Ran::Unknown);
        self.end(CallToolRes::failed(self.id.clone(), error));
    }
}

impl Slot {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
