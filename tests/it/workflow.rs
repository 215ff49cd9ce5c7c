//! Investigations in steps through the front door: what a caller is told, what the expert is
//! sent, what outlives the daemon, and that nothing of one is ever in another.

mod deaths;
mod evidence;
pub(crate) mod git;
mod golden;
mod interleaved;
mod ladder;
#[cfg(unix)]
mod pairs;
mod unread;
mod wishes;

use crate::{
    threads::{MODEL, stage},
    windows::{Caller, editor},
};
use exai_testkit::{
    Must as _, Sandbox, Ws,
    provider::{Provider, Reply},
};
use serde_json::{Value, json};
use std::{fs, io::Write as _};

/// All of them, each with what it cannot do without.
fn tools() -> Vec<(&'static str, Value)> {
    vec![
        ("analyze", json!({"analysis_type": "architecture"})),
        ("codereview", json!({"focus_on": "errors"})),
        ("debug", json!({})),
        (
            "docgen",
            json!({"num_files_documented": 1, "total_files_to_document": 1}),
        ),
        ("planner", json!({})),
        ("precommit", json!({"focus_on": "tests"})),
        ("refactor", json!({"refactor_type": "decompose"})),
        ("secaudit", json!({"audit_focus": "owasp"})),
        ("testgen", json!({})),
        ("thinkdeep", json!({"focus_areas": ["cost"]})),
        (
            "tracer",
            json!({"trace_mode": "precision", "target_description": "main"}),
        ),
    ]
}

/// Whether a model judges at its end.
fn asks(tool: &str) -> bool {
    !["docgen", "planner", "tracer"].contains(&tool)
}

/// One step of so many, with what every tool needs.
fn step(own: &Value, number: u32, total: u32, words: &str) -> Value {
    let mut arguments = json!({
        "step": format!("{words}, step {number}"),
        "step_number": number,
        "total_steps": total,
        "next_step_required": number < total,
        "findings": format!("{words}: found {number}"),
        "model": MODEL,
    });
    let fields = arguments.as_object_mut().must("be an object");
    fields.extend(own.as_object().cloned().unwrap_or_default());
    arguments
}

/// The envelope of an answer.
fn envelope(result: &Value) -> Value {
    let text = result["outputs"][0]["text"].as_str();
    let text = text.unwrap_or_else(|| panic!("no text: {result}"));
    serde_json::from_str(text).must(format_args!("be an envelope: {result}"))
}

async fn run(window: &mut impl Caller, tool: &str, arguments: Value) -> Value {
    envelope(&window.result_of(tool, arguments).await)
}

/// A call from a window that has the sandbox's working folder open; its whole result.
async fn call(ws: &mut Ws, sandbox: &Sandbox, id: &str, tool: &str, arguments: Value) -> Value {
    let root = format!("file://{}", sandbox.work().display());
    ws.send(&json!({
        "op": "call_tool", "request_id": id, "name": tool, "roots": [root],
        "arguments": arguments,
    }))
    .await;
    ws.result(id).await
}

/// A file in that folder.
pub(crate) fn write(sandbox: &Sandbox, name: &str, text: &str) {
    let path = sandbox.work().join(name);
    fs::create_dir_all(path.parent().must("have a folder")).must("make a folder");
    let mut file = fs::File::create(path).must("make a file");
    file.write_all(text.as_bytes()).must("write a file");
}

/// What an answer proposes to do next.
fn next(envelope: &Value) -> Value {
    let call = &envelope["next_call"]["arguments"];
    assert!(call.is_object(), "no next call: {envelope}");
    call.clone()
}

/// Who said what in the last request, in full.
fn sent(provider: &Provider) -> Vec<String> {
    let last = provider.chats().pop().must("find a request");
    let all = last.json("/messages").and_then(Value::as_array).cloned();
    let line = |message: Value| {
        let content = match &message["content"] {
            Value::String(text) => text.clone(),
            Value::Array(parts) => parts
                .iter()
                .map(|part| part["text"].as_str().unwrap_or("?"))
                .collect::<Vec<_>>()
                .join("\n\n"),
            other => other.to_string(),
        };
        format!("{}: {content}", message["role"].as_str().unwrap_or("?"))
    };
    all.unwrap_or_default().into_iter().map(line).collect()
}

/// All that the last request said.
fn last_request(provider: &Provider) -> String {
    sent(provider).join("\n")
}

#[tokio::test]
async fn an_agent_is_paused_goes_on_and_is_judged_through_the_shim() {
    let (sandbox, provider) = stage().await;
    provider.script([Reply::text("The cause is shown.")]);
    provider.otherwise(Reply::text("As the expert said."));
    let _daemon = sandbox.daemon().await;
    let mut shim = sandbox.shim();
    shim.initialize("2025-06-18").await;
    let mut ask = async |tool: &str, arguments: Value| {
        let result = shim.call_tool(tool, arguments).await;
        assert_ne!(result["isError"], true, "{result}");
        result["content"][0]["text"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    let begun = ask("debug", step(&json!({}), 1, 2, "It leaks")).await;
    let begun: Value = serde_json::from_str(&begun).must("be an envelope");
    assert_eq!(begun["status"], "working");
    assert_eq!(begun["v1_status"], "pause_for_investigation");
    assert_eq!(begun["expert"]["ran"], false);
    assert_eq!(provider.chats().len(), 0, "nothing goes on by itself");
    let mut arguments = next(&begun);
    arguments["findings"] = json!("parse() never closes the handle");
    arguments["model"] = json!(MODEL);
    let ended: Value = serde_json::from_str(&ask("debug", arguments).await).must("be an envelope");
    assert_eq!(ended["status"], "done", "{ended}");
    assert_eq!(ended["expert"]["ran"], true);
    assert_eq!(ended["expert"]["model"], "parrot");
    assert_eq!(
        ended["expert_analysis"]["raw_analysis"],
        "The cause is shown."
    );
    assert_eq!(ended["complete_investigation"]["steps_taken"], 2);
    let told = last_request(&provider);
    for once in [
        "It leaks, step 1",
        "It leaks: found 1",
        "never closes the handle",
    ] {
        assert_eq!(told.matches(once).count(), 1, "{once}: {told}");
    }
    let chat = json!({"prompt": "And now?", "continuation_id": ended["continuation_id"]});
    ask("chat", chat).await;
    let told = last_request(&provider);
    for once in [
        "It leaks: found 1",
        "never closes the handle",
        "The cause is shown.",
    ] {
        assert_eq!(told.matches(once).count(), 1, "{once}: {told}");
    }
}

#[tokio::test]
async fn p20_use_assistant_model_false_is_obeyed_by_every_tool() {
    let (sandbox, provider) = stage().await;
    provider.otherwise(Reply::text("paid"));
    let _daemon = sandbox.daemon().await;
    let mut ws = editor(&sandbox).await;
    for (tool, own) in tools() {
        let mut arguments = step(&own, 1, 1, "All");
        arguments["use_assistant_model"] = json!(false);
        arguments["issues_found"] = json!([{"severity": "high", "description": "bad"}]);
        let ended = run(&mut ws, tool, arguments).await;
        assert_eq!(ended["status"], "done", "{tool}: {ended}");
        assert_eq!(ended["expert"]["ran"], false, "{tool}");
    }
    assert_eq!(provider.chats().len(), 0);
}

#[tokio::test]
async fn p13_an_expert_that_fails_is_an_error_and_the_step_can_be_sent_again() {
    let (sandbox, provider) = stage().await;
    provider.otherwise(Reply::text("It holds."));
    let _daemon = sandbox.daemon().await;
    let mut ws = editor(&sandbox).await;
    for (tool, own) in tools().into_iter().filter(|(tool, _)| asks(tool)) {
        provider.script([Reply::status(400)]);
        let mut last = step(&own, 1, 1, "All");
        last["issues_found"] = json!([{"severity": "high", "description": "bad"}]);
        let failed = ws.result_of(tool, last).await;
        assert!(failed["error"].is_object(), "{tool}: {failed}");
        let told = &failed["error"]["metadata"]["workflow"];
        assert_eq!(told["status"], "failed", "{tool}: {failed}");
        let mut again = told["next_call"]["arguments"].clone();
        again["model"] = json!(MODEL);
        let ended = run(&mut ws, tool, again).await;
        assert_eq!(ended["status"], "done", "{tool}: {ended}");
        assert_eq!(ended["expert"]["ran"], true, "{tool}");
        let once = last_request(&provider).matches("All: found 1").count();
        assert_eq!(once, 1, "{tool}: the failed try counts for nothing");
    }
}

#[tokio::test]
async fn p17_no_step_is_taken_and_no_model_is_asked_that_nobody_called_for() {
    let (sandbox, provider) = stage().await;
    provider.otherwise(Reply::text("Judged."));
    let _daemon = sandbox.daemon().await;
    let mut ws = editor(&sandbox).await;
    for (tool, own) in tools() {
        let before = provider.chats().len();
        let mut arguments = step(&own, 1, 4, "Slowly");
        for number in 1..=4 {
            arguments["issues_found"] = json!(["one"]);
            // So sure that others would have ended it here.
            arguments["confidence"] = json!("high");
            if tool == "refactor" {
                arguments["confidence"] = json!("partial");
            }
            let answer = run(&mut ws, tool, arguments).await;
            assert_eq!(answer["step"], number, "{tool}: {answer}");
            assert_eq!(answer["turn"], number, "{tool}: one step a call");
            let asked = provider.chats().len() - before;
            let due = usize::from(number == 4 && asks(tool));
            assert_eq!(asked, due, "{tool}, step {number}: {answer}");
            arguments = answer["next_call"]["arguments"].clone();
        }
        assert!(arguments.is_null(), "{tool}: it is over");
    }
}

#[tokio::test]
async fn tools_that_ask_no_model_work_without_any_key() {
    let sandbox = Sandbox::new();
    let _daemon = sandbox.daemon().await;
    let mut ws = editor(&sandbox).await;
    for (tool, own) in tools().into_iter().filter(|(tool, _)| !asks(tool)) {
        let mut arguments = step(&own, 1, 2, "Free");
        arguments
            .as_object_mut()
            .must("be an object")
            .remove("model");
        let begun = run(&mut ws, tool, arguments).await;
        assert_eq!(begun["status"], "working", "{tool}");
        let ended = run(&mut ws, tool, next(&begun)).await;
        assert_eq!(ended["status"], "done", "{tool}");
    }
}

#[tokio::test]
async fn p11_unrelated_investigations_never_leak() {
    let (sandbox, provider) = stage().await;
    provider.otherwise(Reply::text("Judged."));
    let _daemon = sandbox.daemon().await;
    let mut ws = editor(&sandbox).await;
    for (tool, own) in tools().into_iter().filter(|(tool, _)| asks(tool)) {
        for secret in ["canary-alpha", "canary-beta"] {
            let begun = run(&mut ws, tool, step(&own, 1, 2, secret)).await;
            let mut last = next(&begun);
            last["findings"] = json!("done");
            last["model"] = json!(MODEL);
            let ended = run(&mut ws, tool, last).await;
            assert_eq!(ended["expert"]["ran"], true, "{tool}: {ended}");
        }
        let told = last_request(&provider);
        assert!(told.contains("canary-beta"), "{tool}: {told}");
        assert!(!told.contains("canary-alpha"), "{tool}: {told}");
    }
}
