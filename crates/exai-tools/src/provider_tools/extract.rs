//! `kimi_upload_and_extract`: the text of documents as Kimi reads them, once for each content.

use crate::{
    Ports,
    args::Args,
    files::{self, Entry, Wanted},
    kind,
    spec::{self, Effect, Words},
};
use exai_engine::{
    ports::{models::Models, threads::SentKind},
    tool::{Tool, ToolCall, ToolError, ToolOutput, ToolSpec},
};
use serde_json::{Value, json};
use std::sync::Arc;

/// Tokens of plain text that are handed through.
const ROOM: u64 = 200_000;

pub(super) fn spec() -> ToolSpec {
    let words = Words {
        name: "kimi_upload_and_extract",
        title: "Read documents (Kimi)",
        description: "The text of documents (PDF, office files, …) as a provider reads them. They \
             are uploaded, read and deleted there.",
        schema: r#"{"type":"object","required":["files"],"properties":{"files":{"type":"array","items":{"type":"string"}},"provider":{"type":"string","enum":["kimi","glm"],"default":"kimi"}}}"#,
    };
    let mut spec = spec::spec(&words, Effect::Asks);
    spec.waits = true;
    spec
}

pub(super) fn tool(ports: &Ports) -> Arc<dyn Tool> {
    let models = Arc::clone(&ports.models);
    kind::with(spec(), models, async move |models, call| {
        answer(&*models, &call).await
    })
}

async fn answer(models: &dyn Models, call: &ToolCall) -> Result<ToolOutput, ToolError> {
    let args = Args::of(call)?;
    let files = args.texts("files")?;
    if files.is_empty() {
        return Err(ToolError::invalid("'files' is empty; name at least one"));
    }
    let endpoint = args.choice("provider", &["kimi", "glm"], "kimi")?;
    let wanted = Wanted {
        roots: call.roots.clone(),
        files,
        tokens: ROOM,
        ..Wanted::default()
    };
    let mut gathered = kind::on_a_thread(move || Ok(files::gather(&wanted))).await?;
    let mut texts: Vec<Value> = Vec::new();
    for document in std::mem::take(&mut gathered.documents) {
        call.progress
            .say("files", format!("{endpoint} reads {}", document.name));
        let name = document.name.clone();
        let read = match models.extract(call, endpoint, document).await {
            Ok(content) => json!({ "role": "system", "file": name, "content": content }),
            // The others are read all the same, and this one is named.
            Err(error) => json!({ "file": name, "error": error.message }),
        };
        texts.push(read);
    }
    if gathered.sent.iter().any(|sent| sent.kind == SentKind::Text) {
        let note = "plain text, read here and uploaded nowhere";
        texts.push(json!({ "role": "system", "note": note, "content": gathered.text }));
    }
    if !texts.iter().any(|text| text.get("content").is_some()) {
        return Err(nothing(&texts, &gathered.entries));
    }
    let entries: Vec<Value> = gathered.entries.iter().map(Entry::facts).collect();
    ToolOutput::json(&json!({ "texts": texts, "files": entries }))
}

fn nothing(texts: &[Value], entries: &[Entry]) -> ToolError {
    let failed = texts.iter().filter_map(|text| text["error"].as_str());
    let refused = entries.iter().filter(|entry| !entry.sent());
    let refused: Vec<String> = refused.map(|entry| format!("- {entry}")).collect();
    let why: Vec<&str> = failed.chain(refused.iter().map(String::as_str)).collect();
    let what = format!("none of the files could be read:\n{}", why.join("\n"));
    // Where nothing was uploaded, it is the files' names that were wrong.
    match texts.is_empty() {
        true => ToolError::invalid(what),
        false => ToolError::failed(what),
    }
}
