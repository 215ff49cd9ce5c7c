//! `test_stall`: holds every thread of the event loop, as a bug of ours would, so that the
//! watchdog has something to see.

use super::Twin;
use crate::{args::Args, kind};
use exai_engine::tool::{Tool, ToolOutput};
use std::{sync::Arc, time::Duration};
use tokio::task::JoinSet;

/// Nothing can end it early.
const MAX_STALL_MS: u64 = 60_000;

pub(super) fn tool(twin: Twin) -> Arc<dyn Tool> {
    let spec = twin.spec(
        ["test_stall", "test_stall_once"],
        "Test tool: stalls the event loop, then answers.",
        r#"{"type":"object","properties":{"ms":{"type":"integer","minimum":0,"maximum":60000,"default":0}}}"#,
    );
    kind::from_future(spec, |call| {
        Box::pin(async move {
            let ms = Args::of(&call)?.number("ms", 0, 0..=MAX_STALL_MS)?;
            let mut tasks = JoinSet::new();
            // One for each thread, and some in case one of them takes two.
            for _ in 0..2 * tokio::runtime::Handle::current().metrics().num_workers() {
                tasks.spawn(async move { std::thread::sleep(Duration::from_millis(ms)) });
            }
            while tasks.join_next().await.is_some() {}
            Ok(ToolOutput::text(&format!("stalled {ms} ms")))
        })
    })
}
