//! How a model is to be asked is said once, at whatever step, and holds to the end; a model that
//! is named is used, or the call fails.

use super::{asks, next, run, step, tools};
use crate::{
    models::{Stage, at},
    threads::{MODEL, stage},
    windows::{Caller as _, editor},
};
use exai_testkit::{Must as _, provider::Reply};
use serde_json::json;

#[tokio::test]
async fn p18_the_model_named_at_the_first_step_judges_at_the_last() {
    let (sandbox, provider) = stage().await;
    provider.otherwise(Reply::text("Judged."));
    let _daemon = sandbox.daemon().await;
    let mut ws = editor(&sandbox).await;
    for (tool, own) in tools().into_iter().filter(|(tool, _)| asks(tool)) {
        let mut first = step(&own, 1, 2, "Wish");
        first["model"] = json!("rare-bird@custom");
        first["max_output"] = json!(321);
        let begun = run(&mut ws, tool, first).await;
        let mut last = next(&begun);
        assert_eq!(last["model"], "rare-bird@custom", "{tool}: {last}");
        last["findings"] = json!("done");
        let ended = run(&mut ws, tool, last).await;
        assert_eq!(ended["expert"]["model"], "rare-bird", "{tool}: {ended}");
        let asked = provider.chats().pop().must("be asked");
        assert_eq!(asked.model(), Some("rare-bird"), "{tool}");
        assert!(asked.text().contains("321"), "{tool}: {}", asked.text());
        // The same without anything of it in the last call.
        let mut first = step(&own, 1, 2, "Wish");
        first["model"] = json!("rare-bird@custom");
        let begun = run(&mut ws, tool, first).await;
        let bare = json!({
            "step": "the end", "step_number": 2, "next_step_required": false,
            "findings": "done", "continuation_id": begun["continuation_id"],
        });
        run(&mut ws, tool, bare).await;
        let asked = provider.chats().pop().must("be asked");
        assert_eq!(asked.model(), Some("rare-bird"), "{tool}");
        // A later word counts more, and the conversation keeps whom it asked.
        let mut first = step(&own, 1, 2, "Wish");
        first["model"] = json!("rare-bird@custom");
        let mut last = next(&run(&mut ws, tool, first).await);
        last["findings"] = json!("done");
        last["model"] = json!(MODEL);
        let ended = run(&mut ws, tool, last).await;
        assert_eq!(ended["expert"]["model"], "parrot", "{tool}: {ended}");
        let mut more = step(&own, 1, 1, "More");
        more["continuation_id"] = ended["continuation_id"].clone();
        more["issues_found"] = json!(["one"]);
        more.as_object_mut().must("be an object").remove("model");
        let ended = run(&mut ws, tool, more).await;
        assert_eq!(ended["expert"]["model"], "parrot", "{tool}: {ended}");
    }
}

#[tokio::test]
async fn p18_a_model_that_cannot_be_had_is_never_another_one() {
    let stage = Stage::new().await;
    stage.provider.otherwise(Reply::text("Judged."));
    let _daemon = stage.daemon().await;
    let mut ws = editor(&stage.sandbox).await;
    for (tool, own) in tools().into_iter().filter(|(tool, _)| asks(tool)) {
        let mut last = step(&own, 1, 1, "Wish");
        last["model"] = json!("deepseek-v4-flash@deepseek");
        last["issues_found"] = json!(["one"]);
        let failed = ws.result_of(tool, last).await;
        let why = failed["error"]["message"].as_str().must("fail");
        assert!(why.contains("DEEPSEEK_API_KEY"), "{tool}: {why}");
        assert!(why.contains("The step itself is kept"), "{tool}: {why}");
        assert_eq!(stage.provider.chats().len(), 0, "{tool}");
    }
}

#[tokio::test]
async fn p18_another_model_answers_only_by_a_declared_chain_and_is_named() {
    let stage = Stage::new().await;
    stage.providers("[providers.custom]\nlimits = { retries = 0 }\n");
    stage.models(
        "[chains]\n\"parrot\" = [\"claude-haiku-4-5\"]\n\
         [[models]]\nid = \"parrot\"\nendpoint = \"custom\"\n",
    );
    stage.provider.always(at("custom"), Reply::status(500));
    stage
        .provider
        .always(at("anthropic"), Reply::text("Judged."));
    let _daemon = stage.daemon().await;
    let mut ws = editor(&stage.sandbox).await;
    for (tool, own) in tools().into_iter().filter(|(tool, _)| asks(tool)) {
        let mut last = step(&own, 1, 1, "Chain");
        last["model"] = json!("parrot");
        last["issues_found"] = json!(["one"]);
        let expert = run(&mut ws, tool, last).await["expert"].clone();
        assert_eq!(expert["model"], "claude-haiku-4-5", "{tool}: {expert}");
        let why = expert["chosen"].as_str().must("be told");
        assert!(why.contains("parrot@custom failed"), "{tool}: {why}");
    }
}

#[tokio::test]
async fn p20_no_model_stays_no_model_to_the_end() {
    let (sandbox, provider) = stage().await;
    provider.otherwise(Reply::text("paid"));
    let _daemon = sandbox.daemon().await;
    let mut ws = editor(&sandbox).await;
    for (tool, own) in tools() {
        let mut first = step(&own, 1, 2, "Free");
        first["use_assistant_model"] = json!(false);
        let begun = run(&mut ws, tool, first).await;
        let mut last = next(&begun);
        last["findings"] = json!("done");
        last["issues_found"] = json!(["one"]);
        let ended = run(&mut ws, tool, last).await;
        assert_eq!(ended["status"], "done", "{tool}: {ended}");
        assert_eq!(ended["expert"]["ran"], false, "{tool}");
    }
    assert_eq!(provider.chats().len(), 0);
}

#[tokio::test]
async fn p20_a_wish_that_cannot_be_is_refused_at_once_and_nothing_is_kept() {
    let (sandbox, provider) = stage().await;
    let _daemon = sandbox.daemon().await;
    let mut ws = editor(&sandbox).await;
    for (field, bad) in [
        ("temperature", json!(9)),
        ("effort", json!("heroic")),
        ("use_assistant_model", json!("perhaps")),
    ] {
        let mut first = step(&json!({}), 1, 2, "Wish");
        first[field] = bad;
        let refused = ws.result_of("debug", first).await;
        let why = refused["error"]["message"].as_str().must("fail");
        assert!(why.contains(field), "{why}");
    }
    let begun = run(&mut ws, "debug", step(&json!({}), 1, 2, "Wish")).await;
    assert_eq!(begun["turn"], 1, "{begun}");
    assert_eq!(provider.chats().len(), 0);
}
