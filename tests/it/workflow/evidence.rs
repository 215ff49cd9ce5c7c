//! What an investigation cites is looked up, and every file that was to be sent is accounted
//! for: in words for whoever reads the answer, in facts for a program.

use super::{asks, envelope, last_request, next, run, step, tools, write};
use crate::{
    threads::{stage, window},
    windows::{Caller as _, editor},
};
use exai_testkit::{Must as _, provider::Reply};
use serde_json::{Value, json};

/// What was cited wrongly, in order.
fn wrong(evidence: &Value) -> Vec<&str> {
    let all = evidence["wrong"].as_array().map(Vec::as_slice);
    let cited = all.unwrap_or_default().iter();
    cited.filter_map(|one| one["cited"].as_str()).collect()
}

#[tokio::test]
async fn p24_every_tool_says_which_files_and_lines_are_not_there() {
    let (sandbox, provider) = stage().await;
    provider.otherwise(Reply::text(
        "As src/a.rs:1 shows, and src/a.rs:44 does not.",
    ));
    let _daemon = sandbox.daemon().await;
    write(&sandbox, "src/a.rs", "fn one() {}\nfn two() {}\n");
    write(&sandbox, "logo.png", "\u{0}\u{1}\u{2}");
    let mut ws = editor(&sandbox).await;
    for (tool, own) in tools() {
        let mut first = step(&own, 1, 2, "Look");
        first["findings"] = json!("src/a.rs:2 is sound, src/a.rs:9 is not, nor gone.rs:1-3");
        first["files_checked"] = json!(["src", "src/*.rs", "logo.png", "src/a.rs:1-2", "lost.rs"]);
        let begun = run(&mut ws, tool, first).await;
        let cited = ["src/a.rs:9", "gone.rs:1-3", "lost.rs"];
        assert_eq!(wrong(&begun["evidence"]), cited, "{tool}: {begun}");
        assert_eq!(begun["evidence"]["checked"], 8, "{tool}: {begun}");
        let actions = begun["required_actions"].to_string();
        assert!(
            actions.contains("'evidence' lists as wrong"),
            "{tool}: {actions}"
        );
        let mut last = next(&begun);
        last["findings"] = json!("nothing more");
        last["relevant_files"] = json!(["src/a.rs"]);
        let ended = run(&mut ws, tool, last).await;
        assert_eq!(ended["status"], "done", "{tool}: {ended}");
        assert_eq!(wrong(&ended["evidence"]), cited, "{tool}: of all steps");
        if asks(tool) {
            assert_eq!(wrong(&ended["expert_evidence"]), ["src/a.rs:44"], "{tool}");
            let next = ended["next_steps"].to_string();
            assert!(next.contains("'expert_evidence'"), "{tool}: {next}");
            let told = last_request(&provider);
            let (_, list) = told
                .split_once("Citations that were looked up and are wrong")
                .must("be told");
            assert!(list.contains("it has 2 lines, and no line 9"), "{list}");
        }
    }
}

#[tokio::test]
async fn without_a_folder_nothing_is_looked_up_and_that_is_said() {
    let (sandbox, _provider) = stage().await;
    let _daemon = sandbox.daemon().await;
    let mut ws = window(&sandbox).await;
    let mut first = step(&json!({}), 1, 2, "Look");
    first["findings"] = json!("src/a.rs:2 is wrong");
    let begun = run(&mut ws, "debug", first).await;
    let why = begun["evidence"]["not_checked"].as_str().must("be said");
    assert!(why.contains("no folder"), "{begun}");
    assert_eq!(begun["evidence"]["checked"], 0);
}

#[tokio::test]
async fn p24_every_judgement_has_the_account_of_its_files() {
    let (sandbox, provider) = stage().await;
    provider.otherwise(Reply::text("Judged."));
    let _daemon = sandbox.daemon().await;
    write(&sandbox, "a.rs", "fn canary_sent() {}\n");
    write(&sandbox, ".env", "TOKEN=canary-secret\n");
    let mut ws = editor(&sandbox).await;
    for (tool, own) in tools().into_iter().filter(|(tool, _)| asks(tool)) {
        let mut last = step(&own, 1, 1, "All");
        last["relevant_files"] = json!(["a.rs", ".env", "gone.rs"]);
        let result = ws.result_of(tool, last).await;
        let ended = envelope(&result);
        let told = &ended["file_context"];
        assert_eq!(told["files_embedded"], 1, "{tool}: {ended}");
        let packing = told["packing"].as_str().must("be told");
        let sums = "3 asked for = 1 included + 0 cut + 2 omitted, about ";
        assert!(packing.starts_with(sums), "{tool}: {packing}");
        let facts = &result["outputs"][0]["_meta"]["exai/workflow"];
        let files = facts["files"].as_array().must("be there");
        let fates: Vec<&str> = files
            .iter()
            .filter_map(|file| file["fate"].as_str())
            .collect();
        assert_eq!(fates, ["included", "omitted", "omitted"], "{tool}: {facts}");
        assert_eq!(files[0]["path"], "a.rs", "{tool}");
        assert_eq!(
            files[0]["sha256"].as_str().map(str::len),
            Some(64),
            "{tool}"
        );
        assert!(files[0]["tokens"].as_u64() > Some(0), "{tool}: {facts}");
        for omitted in &files[1..] {
            assert!(omitted["why"].is_string(), "{tool}: {omitted}");
        }
        let sent = last_request(&provider);
        assert_eq!(sent.matches("canary_sent").count(), 1, "{tool}");
        assert!(!sent.contains("canary-secret"), "{tool}: {sent}");
        assert!(
            sent.contains("gone.rs"),
            "{tool}: the model is told as well"
        );
    }
}

#[tokio::test]
async fn p16_an_investigation_grows_by_its_findings_and_files_go_once() {
    let (sandbox, provider) = stage().await;
    provider.otherwise(Reply::text("Judged."));
    let _daemon = sandbox.daemon().await;
    write(&sandbox, "a.rs", &"fn canary_file() {}\n".repeat(50));
    let mut ws = editor(&sandbox).await;
    let mut sizes = Vec::new();
    for steps in [4_u32, 8, 12] {
        let mut arguments = step(&json!({}), 1, steps, "Grow");
        for _ in 0..steps {
            arguments["findings"] = json!("finding ".repeat(100));
            arguments["relevant_files"] = json!(["a.rs"]);
            let answer = run(&mut ws, "debug", arguments).await;
            arguments = answer["next_call"]["arguments"].clone();
        }
        let sent = last_request(&provider);
        assert_eq!(
            sent.matches("canary_file").count(),
            50,
            "the file goes once"
        );
        assert_eq!(sent.matches("finding ").count(), 100 * steps as usize);
        sizes.push(sent.len());
    }
    assert_eq!(provider.chats().len(), 3, "one request each, at its end");
    let (one, two) = (sizes[1] - sizes[0], sizes[2] - sizes[1]);
    assert!(one.abs_diff(two) < 100, "{sizes:?}");
}
