//! What a caller is led to do next: words for how sure it is, a last step when it is sure, and a
//! next call that can be sent as it stands.

use super::{asks, next, run, step, tools};
use crate::{threads::stage, windows::editor};
use exai_testkit::{Must as _, provider::Reply};
use serde_json::json;

#[tokio::test]
async fn every_next_call_is_valid_as_it_stands() {
    let (sandbox, provider) = stage().await;
    provider.otherwise(Reply::text("Judged."));
    let _daemon = sandbox.daemon().await;
    let mut shim = editor(&sandbox).await;
    for (tool, own) in tools() {
        let mut first = step(&own, 1, 3, "Begin");
        first["issues_found"] = json!(["one"]);
        let mut answer = run(&mut shim, tool, first).await;
        for number in 2..=3 {
            assert_eq!(answer["next_call"]["tool"], tool, "{answer}");
            answer = run(&mut shim, tool, next(&answer)).await;
            assert_eq!(answer["step"], number, "{tool}: {answer}");
            assert_eq!(answer["turn"], number, "{tool}: in the same conversation");
        }
        assert_eq!(answer["status"], "done", "{tool}: {answer}");
        assert_eq!(answer["expert"]["ran"], asks(tool), "{tool}: {answer}");
    }
}

#[tokio::test]
async fn who_is_sure_is_led_to_the_last_step_however_many_were_planned() {
    let (sandbox, provider) = stage().await;
    provider.otherwise(Reply::text("Judged."));
    let _daemon = sandbox.daemon().await;
    let mut shim = editor(&sandbox).await;
    // The audit has six parts, and goes through all of them.
    let sure = tools().into_iter();
    let sure = sure.filter(|(tool, _)| asks(tool) && *tool != "secaudit");
    for (tool, own) in sure {
        let begun = run(&mut shim, tool, step(&own, 1, 9, "Begin")).await;
        let words = begun["next_steps"].as_str().must("be told").to_owned();
        let top = if tool == "refactor" {
            "complete"
        } else {
            "certain"
        };
        assert!(
            words.contains("'confidence'") && words.contains(top),
            "{words}"
        );
        let skips = words.contains(&format!("With '{top}' no other model is asked"));
        let mut second = next(&begun);
        second["confidence"] = json!(top);
        second["findings"] = json!("all of it");
        let second = run(&mut shim, tool, second).await;
        let told = second["required_actions"].to_string();
        assert!(told.contains("which is the last step"), "{tool}: {told}");
        let last = next(&second);
        assert_eq!(last["next_step_required"], false, "{tool}: {last}");
        assert_eq!(last["total_steps"], 3, "{tool}: {last}");
        let ended = run(&mut shim, tool, last).await;
        assert_eq!(ended["status"], "done", "{tool}: {ended}");
        assert_eq!(
            ended["expert"]["ran"], !skips,
            "{tool}: as was said: {ended}"
        );
    }
}
