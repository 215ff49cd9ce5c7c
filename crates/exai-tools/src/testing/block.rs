//! `test_block`: holds its thread, as a tool does that was not written for an event loop.

use super::Twin;
use crate::{args::Args, kind};
use exai_engine::tool::{Tool, ToolOutput};
use std::{sync::Arc, time::Duration};

/// A held thread cannot be taken back, so a test may not hold one for long.
const MAX_BLOCK_MS: u64 = 60_000;

pub(super) fn tool(twin: Twin) -> Arc<dyn Tool> {
    let spec = twin.spec(
        ["test_block", "test_block_once"],
        "Test tool: blocks its thread, then answers.",
        r#"{"type":"object","properties":{"ms":{"type":"integer","minimum":0,"maximum":60000,"default":0}}}"#,
    );
    kind::from_future(spec, |call| {
        Box::pin(async move {
            let ms = Args::of(&call)?.number("ms", 0, 0..=MAX_BLOCK_MS)?;
            // On purpose not a timer: the subject is a worker thread that is gone.
            std::thread::sleep(Duration::from_millis(ms));
            Ok(ToolOutput::text(&format!("blocked {ms} ms")))
        })
    })
}
