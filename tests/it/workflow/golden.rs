//! Each tool step by step, word for word: what it answers and what its expert is sent.

use super::{asks, next, run, sent, step, tools};
use crate::{
    golden::same,
    threads::{MODEL, stage},
    windows::editor,
};
use exai_testkit::{Must as _, provider::Reply};
use serde_json::{Value, json};
use std::fmt::Write as _;

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

#[tokio::test]
async fn golden_every_tool_step_by_step() {
    let (sandbox, provider) = stage().await;
    provider.otherwise(Reply::text("1. The verdict, with a reason."));
    let _daemon = sandbox.daemon().await;
    let mut shim = editor(&sandbox).await;
    for (tool, own) in tools() {
        let (mut told, asked) = (String::new(), provider.chats().len());
        let mut arguments = step(&own, 1, 3, "Look into it");
        loop {
            let _ = writeln!(told, "==== call\n{}", pretty(&arguments));
            let answer = run(&mut shim, tool, arguments).await;
            let _ = writeln!(told, "==== answer\n{}", pretty(&answer));
            let id = answer["continuation_id"]
                .as_str()
                .must("be kept")
                .to_owned();
            let work = sandbox.work().display().to_string();
            told = told.replace(&id, "(id)").replace(&work, "(work)");
            if answer["next_call"] == Value::Null {
                break;
            }
            arguments = next(&answer);
            let number = arguments["step_number"].clone();
            arguments["findings"] = json!(format!("what step {number} found"));
            if asks(tool) {
                let sure = if tool == "refactor" {
                    "partial"
                } else {
                    "high"
                };
                arguments["confidence"] = json!(sure);
                arguments["model"] = json!(MODEL);
            }
        }
        if provider.chats().len() > asked {
            let _ = writeln!(
                told,
                "==== the expert was sent\n{}",
                sent(&provider).join("\n----\n")
            );
        }
        same("workflow", tool, &told);
    }
}
