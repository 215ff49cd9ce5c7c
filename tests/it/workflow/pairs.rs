//! Every tool hands over to every other: the next model sees the previous question and answer
//! exactly once, whoever asked and answered. From an editor's window to the provider.

use super::{envelope, last_request, step, tools};
use crate::{
    clink,
    threads::{MODEL, stage},
    windows::{Caller as _, editor},
};
use exai_testkit::{
    Must as _, Sandbox, Shim,
    provider::{Provider, Reply},
};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// All that go on with a conversation, each with what it cannot do without.
fn all() -> Vec<(&'static str, Value)> {
    let mut all = tools();
    all.extend([
        ("chat", json!({})),
        ("clink", json!({"agent": "claude"})),
        (
            "consensus",
            json!({"models": [{"model": MODEL}, {"model": "two@custom"}]}),
        ),
        ("kimi_multi_file_chat", json!({"files": ["notes.txt"]})),
        ("smart_file_query", json!({"file_path": "notes.txt"})),
    ]);
    all
}

/// Who is asked, where a tool asks anybody.
fn asks(tool: &str) -> Asks {
    match tool {
        "clink" => Asks::Agent,
        "consensus" => Asks::Models(2),
        _ if super::asks(tool) => Asks::Models(1),
        _ => Asks::Nobody,
    }
}

#[derive(PartialEq)]
enum Asks {
    Nobody,
    Models(usize),
    Agent,
}

struct Scene {
    sandbox: Sandbox,
    provider: Provider,
    shim: Shim,
}

impl Scene {
    /// One turn of a tool in a conversation; where it is now, and what was told whom it asked.
    async fn turn(
        &mut self,
        (tool, own): &(&'static str, Value),
        (words, verdict): (&str, &str),
        thread: Option<&str>,
    ) -> (String, String) {
        let replies = match asks(tool) {
            Asks::Models(count) => count,
            _ => 0,
        };
        // The others agree in silence: one verdict is one text.
        let said = (0..replies).map(|n| Reply::text(if n == 0 { verdict } else { "So it is." }));
        self.provider.script(said);
        let mut arguments = arguments(tool, own, words);
        if let Some(id) = thread {
            arguments["continuation_id"] = json!(id);
        }
        let result = self.shim.result_of(tool, arguments).await;
        let told = match &result["outputs"][0]["_meta"]["exai/answer"] {
            Value::Null => {
                let envelope = envelope(&result);
                assert_eq!(envelope["status"], "done", "{tool}: {envelope}");
                envelope
            }
            facts => facts.clone(),
        };
        let id = told["continuation_id"].as_str();
        let id = id.unwrap_or_else(|| panic!("{tool} is not kept: {result}"));
        let asked = match asks(tool) {
            Asks::Agent => clink::notes(&self.sandbox),
            Asks::Models(_) => last_request(&self.provider),
            Asks::Nobody => String::new(),
        };
        (id.to_owned(), asked)
    }
}

fn arguments(tool: &str, own: &Value, words: &str) -> Value {
    let field = match tool {
        "smart_file_query" => "question",
        "chat" | "clink" | "consensus" | "kimi_multi_file_chat" => "prompt",
        _ => {
            let mut step = step(own, 1, 1, words);
            step["issues_found"] = json!(["something"]);
            return step;
        }
    };
    let mut arguments = own.clone();
    arguments[field] = json!(format!("{words}, question"));
    if !["clink", "consensus"].contains(&tool) {
        arguments["model"] = json!(MODEL);
    }
    arguments
}

/// What the next one has to be told of a turn of this tool, once.
fn leaves(tool: &str, words: &'static str, verdict: &'static str) -> Vec<&'static str> {
    match asks(tool) {
        Asks::Nobody => vec![words],
        Asks::Models(_) => vec![words, verdict],
        Asks::Agent => vec![words, "VERDICT-AGENT."],
    }
}

#[tokio::test]
async fn p19_every_ordered_pair_of_tools_hands_over_exactly_once() {
    let (mut sandbox, provider) = stage().await;
    clink::install(&mut sandbox);
    let mut file =
        std::fs::File::create(sandbox.work().join("notes.txt")).must("make a file of the project");
    std::io::Write::write_all(&mut file, b"a note\n").must("write it");
    let _daemon = sandbox.daemon().await;
    let shim = editor(&sandbox).await;
    let mut scene = Scene {
        sandbox,
        provider,
        shim,
    };
    let all = all();
    for one in &all {
        for other in &all {
            let pair = format!("{} -> {}", one.0, other.0);
            let first = ("WORK-ONE", "VERDICT-ONE.");
            let (id, _) = scene.turn(one, first, None).await;
            let second = ("WORK-TWO", "VERDICT-TWO.");
            let (same, mut told) = scene.turn(other, second, Some(&id)).await;
            assert_eq!(id, same, "{pair}");
            let mut seen = leaves(one.0, "WORK-ONE, ", "VERDICT-ONE.");
            match (asks(one.0), asks(other.0)) {
                (Asks::Agent, Asks::Agent) => {
                    // Its own session knows.
                    assert!(told.contains("--resume session-42"), "{told}");
                    seen.iter()
                        .for_each(|once| assert!(!told.contains(once), "{told}"));
                    continue;
                }
                (_, Asks::Nobody) => {
                    // The next one that asks somebody sees both.
                    let third = ("WORK-THREE", "VERDICT-THREE.");
                    let chat = ("chat", json!({}));
                    (_, told) = scene.turn(&chat, third, Some(&id)).await;
                    seen.push("WORK-TWO, ");
                }
                _ => {}
            }
            for once in seen {
                let count = told.matches(once).count();
                assert_eq!(count, 1, "{pair}, {once}: {told}");
            }
        }
    }
}

/// A tool that can go on with a conversation and is not among the pairs fails here.
#[tokio::test]
async fn all_tools_that_go_on_with_a_conversation_are_among_the_pairs() {
    let (sandbox, _provider) = stage().await;
    let _daemon = sandbox.daemon().await;
    let mut shim = editor(&sandbox).await;
    let query = json!({"query": "continuation_id", "limit": 20});
    let found = shim.result_of("tools_search", query).await;
    let found = envelope(&found);
    let goes_on = |entry: &&Value| {
        let field = &entry["inputSchema"]["properties"]["continuation_id"];
        field.is_object() && entry["name"] != "threads"
    };
    let listed = found["found"].as_array().must("find tools").iter();
    let listed: BTreeSet<&str> = listed
        .filter(goes_on)
        .filter_map(|entry| entry["name"].as_str())
        .collect();
    assert!(listed.len() < 20, "there may be more: {found}");
    let paired: BTreeSet<&str> = all().into_iter().map(|(name, _)| name).collect();
    assert_eq!(listed, paired);
}
