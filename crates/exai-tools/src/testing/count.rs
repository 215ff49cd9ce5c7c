//! `test_count`: leaves a trace outside, so that a test can count how often a call really
//! ran. The plain one declares itself repeatable although it writes: it exists to make a
//! second run visible.

use super::{Twin, wait::Wait};
use crate::{
    args::Args,
    kind::{self, Answer},
};
use exai_engine::tool::{Tool, ToolError, ToolOutput};
use std::{
    fs::OpenOptions,
    io::Write as _,
    path::{Path, PathBuf},
    sync::Arc,
};

pub(super) fn tool(twin: Twin) -> Arc<dyn Tool> {
    let spec = twin.spec(
        ["test_count", "test_count_once"],
        "Test tool: appends its request id to a file, waits, then answers.",
        r#"{"type":"object","properties":{"file":{"type":"string","description":"Absolute path."},"ms":{"type":"integer","minimum":0,"maximum":3600000,"default":0},"until":{"type":"string","description":"A file that ends the wait early."}},"required":["file"]}"#,
    );
    kind::from_future(spec, |call| {
        Box::pin(async move {
            let args = Args::of(&call)?;
            let file = PathBuf::from(args.required_text("file")?);
            let wait = Wait::of(&args)?;
            if !file.is_absolute() {
                return Err(ToolError::invalid(format!(
                    "'file' must be an absolute path; got {}",
                    file.display()
                )));
            }
            let line = format!("{}\n", call.request_id);
            let counted = kind::on_a_thread(move || append(&file, &line)).await?;
            wait.over().await;
            Ok(counted)
        })
    })
}

/// One write a line, so that lines of calls that overlap stay whole.
fn append(file: &Path, line: &str) -> Answer {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(file)
        .and_then(|mut opened| opened.write_all(line.as_bytes()))
        .map_err(|error| {
            ToolError::failed(format!("cannot append to {}: {error}", file.display()))
        })?;
    Ok(ToolOutput::text("counted"))
}
