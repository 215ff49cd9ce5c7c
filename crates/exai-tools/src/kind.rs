//! The three ways a tool may run: in place from memory, on a blocking thread because it
//! reads files, or as a future of its own. A tool's file says which, and nothing else.

use exai_engine::tool::{Tool, ToolCall, ToolError, ToolFuture, ToolOutput, ToolSpec};
use exai_protocol::Code;
use std::sync::Arc;

/// How a run of a tool ends.
pub(crate) type Answer = Result<ToolOutput, ToolError>;

struct Built<F> {
    spec: ToolSpec,
    start: F,
}

impl<F> Tool for Built<F>
where
    F: Fn(ToolCall) -> ToolFuture + Send + Sync + 'static,
{
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn run(&self, call: ToolCall) -> ToolFuture {
        (self.start)(call)
    }
}

/// A tool that answers from memory, without waiting for anything.
pub(crate) fn from_memory<F>(spec: ToolSpec, answer: F) -> Arc<dyn Tool>
where
    F: Fn(&ToolCall) -> Answer + Send + Sync + 'static,
{
    from_future(spec, move |call| {
        Box::pin(std::future::ready(answer(&call)))
    })
}

/// A tool that reads files: its thread may wait, the event loop may not.
pub(crate) fn from_files<F>(spec: ToolSpec, answer: F) -> Arc<dyn Tool>
where
    F: Fn(&ToolCall) -> Answer + Send + Sync + 'static,
{
    let answer = Arc::new(answer);
    from_future(spec, move |call| {
        let answer = Arc::clone(&answer);
        Box::pin(on_a_thread(move || answer(&call)))
    })
}

/// A tool with a future of its own.
pub(crate) fn from_future<F>(spec: ToolSpec, start: F) -> Arc<dyn Tool>
where
    F: Fn(ToolCall) -> ToolFuture + Send + Sync + 'static,
{
    Arc::new(Built { spec, start })
}

/// The same for a tool that works with what it is given here: its ports, or its own settings.
pub(crate) fn with<P, F, R>(spec: ToolSpec, given: P, answer: F) -> Arc<dyn Tool>
where
    P: Clone + Send + Sync + 'static,
    F: Fn(P, ToolCall) -> R + Send + Sync + 'static,
    R: Future<Output = Answer> + Send + 'static,
{
    from_future(spec, move |call| Box::pin(answer(given.clone(), call)))
}

/// Runs blocking work; a panic in it becomes the call's error, not the daemon's.
pub(crate) async fn on_a_thread<T, W>(work: W) -> Result<T, ToolError>
where
    T: Send + 'static,
    W: FnOnce() -> Result<T, ToolError> + Send + 'static,
{
    match tokio::task::spawn_blocking(work).await {
        Ok(answer) => answer,
        Err(join) => Err(ToolError::new(
            Code::Internal,
            format!(
                "the tool's blocking part did not finish: {join}; this is a bug, please report it"
            ),
        )),
    }
}
