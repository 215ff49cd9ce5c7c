//! `health`: the daemon's vital signs, all from memory, so that it answers when nothing else
//! does.

use crate::{
    Ports, kind,
    spec::{self, Words},
};
use exai_engine::tool::{Tool, ToolOutput, ToolSpec};
use std::sync::Arc;

pub(crate) fn spec() -> ToolSpec {
    // `tail_lines` of the predecessor is taken and not needed: lines are `activity`'s work,
    // and reading a file here would make this answer wait behind the calls it reports on.
    spec::instant(&Words {
        name: "health",
        title: "Health",
        description: "The daemon's vital signs as JSON: load, queue, capacity, uptime, calls by \
             outcome, warnings. Answers even under full load. For log lines use activity.",
        schema: r#"{"type":"object","properties":{"tail_lines":{"type":"integer"}}}"#,
    })
}

pub(crate) fn tool(ports: &Ports) -> Arc<dyn Tool> {
    let vitals = Arc::clone(&ports.vitals);
    kind::from_memory(spec(), move |_| ToolOutput::json(&vitals.health()))
}
