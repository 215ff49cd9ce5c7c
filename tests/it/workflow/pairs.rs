//! Every tool hands over to every other: the next model sees the previous question and answer
//! exactly once, whoever asked and answered.

use super::{asks, call, envelope, last_request, step, tools};
use crate::threads::{MODEL, stage, window};
use exai_testkit::{Must as _, Ws, provider::Reply};
use serde_json::{Value, json};

/// One turn of a tool in a conversation; where it is now.
async fn turn(ws: &mut Ws, tool: &str, own: &Value, words: &str, thread: Option<&str>) -> String {
    let mut arguments = match tool {
        "chat" => json!({"prompt": format!("{words}, question"), "model": MODEL}),
        _ => step(own, 1, 1, words),
    };
    if tool != "chat" {
        arguments["issues_found"] = json!(["something"]);
    }
    if let Some(id) = thread {
        arguments["continuation_id"] = json!(id);
    }
    let result = call(ws, tool, arguments).await;
    let told = match tool {
        "chat" => result["outputs"][1]["_meta"]["exai/answer"].clone(),
        _ => {
            let envelope = envelope(&result);
            assert_eq!(envelope["status"], "done", "{tool}: {envelope}");
            envelope
        }
    };
    let id = told["continuation_id"].as_str();
    id.must("be kept").to_owned()
}

#[tokio::test]
async fn every_ordered_pair_of_tools_hands_over_exactly_once() {
    let (sandbox, provider) = stage().await;
    let _daemon = sandbox.daemon().await;
    let mut ws = window(&sandbox).await;
    let mut all = tools();
    all.push(("chat", json!({})));
    for (one, own) in &all {
        for (other, others) in &all {
            let speaks = |tool: &str| tool == "chat" || asks(tool);
            if speaks(one) {
                provider.script([Reply::text("VERDICT-ONE.")]);
            }
            let id = turn(&mut ws, one, own, "WORK-ONE", None).await;
            if speaks(other) {
                provider.script([Reply::text("VERDICT-TWO.")]);
            }
            let same = turn(&mut ws, other, others, "WORK-TWO", Some(&id)).await;
            assert_eq!(id, same, "{one} -> {other}");
            let mut seen = vec!["WORK-ONE, "];
            if speaks(one) {
                seen.push("VERDICT-ONE.");
            }
            if !speaks(other) {
                // It asks nobody; the next one that does sees both.
                provider.script([Reply::text("VERDICT-THREE.")]);
                turn(&mut ws, "chat", &json!({}), "WORK-THREE", Some(&id)).await;
                seen.push("WORK-TWO, ");
            }
            let told = last_request(&provider);
            for once in seen {
                assert_eq!(
                    told.matches(once).count(),
                    1,
                    "{one} -> {other}, {once}: {told}"
                );
            }
        }
    }
}
