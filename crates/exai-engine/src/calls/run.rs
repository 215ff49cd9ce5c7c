//! The run itself. The tool has its own task; this one keeps the time: heartbeats, progress,
//! the deadline and the wishes of others each have their own branch, so none can be mistaken
//! for another and none depends on the tool.

use super::{
    Update,
    call::{Call, Stop},
    life::{beat, pass_on, record, wish_of},
    outcome::End,
};
use crate::{
    engine::Engine,
    progress::Said,
    tool::{Tool, ToolCall, ToolError, ToolOutput},
};
use exai_protocol::{limits::PROGRESS_SPACING_MS, record::ProgressRecord};
use std::{
    collections::VecDeque,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    sync::oneshot,
    time::{Instant, sleep_until},
};

const SPACING: Duration = Duration::from_millis(PROGRESS_SPACING_MS);

/// Between two pieces of streamed text: faster than an eye, slower than a flood of frames. The
/// first piece never waits.
const TEXT_SPACING: Duration = Duration::from_millis(20);

/// Far enough to mean never.
const NEVER: Duration = Duration::from_secs(86_400 * 365);

/// Longest part of a panic's words that is passed on.
const MAX_PANIC_BYTES: usize = 1024;

pub(super) async fn run(engine: &Engine, call: &Call, tool: Arc<dyn Tool>, input: ToolCall) -> End {
    let cancelled = input.cancelled.clone();
    let waits = tool.spec().waits;
    let contained = contain(tool, input);
    // Dropped with this future: whatever ends the call ends the tool's work.
    let _stop_tool = cancelled.clone().drop_guard();
    let (sender, mut returned) = oneshot::channel();
    let running = async move {
        tokio::select! {
            biased;
            end = contained => { let _ = sender.send(end); }
            () = cancelled.cancelled() => {}
        }
    };
    if waits {
        engine.spawn(running);
    } else {
        engine.run_tool(Box::pin(running));
    }
    watch(engine, call, &mut returned).await
}

async fn watch(engine: &Engine, call: &Call, returned: &mut oneshot::Receiver<End>) -> End {
    let mut next_progress = Instant::now();
    let end = end_of(engine, call, returned, &mut next_progress).await;
    last_words(engine, call, next_progress);
    match end {
        Some(end) => end,
        None => call.out_of_time(true),
    }
}

/// Accompanies the run to its end; `None` is the deadline, whose error quotes the last words.
async fn end_of(
    engine: &Engine,
    call: &Call,
    returned: &mut oneshot::Receiver<End>,
    next_progress: &mut Instant,
) -> Option<End> {
    let mut heartbeat = engine.heartbeat();
    heartbeat.reset();
    let (mut sign_due, mut has_news, mut has_text) = (false, false, false);
    let mut next_text = Instant::now();
    loop {
        let unwatched_at = call.wish().1.map(|since| since + engine.config().unwatched);
        tokio::select! {
            biased;
            end = &mut *returned => return Some(end.unwrap_or(End::Lost)),
            () = call.wake.notified() => {
                if let Some(end) = wish_of(engine, call, true) {
                    return Some(end);
                }
            }
            () = sleep_until(call.deadline()) => return None,
            () = sleep_until(unwatched_at.unwrap_or_else(|| Instant::now() + NEVER)), if unwatched_at.is_some() => {
                return Some(End::Unwatched { after: engine.config().unwatched, started: true });
            }
            _ = heartbeat.tick() => sign_due = true,
            () = call.progress.written(), if !has_text => has_text = true,
            () = sleep_until(next_text), if has_text => {
                next_text = Instant::now() + TEXT_SPACING;
                has_text = false;
                pass_text(call);
            }
            () = call.progress.changed(), if !has_news => has_news = true,
            () = sleep_until(*next_progress), if sign_due || has_news => {
                *next_progress = Instant::now() + SPACING;
                report(engine, call, sign_due);
                (sign_due, has_news) = (false, false);
            }
        }
    }
}

/// Records what the tool said since the last time and passes on the newest of it; a bare sign
/// of life where one is due and nothing was said.
fn report(engine: &Engine, call: &Call, sign_due: bool) {
    let newest = record_all(engine, call, call.progress.take());
    match newest {
        Some(newest) => pass_on(engine, call, newest),
        None if sign_due => beat(engine, call, "running", ""),
        None => {}
    }
}

fn pass_text(call: &Call) {
    let text = call.progress.take_text();
    if !text.is_empty() {
        call.tell(&Update::Partial(&text));
    }
}

/// Streamed text is complete before the end. A message too close to the last one is recorded
/// and not sent.
fn last_words(engine: &Engine, call: &Call, next_progress: Instant) {
    pass_text(call);
    let said = call.progress.take();
    if let Some(newest) = said.back() {
        call.heard(&newest.message);
    }
    if let Some(newest) = record_all(engine, call, said)
        && Instant::now() >= next_progress
    {
        pass_on(engine, call, newest);
    }
}

/// Records messages in their order. The newest, if all found room; what found none waits, and
/// goes with the call's end at the latest.
fn record_all(
    engine: &Engine,
    call: &Call,
    mut said: VecDeque<Said>,
) -> Option<Arc<ProgressRecord>> {
    let mut newest = None;
    while let Some(next) = said.front() {
        newest = record(engine, call, next);
        if newest.is_none() {
            call.progress.put_back(said);
            return None;
        }
        said.pop_front();
    }
    newest
}

/// Runs the tool so that a panic costs one answer. Nothing of it runs before the first poll,
/// which is the runner's.
pub(super) async fn contain(tool: Arc<dyn Tool>, input: ToolCall) -> End {
    match catch_unwind(AssertUnwindSafe(|| tool.run(input))) {
        Err(panic) => End::Panicked(words_of(&*panic)),
        Ok(future) => match (Contained { future }).await {
            Ok(result) => End::Returned(result),
            Err(panic) => End::Panicked(panic),
        },
    }
}

struct Contained {
    future: crate::tool::ToolFuture,
}

impl Future for Contained {
    type Output = Result<Result<ToolOutput, ToolError>, String>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let future = self.future.as_mut();
        match catch_unwind(AssertUnwindSafe(|| future.poll(context))) {
            Ok(poll) => poll.map(Ok),
            Err(panic) => Poll::Ready(Err(words_of(&*panic))),
        }
    }
}

fn words_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let mut text = text
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "panic".to_owned());
    text.truncate(text.floor_char_boundary(MAX_PANIC_BYTES));
    text
}

impl Call {
    /// Whether a drain asked this call to end.
    pub(crate) fn drain(&self) {
        self.stop(Stop::Drain);
    }
}
