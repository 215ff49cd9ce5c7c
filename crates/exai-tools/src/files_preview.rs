//! `files_preview`: what would become of files if they were sent, and whether cited lines are
//! there. Nothing is sent and nothing is paid; for whoever wonders why a model did not see a file.

use crate::{
    args::Args,
    files::{self, Entry, Packing, Wanted, Witness},
    kind::{self, Answer},
    spec::{self, Effect, Words},
};
use exai_engine::tool::{Tool, ToolCall, ToolOutput};
use serde_json::{Value, json};
use std::sync::Arc;

pub(crate) fn tool() -> Arc<dyn Tool> {
    let words = Words {
        name: "files_preview",
        title: "Preview files",
        description: "What would be sent of files, and what would not and why.",
        schema: r#"{"type":"object","properties":{"files":{"type":"array","items":{"type":"string"}},"images":{"type":"array","items":{"type":"string"}},"cited":{"type":"array","items":{"type":"string"},"description":"path or path:line"},"tokens":{"type":"integer","minimum":0,"default":100000}}}"#,
    };
    let mut spec = spec::spec(&words, Effect::Reads);
    spec.operator = true;
    kind::from_files(spec, answer)
}

fn answer(call: &ToolCall) -> Answer {
    let args = Args::of(call)?;
    let gathered = files::gather(&Wanted {
        roots: call.roots.clone(),
        files: args.texts("files")?,
        images: args.texts("images")?,
        tokens: args.number("tokens", 100_000, 0..=100_000_000)?,
        known: Vec::new(),
    });
    let witness = Witness::new(&call.roots);
    let cited = args.texts("cited")?;
    let cited: Vec<Value> = cited
        .iter()
        .map(|cited| {
            let why = witness.stands(cited, None).err();
            json!({ "cited": cited, "stands": why.is_none(), "why": why })
        })
        .collect();
    let entries: Vec<Value> = gathered.entries.iter().map(Entry::facts).collect();
    ToolOutput::json(&json!({
        "files": entries,
        "packing": Packing::of(&gathered.entries).facts(),
        "cited": cited,
    }))
}
