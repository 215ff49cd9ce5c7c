//! Every tool as its caller reads it, word for word: from an editor's window through the daemon
//! to a scripted provider and back. The files in `golden/tools` are what an agent sees; whoever
//! changes a tool reads them as one.

mod agents;
mod asking;
mod council;
mod invented;
mod looking;
mod old_names;
mod scrub;

use crate::{golden, models::Stage, windows::editor};
use exai_testkit::{
    Daemon, Must as _, Sandbox, Shim,
    provider::{Provider, Request},
};
use serde_json::{Value, json};
use std::{collections::BTreeSet, fmt::Write as _, fs};

/// An editor's window on a daemon, and what was said there so far.
struct Scene {
    sandbox: Sandbox,
    provider: Provider,
    shim: Shim,
    told: String,
    /// Requests of the provider that were shown.
    shown: usize,
    _daemon: Daemon,
}

impl Scene {
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// The same with something in the home or the project before the daemon starts.
    async fn with(prepare: impl FnOnce(&mut Sandbox)) -> Self {
        let mut stage = Stage::new().await;
        stage.sandbox.unset("EXAI_TEST_TOOLS");
        prepare(&mut stage.sandbox);
        let Stage { sandbox, provider } = stage;
        let daemon = sandbox.daemon().await;
        let shim = editor(&sandbox).await;
        Self {
            sandbox,
            provider,
            shim,
            told: String::new(),
            shown: 0,
            _daemon: daemon,
        }
    }

    /// One call, written down as its caller sees it.
    async fn call(&mut self, tool: &str, arguments: Value) -> Value {
        let id = self.shim.call(tool, arguments.clone()).await;
        let answer = self.shim.answer(id).await;
        let _ = writeln!(self.told, "==== {tool}\n{}", pretty(&arguments));
        if let Some(error) = answer.get("error") {
            let words = error["message"].as_str().unwrap_or_default();
            let _ = writeln!(self.told, "==== it is refused\n{words}");
            return Value::Null;
        }
        let result = answer["result"].clone();
        let failed = if result["isError"] == true {
            ", an error"
        } else {
            ""
        };
        let _ = writeln!(self.told, "==== it answers{failed}");
        let blocks = result["content"].as_array().cloned().unwrap_or_default();
        for block in &blocks {
            let _ = match block["text"].as_str() {
                Some(text) => writeln!(self.told, "{}", scrub::text(text)),
                None => writeln!(self.told, "{}", pretty(block)),
            };
            if let Some(facts) = block.get("_meta") {
                let _ = writeln!(self.told, "(for programs: {})", scrub::facts(facts));
            }
        }
        if let Some(structured) = result.get("structuredContent") {
            let _ = writeln!(self.told, "(structured: {})", scrub::facts(structured));
        }
        result
    }

    /// What models were sent since this was last asked.
    fn sent(&mut self) {
        let chats = self.provider.chats();
        for round in chats[self.shown..].chunk_by(|one, other| task(one) == task(other)) {
            // Which of those that are asked at once is first is nobody's promise.
            let mut round: Vec<&Request> = round.iter().collect();
            round.sort_by_key(|request| request.model().map(str::to_owned));
            for request in round {
                let model = request.model().unwrap_or("?");
                let _ = writeln!(self.told, "==== {model} was sent\n{}", said(request));
            }
        }
        self.shown = chats.len();
    }

    /// Holds what was said to the file of this name.
    fn same(&self, name: &str) {
        golden::same("tools", name, &scrub::words(&self.told, &self.sandbox));
    }
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

fn turns(request: &Request) -> Vec<Value> {
    let all = request.json("/messages").and_then(Value::as_array);
    all.cloned().unwrap_or_default()
}

/// How the last words of a request begin.
fn task(request: &Request) -> String {
    let last = turns(request).pop().unwrap_or_default();
    last["content"].to_string().chars().take(30).collect()
}

fn said(request: &Request) -> String {
    let line = |message: Value| {
        let content = match &message["content"] {
            Value::String(text) => text.clone(),
            Value::Array(parts) => parts
                .iter()
                .map(|part| part["text"].as_str().unwrap_or("(no text)"))
                .collect::<Vec<_>>()
                .join("\n\n"),
            other => pretty(other),
        };
        format!("{}: {content}", message["role"].as_str().unwrap_or("?"))
    };
    let all: Vec<String> = turns(request).into_iter().map(line).collect();
    all.join("\n----\n")
}

/// The conversation a result belongs to.
fn thread_of(result: &Value) -> Value {
    let facts = &result["content"][0]["_meta"]["exai/answer"]["continuation_id"];
    assert!(facts.is_string(), "no conversation: {result}");
    facts.clone()
}

/// A tool nobody has read as its caller would fails here.
#[tokio::test]
async fn golden_every_tool_has_a_transcript() {
    let mut scene = Scene::new().await;
    let all = scene.call("tools_search", json!({})).await;
    let all: Value = serde_json::from_str(Shim::text_of(&all)).must("read the list");
    let names = all["tools"].as_array().must("have tools").iter();
    let names: BTreeSet<String> = names
        .filter_map(|line| line.as_str()?.split(':').next())
        .map(str::to_owned)
        .collect();
    let mut read = BTreeSet::new();
    for kind in ["tools", "workflow"] {
        for file in fs::read_dir(golden::folder(kind)).must("list the files") {
            let name = file.must("read a name").file_name();
            read.insert(name.to_string_lossy().trim_end_matches(".txt").to_owned());
        }
    }
    let unread: Vec<&String> = names.difference(&read).collect();
    assert!(unread.is_empty(), "{unread:?}");
}
