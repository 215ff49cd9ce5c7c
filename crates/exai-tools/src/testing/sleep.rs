//! `test_sleep`: waits, as a call to a provider does.

use super::{MAX_MS, Twin};
use crate::{args::Args, kind};
use exai_engine::tool::{Tool, ToolOutput};
use std::{sync::Arc, time::Duration};

pub(super) fn tool(twin: Twin) -> Arc<dyn Tool> {
    let spec = twin.spec(
        ["test_sleep", "test_sleep_once"],
        "Test tool: waits, then answers.",
        r#"{"type":"object","properties":{"ms":{"type":"integer","minimum":0,"maximum":3600000,"default":0}}}"#,
    );
    kind::from_future(spec, |call| {
        Box::pin(async move {
            let ms = Args::of(&call)?.number("ms", 0, 0..=MAX_MS)?;
            tokio::time::sleep(Duration::from_millis(ms)).await;
            Ok(ToolOutput::text(&format!("slept {ms} ms")))
        })
    })
}
