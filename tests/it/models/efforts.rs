//! How hard a model is to think is asked of every provider in its own words, and what it took is
//! told: of chat as of an investigation's expert.

use super::{EACH, Stage};
use crate::windows::{Caller as _, editor};
use exai_testkit::{
    Must as _,
    provider::{Dialect, Reply},
};
use serde_json::{Value, json};

/// Where each dialect says how hard to think.
fn place(dialect: Dialect) -> &'static [&'static str] {
    match dialect {
        Dialect::OpenAiChat => &["/reasoning_effort"],
        Dialect::Responses => &["/reasoning/effort"],
        Dialect::Anthropic => &["/thinking", "/output_config/effort"],
        Dialect::Gemini => &["/generationConfig/thinkingConfig"],
        Dialect::Ollama => &["/think"],
    }
}

#[tokio::test]
async fn t09_effort_is_sent_or_said_not_to_be_everywhere_and_usage_is_told() {
    let stage = Stage::new().await;
    stage
        .provider
        .otherwise(Reply::text("thought").tokens(20, 9));
    let _daemon = stage.daemon().await;
    let mut shim = editor(&stage.sandbox).await;
    for (dialect, _, model) in EACH {
        for (tool, field) in [("chat", "effort"), ("thinkdeep", "thinking_mode")] {
            let mut asked = json!({ "prompt": "why?", "step": "why?", "model": model });
            asked[field] = json!("high");
            (asked["step_number"], asked["next_step_required"]) = (json!(1), json!(false));
            let result = shim.result_of(tool, asked).await;
            let told = result["outputs"].to_string();
            let sent = stage.provider.chats().pop().must("be asked");
            let there = place(dialect)
                .iter()
                .any(|place| sent.json(place).is_some());
            let said = told.to_lowercase().contains("not as asked: effort");
            assert!(there || said, "{model}, {tool}: {} and {told}", sent.text());
            assert!(!(there && said), "{model}, {tool}: both {told}");
            let facts = shim_usage(&result, tool);
            assert_eq!(facts, (20, 9), "{model}, {tool}: {result}");
        }
    }
    let usage = stage.sandbox.cli(&["usage", "--json"]).await.ok().json();
    let requests = usage["total"]["requests"].as_u64();
    assert_eq!(requests, Some(2 * EACH.len() as u64), "{usage}");
}

/// Tokens in and out, as whoever reads the answer is told.
fn shim_usage(result: &Value, tool: &str) -> (u64, u64) {
    let text = result["outputs"][0]["text"].as_str().must("be text");
    if tool == "chat" {
        let there = text.contains("20 tokens in, 9 out");
        return if there { (20, 9) } else { (0, 0) };
    }
    let envelope: Value = serde_json::from_str(text).must("be an envelope");
    let usage = &envelope["expert"]["usage"];
    let count = |field: &str| usage[field].as_u64().unwrap_or(0);
    (count("input"), count("output"))
}
