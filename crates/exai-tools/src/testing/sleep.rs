//! `test_sleep`: waits, as a call to a provider does.

use super::{Twin, wait::Wait};
use crate::{args::Args, kind};
use exai_engine::tool::{Tool, ToolOutput};
use std::sync::Arc;

pub(super) fn tool(twin: Twin) -> Arc<dyn Tool> {
    let spec = twin.spec(
        ["test_sleep", "test_sleep_once"],
        "Test tool: waits, then answers.",
        r#"{"type":"object","properties":{"ms":{"type":"integer","minimum":0,"maximum":3600000,"default":0},"until":{"type":"string","description":"A file that ends it early."}}}"#,
    );
    kind::from_future(spec, |call| {
        Box::pin(async move {
            let wait = Wait::of(&Args::of(&call)?)?;
            let let_go = wait.over().await;
            Ok(match let_go {
                true => ToolOutput::text("let go"),
                false => ToolOutput::text(&format!("slept {} ms", wait.ms)),
            })
        })
    })
}
