//! `test_flood`: says how far it is, far more often than anyone wants to hear.

use super::{MAX_MS, Twin};
use crate::{args::Args, kind};
use exai_engine::tool::{Tool, ToolOutput};
use std::{sync::Arc, time::Duration};

pub(super) fn tool(twin: Twin) -> Arc<dyn Tool> {
    let spec = twin.spec(
        ["test_flood", "test_flood_once"],
        "Test tool: sends progress messages, ms apart, then answers.",
        r#"{"type":"object","properties":{"count":{"type":"integer","minimum":0,"maximum":1000000,"default":100},"ms":{"type":"integer","minimum":0,"maximum":3600000,"default":0}}}"#,
    );
    kind::from_future(spec, |call| {
        Box::pin(async move {
            let args = Args::of(&call)?;
            let count = args.number("count", 100, 0..=1_000_000)?;
            let ms = args.number("ms", 0, 0..=MAX_MS)?;
            for n in 1..=count {
                call.progress
                    .say("flooding", format!("message {n} of {count}"));
                if ms > 0 {
                    tokio::time::sleep(Duration::from_millis(ms)).await;
                } else {
                    tokio::task::yield_now().await;
                }
            }
            Ok(ToolOutput::text(&format!("said {count} messages")))
        })
    })
}
