//! `toolcall_log_tail`: the last records of the complete call log, as they stand in it. The
//! predecessor's `path` is not taken: a tool call must not read files of its caller's choice.

use crate::{
    Ports,
    args::Args,
    kind::{self, Answer},
    log_lines,
    spec::{self, Words},
};
use exai_engine::{
    ports::logs::LogFile,
    tool::{Tool, ToolCall, ToolError, ToolOutput, ToolSpec},
};
use std::sync::Arc;

pub(crate) fn spec() -> ToolSpec {
    spec::glance(&Words {
        name: "toolcall_log_tail",
        title: "Tool call log",
        description: "The last tool calls as JSON lines, oldest first: tool, outcome, duration, \
             error.",
        schema: r#"{"type":"object","properties":{"n":{"type":"integer","minimum":1,"maximum":200,"default":20,"description":"How many."}}}"#,
    })
}

pub(crate) fn tool(ports: &Ports) -> Arc<dyn Tool> {
    let ports = ports.clone();
    kind::from_files(spec(), move |call| answer(&ports, call))
}

fn answer(ports: &Ports, call: &ToolCall) -> Answer {
    let wanted = Args::of(call)?.number("n", 20, 1..=200)?;
    let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
    let lines = ports
        .logs
        .tail(LogFile::Calls, wanted)
        .map_err(ToolError::failed)?;
    if lines.is_empty() {
        return Ok(ToolOutput::text("No tool call has finished yet."));
    }
    // Records stay whole: half a JSON line is of no use to whoever parses it.
    let (lines, left_out) = log_lines::newest(lines);
    let mut text = lines.join("\n");
    if left_out > 0 {
        text.push_str(&format!(
            "\n({left_out} older records left out: ask for fewer)"
        ));
    }
    Ok(ToolOutput::text(&text))
}
