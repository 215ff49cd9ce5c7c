//! Money: what may be spent is held before anything is sent, so that no number of calls at
//! once goes over it; what is dear is asked about; what is nearly used up is told.

use super::{Stage, ask_with, failed, ms, said, told};
use exai_testkit::{Sandbox, provider::Reply};
use serde_json::{Value, json};

/// A model whose thousand written tokens cost ten cents.
pub(super) const DEAR: &str = "[[models]]\nid = \"parrot\"\nendpoint = \"custom\"\n\
     price = { in = 1.0, out = 100.0, date = \"2026-11-21\" }\n";
/// So that only the daemon's own limits count.
pub(super) const WIDE: &str = "[providers.custom]\nlimits = { concurrency = 24 }\n";

pub(super) async fn usage(sandbox: &Sandbox) -> Value {
    sandbox.cli(&["usage", "--json"]).await.ok().json()
}

pub(super) fn spent(usage: &Value) -> f64 {
    usage["total"]["counted_usd"].as_f64().unwrap_or(0.0)
}

async fn stage(day: &str) -> Stage {
    let mut stage = Stage::new().await;
    stage.sandbox.set("EXAI_BUDGET_DAY", day);
    stage.models(DEAR).providers(WIDE);
    stage
}

#[tokio::test]
async fn fifty_calls_at_once_never_spend_more_than_a_day_may() {
    let stage = stage("1.00").await;
    stage
        .provider
        .otherwise(Reply::text("dear words").tokens(20, 900).after(ms(100)));
    let _daemon = stage.daemon().await;
    let mut callers = Vec::new();
    for number in 0..5 {
        let id = format!("window-{number}");
        callers.push(stage.sandbox.modern(&id, &super::FEATURES).await.0);
    }
    for (number, ws) in callers.iter_mut().enumerate() {
        for call in 0..10 {
            let id = format!("{number}-{call}");
            ask_with(ws, &id, "parrot", json!({ "max_output": 1000 })).await;
        }
    }
    let (mut answered, mut refused) = (0, 0);
    for (number, ws) in callers.iter_mut().enumerate() {
        for call in 0..10 {
            let result = ws.result(&format!("{number}-{call}")).await;
            if result.get("error").is_none() {
                answered += 1;
                continue;
            }
            let (code, message) = failed(&result);
            assert_eq!(code, "OVER_BUDGET", "{result}");
            assert!(message.contains("$1.00"), "no numbers: {message}");
            refused += 1;
        }
    }
    assert_eq!(answered + refused, 50);
    assert_eq!(
        stage.provider.chats().len(),
        answered,
        "the refused were never sent"
    );
    let usage = usage(&stage.sandbox).await;
    let (spent, held) = (spent(&usage), &usage["budgets"][0]["held_usd"]);
    assert!(spent <= 1.0, "{usage}");
    assert!(spent > 0.8, "it could have been used: {usage}");
    assert_eq!(held, 0.0, "{usage}");
    let all = usage["total"]["requests"].as_u64();
    assert_eq!(all, u64::try_from(answered).ok(), "{usage}");
}

#[tokio::test]
async fn what_is_dear_is_sent_only_when_it_was_confirmed() {
    let mut stage = stage("10").await;
    stage.sandbox.set("EXAI_CONFIRM_ABOVE", "0.05");
    stage
        .provider
        .otherwise(Reply::text("dear words").tokens(20, 500));
    let _daemon = stage.daemon().await;
    let mut ws = stage.caller().await;
    ask_with(&mut ws, "unasked", "parrot", json!({ "max_output": 1000 })).await;
    let result = ws.result("unasked").await;
    let (code, message) = failed(&result);
    assert_eq!(code, "OVER_BUDGET", "{result}");
    for part in ["confirm_cost", "$0.10", "$0.05", "parrot"] {
        assert!(message.contains(part), "no {part:?} in {message}");
    }
    assert!(stage.provider.chats().is_empty(), "sent without a word");
    let yes = json!({ "max_output": 1000, "confirm_cost": true });
    ask_with(&mut ws, "confirmed", "parrot", yes).await;
    assert_eq!(said(&ws.result("confirmed").await), "dear words");
    ask_with(&mut ws, "cheap", "parrot", json!({ "max_output": 100 })).await;
    assert_eq!(
        said(&ws.result("cheap").await),
        "dear words",
        "below the price"
    );
    let line = [
        "chat",
        "-m",
        "parrot",
        "--max-output",
        "1000",
        "--yes",
        "hello",
    ];
    let chat = stage.sandbox.cli(&line).await.ok();
    assert!(chat.stdout.contains("dear words"), "{}", chat.all());
}

#[tokio::test]
async fn a_call_may_have_a_budget_of_its_own() {
    let mut stage = stage("10").await;
    stage.sandbox.set("EXAI_BUDGET_CALL", "0.05");
    stage.provider.otherwise(Reply::text("dear words"));
    let _daemon = stage.daemon().await;
    let mut ws = stage.caller().await;
    let yes = json!({ "max_output": 1000, "confirm_cost": true });
    ask_with(&mut ws, "a", "parrot", yes).await;
    let result = ws.result("a").await;
    assert_eq!(
        failed(&result).0,
        "OVER_BUDGET",
        "a yes does not raise a budget: {result}"
    );
    assert!(stage.provider.chats().is_empty());
}

#[tokio::test]
async fn from_a_share_of_the_budget_on_answers_carry_a_warning() {
    let stage = stage("1.00").await;
    stage
        .provider
        .otherwise(Reply::text("dear words").tokens(20, 850));
    let _daemon = stage.daemon().await;
    let mut ws = stage.caller().await;
    let mut warned = Vec::new();
    for number in 0..10 {
        let id = format!("w-{number}");
        ask_with(&mut ws, &id, "parrot", json!({ "max_output": 900 })).await;
        let result = ws.result(&id).await;
        assert_eq!(said(&result), "dear words");
        warned.push(told(&result).contains("Budget: "));
    }
    assert!(!warned[0] && !warned[5], "too early: {warned:?}");
    assert!(warned[9], "never: {warned:?}");
}

/// A model whose price nobody knows is asked, and its cost is said to be unknown.
#[tokio::test]
async fn unknown_prices_are_said_to_be_unknown_or_refused() {
    let mut stage = stage("1.00").await;
    stage
        .provider
        .otherwise(Reply::text("for whatever").tokens(20, 850));
    {
        let mut daemon = stage.daemon().await;
        let mut ws = stage.caller().await;
        ask_with(&mut ws, "u", "stranger@custom", json!({})).await;
        assert!(told(&ws.result("u").await).contains("price unknown"));
        let usage = usage(&stage.sandbox).await;
        assert_eq!(usage["total"]["unpriced"], 1, "{usage}");
        daemon.kill().await;
    }
    stage.sandbox.set("EXAI_BUDGET_REFUSE_UNKNOWN", "true");
    let _daemon = stage.daemon().await;
    let mut ws = stage.caller().await;
    // A call of its own: under the first one's id it would get the first one's answer.
    ask_with(&mut ws, "v", "stranger@custom", json!({})).await;
    let result = ws.result("v").await;
    assert_eq!(failed(&result).0, "OVER_BUDGET", "{result}");
    assert_eq!(stage.provider.chats().len(), 1, "not sent again");
}
