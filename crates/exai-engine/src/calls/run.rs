//! The run itself. The tool has its own task; this one keeps the time: heartbeats, progress,
//! the deadline and the wishes of others each have their own branch, so none can be mistaken
//! for another and none depends on the tool.

use super::{
    Update,
    call::{Call, Stop},
    life::{say, wish_of},
    outcome::End,
};
use crate::{
    engine::Engine,
    tool::{Tool, ToolCall, ToolError, ToolOutput},
};
use exai_protocol::{Code, limits::PROGRESS_SPACING_MS};
use std::{
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

/// Far enough to mean never.
const NEVER: Duration = Duration::from_secs(86_400 * 365);

pub(super) async fn run(engine: &Engine, call: &Call, tool: &dyn Tool, input: ToolCall) -> End {
    let cancelled = input.cancelled.clone();
    let contained = contain(tool, input);
    if tool.spec().instant {
        return contained.await;
    }
    // Dropped with this future: whatever ends the call ends the tool's work.
    let _stop_tool = cancelled.clone().drop_guard();
    let (sender, mut returned) = oneshot::channel();
    engine.run_tool(Box::pin(async move {
        tokio::select! {
            biased;
            end = contained => { let _ = sender.send(end); }
            () = cancelled.cancelled() => {}
        }
    }));
    watch(engine, call, &mut returned).await
}

async fn watch(engine: &Engine, call: &Call, returned: &mut oneshot::Receiver<End>) -> End {
    let mut heartbeat = engine.heartbeat();
    heartbeat.reset();
    let mut next_progress = Instant::now();
    let mut has_news = false;
    loop {
        let unwatched_at = call.wish().1.map(|since| since + engine.config().unwatched);
        tokio::select! {
            biased;
            end = &mut *returned => {
                last_words(engine, call, next_progress).await;
                return end.unwrap_or(End::Lost);
            }
            () = call.wake.notified() => {
                if let Some(end) = wish_of(engine, call, true) {
                    return end;
                }
            }
            () = sleep_until(call.deadline()) => {
                return End::Deadline { limit: call.limit, started: true };
            }
            () = sleep_until(unwatched_at.unwrap_or_else(|| Instant::now() + NEVER)), if unwatched_at.is_some() => {
                return End::Unwatched { after: engine.config().unwatched, started: true };
            }
            _ = heartbeat.tick() => say(engine, call, "running", "").await,
            () = call.progress.changed(), if !has_news => has_news = true,
            () = sleep_until(next_progress), if has_news => {
                has_news = false;
                next_progress = Instant::now() + SPACING;
                report(engine, call).await;
            }
        }
    }
}

/// Passes on what the tool said since the last time.
async fn report(engine: &Engine, call: &Call) {
    let pending = call.progress.take();
    if !pending.text.is_empty() {
        call.tell(&Update::Partial(&pending.text));
    }
    if let Some(said) = pending.said {
        say(engine, call, &said.stage, &said.message).await;
    }
}

/// Streamed text is complete before the end; a message too close to the last one is not sent.
async fn last_words(engine: &Engine, call: &Call, next_progress: Instant) {
    let pending = call.progress.take();
    if !pending.text.is_empty() {
        call.tell(&Update::Partial(&pending.text));
    }
    if let Some(said) = pending.said.filter(|_| Instant::now() >= next_progress) {
        say(engine, call, &said.stage, &said.message).await;
    }
}

/// An equal call of a coalescing tool is already at work: wait for its end and share it.
/// If it ends without an answer (stopped, out of time), the next in line runs for itself.
pub(super) async fn follow_leader(engine: &Engine, call: &Arc<Call>) -> Option<End> {
    let share = call.share.as_ref()?;
    loop {
        let leader = engine.calls().leader(share, call);
        if Arc::ptr_eq(&leader, call) {
            return None;
        }
        let ended = leader.ended.notified();
        tokio::pin!(ended);
        ended.as_mut().enable();
        let finished = match leader.finished() {
            Some(finished) => finished,
            None => {
                tokio::select! {
                    () = &mut ended => {}
                    () = call.wake.notified() => {
                        if let Some(end) = wish_of(engine, call, false) { return Some(end); }
                        continue;
                    }
                    () = sleep_until(call.deadline()) => {
                        return Some(End::Deadline { limit: call.limit, started: false });
                    }
                }
                continue;
            }
        };
        if let Some(outputs) = &finished.outputs {
            let (structured, usage) = (finished.structured.clone(), finished.usage.clone());
            return Some(End::Returned(Ok(ToolOutput { outputs: Arc::clone(outputs), structured, usage })));
        }
        let answered = finished.error.as_ref().filter(|error| {
            matches!(error.code, Code::ExecError | Code::InvalidArgument)
        });
        if let Some(error) = answered {
            return Some(End::Returned(Err(ToolError::new(error.code, error.message.clone()))));
        }
        // The leader retires before it ends, so the next look finds another or ourselves.
    }
}

/// Runs the tool so that a panic costs one answer.
fn contain(tool: &dyn Tool, input: ToolCall) -> impl Future<Output = End> + Send + use<> {
    let run = catch_unwind(AssertUnwindSafe(|| tool.run(input)));
    async move {
        match run {
            Err(panic) => End::Panicked(words_of(&*panic)),
            Ok(future) => match (Contained { future }).await {
                Ok(result) => End::Returned(result),
                Err(panic) => End::Panicked(panic),
            },
        }
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
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "panic".to_owned())
}

impl Call {
    /// Whether a drain asked this call to end.
    pub(crate) fn drain(&self) {
        self.stop(Stop::Drain);
    }
}
