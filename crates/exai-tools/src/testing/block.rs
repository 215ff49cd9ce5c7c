//! `test_block`: holds its thread, as a tool does that was not written for an event loop.

use super::{Twin, wait::Wait};
use crate::{args::Args, kind};
use exai_engine::tool::{Tool, ToolOutput};
use std::sync::Arc;

pub(super) fn tool(twin: Twin) -> Arc<dyn Tool> {
    let spec = twin.spec(
        ["test_block", "test_block_once"],
        "Test tool: blocks its thread, then answers.",
        r#"{"type":"object","properties":{"ms":{"type":"integer","minimum":0,"maximum":3600000,"default":0},"until":{"type":"string","description":"A file that ends it early."}}}"#,
    );
    kind::from_future(spec, |call| {
        Box::pin(async move {
            let wait = Wait::of(&Args::of(&call)?)?;
            // On purpose not a timer: the subject is a worker thread that is gone.
            wait.over_on_this_thread();
            Ok(ToolOutput::text(&format!("blocked {} ms", wait.ms)))
        })
    })
}
