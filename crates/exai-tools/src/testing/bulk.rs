//! `test_bulk`: answers at length, to meet every limit of size on the way.

use super::Twin;
use crate::{args::Args, kind};
use exai_engine::tool::{Tool, ToolOutput};
use std::sync::Arc;

const MAX_BYTES: u64 = 256 * 1024 * 1024;
/// Repeats at a length that is no power of two, so that a page cut at the wrong place shows.
const PATTERN: &str = "abcdefghijklmnopqrstuvwxyz0123456789-";

pub(super) fn tool(twin: Twin) -> Arc<dyn Tool> {
    let spec = twin.spec(
        ["test_bulk", "test_bulk_once"],
        "Test tool: answers with a text of that many bytes.",
        r#"{"type":"object","properties":{"bytes":{"type":"integer","minimum":0,"maximum":268435456,"default":1024}}}"#,
    );
    kind::from_files(spec, |call| {
        let bytes = Args::of(call)?.number("bytes", 1024, 0..=MAX_BYTES)?;
        let bytes = usize::try_from(bytes).unwrap_or_default();
        let mut text = PATTERN.repeat(bytes.div_ceil(PATTERN.len()));
        text.truncate(bytes);
        Ok(ToolOutput::text(&text))
    })
}
