//! `test_stream`: a text that grows, as a model's answer does, and is then the answer.

use super::{MAX_MS, Twin};
use crate::{args::Args, kind};
use exai_engine::tool::{Tool, ToolOutput};
use std::{sync::Arc, time::Duration};

pub(super) fn tool(twin: Twin) -> Arc<dyn Tool> {
    let spec = twin.spec(
        ["test_stream", "test_stream_once"],
        "Test tool: streams a text word by word, ms apart, then answers with the whole.",
        r#"{"type":"object","properties":{"text":{"type":"string","default":"one two three"},"ms":{"type":"integer","minimum":0,"maximum":3600000,"default":0}}}"#,
    );
    kind::from_future(spec, |call| {
        Box::pin(async move {
            let args = Args::of(&call)?;
            let text = args.text("text")?.unwrap_or("one two three");
            let ms = args.number("ms", 0, 0..=MAX_MS)?;
            for word in text.split_inclusive(' ') {
                call.progress.stream(word);
                tokio::time::sleep(Duration::from_millis(ms)).await;
            }
            Ok(ToolOutput::text(text))
        })
    })
}
