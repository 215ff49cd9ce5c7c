//! Each tool step by step, word for word: what it answers and what its expert is sent. To write
//! the files anew after a change that was meant, run the test `golden` of the binary `it` with
//! `EXAI_GOLDEN=write`, and read the difference before you commit it.

use super::{asks, next, run, sent, step, tools};
use crate::threads::{MODEL, stage, window};
use exai_testkit::{Must as _, provider::Reply};
use serde_json::{Value, json};
use std::{fmt::Write as _, fs, io::Write as _, path::PathBuf};

fn file(tool: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden/workflow");
    folder.join(format!("{tool}.txt"))
}

/// The same as the file, or the file is written.
fn same(tool: &str, told: &str) {
    let path = file(tool);
    if std::env::var("EXAI_GOLDEN").is_ok_and(|word| word == "write") {
        let mut file = fs::File::create(path).must("make the golden file");
        file.write_all(told.as_bytes())
            .must("write the golden file");
        return;
    }
    let golden = fs::read_to_string(path).must("read the golden file");
    assert_eq!(
        golden, told,
        "{tool}: run with EXAI_GOLDEN=write if this is meant"
    );
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

#[tokio::test]
async fn golden_every_tool_step_by_step() {
    let (sandbox, provider) = stage().await;
    provider.otherwise(Reply::text("1. The verdict, with a reason."));
    let _daemon = sandbox.daemon().await;
    let mut ws = window(&sandbox).await;
    for (tool, own) in tools() {
        let (mut told, asked) = (String::new(), provider.chats().len());
        let mut arguments = step(&own, 1, 3, "Look into it");
        loop {
            let _ = writeln!(told, "==== call\n{}", pretty(&arguments));
            let answer = run(&mut ws, tool, arguments).await;
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
        same(tool, &told);
    }
}
