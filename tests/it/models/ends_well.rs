//! What looks like a fault and is none, in every dialect; and what the record of an answer
//! says.

use super::{EACH, Stage, ask, at, said, told};
use exai_testkit::{
    PATIENCE, eventually,
    provider::{Dialect, Finish, Reply},
};
use serde_json::Value;

const WORDS: &str = "Grüß Gott, 世界! 🦀 Ça va?";

async fn each(reply: &Reply, check: impl Fn(Dialect, &Value)) {
    let stage = Stage::new().await;
    stage.provider.otherwise(reply.clone());
    let _daemon = stage.daemon().await;
    let mut ws = stage.caller().await;
    for (dialect, name, model) in EACH {
        ask(&mut ws, name, model).await;
        check(dialect, &ws.result(name).await);
    }
    assert_eq!(stage.provider.chats().len(), EACH.len(), "one request each");
}

#[tokio::test]
async fn characters_cut_in_two_arrive_whole() {
    let reply = Reply::text(WORDS).chunks(9).split_inside_characters();
    each(&reply, |dialect, result| {
        assert_eq!(said(result), WORDS, "{dialect:?}");
    })
    .await;
    each(&Reply::text(WORDS).chunks(3).split(1), |dialect, result| {
        assert_eq!(said(result), WORDS, "{dialect:?}");
    })
    .await;
}

#[tokio::test]
async fn a_huge_last_event_is_read() {
    let reply = Reply::text(WORDS).huge_last_event(2 * 1024 * 1024);
    each(&reply, |dialect, result| {
        assert_eq!(said(result), WORDS, "{dialect:?}");
    })
    .await;
}

/// The text is good; that nobody knows why it ended is said.
#[tokio::test]
async fn an_unknown_reason_to_stop_is_told_and_the_text_is_kept() {
    let reply = Reply::text(WORDS).finish("because");
    each(&reply, |dialect, result| {
        assert_eq!(said(result), WORDS, "{dialect:?}");
        let words = told(result);
        // Responses has a status and no such word.
        assert!(
            words.contains("'because'") || dialect == Dialect::Responses,
            "{dialect:?}: {words}"
        );
    })
    .await;
}

#[tokio::test]
async fn a_text_cut_by_its_ceiling_says_so() {
    let reply = Reply::text(WORDS).finish(Finish::Length);
    each(&reply, |dialect, result| {
        assert_eq!(said(result), WORDS, "{dialect:?}");
        assert!(
            told(result).contains("THE ANSWER IS CUT"),
            "{dialect:?}: {result}"
        );
    })
    .await;
}

#[tokio::test]
async fn the_record_names_model_tokens_and_price() {
    let stage = Stage::new().await;
    stage.models(
        "[[models]]\nid = \"parrot\"\nendpoint = \"custom\"\n\
         price = { in = 2.0, out = 10.0, date = \"2026-11-21\" }\n",
    );
    stage
        .provider
        .always(at("custom"), Reply::text(WORDS).tokens(1000, 500));
    stage
        .provider
        .always(at("ollama"), Reply::text(WORDS).tokens(7, 3));
    let _daemon = stage.daemon().await;
    let mut ws = stage.caller().await;
    ask(&mut ws, "priced", "parrot").await;
    let result = ws.result("priced").await;
    assert!(told(&result).contains("parrot at custom"), "{result}");
    assert!(
        told(&result).contains("1000 tokens in, 500 out"),
        "{result}"
    );
    ask(&mut ws, "unpriced", "qwen3:32b@ollama").await;
    let result = ws.result("unpriced").await;
    assert!(told(&result).contains("price unknown"), "{result}");
    for (id, endpoint, model, input) in [
        ("priced", "custom", "parrot", 1000),
        ("unpriced", "ollama", "qwen3:32b", 7),
    ] {
        let end = || {
            let records = stage.sandbox.records_of(id);
            records
                .into_iter()
                .find(|record| record.get("outcome").is_some())
        };
        let record = eventually(PATIENCE, "the record is there", end).await;
        let usage = &record["usage"];
        assert_eq!(usage["endpoint"], endpoint, "{record}");
        assert_eq!(usage["model"], model, "{record}");
        assert_eq!(usage["tokens"]["input"], input, "{record}");
        assert_eq!(usage["attempts"][0]["attempt"], 1, "{record}");
        let usd = usage["price"]["usd"].as_f64();
        match id {
            "priced" => assert!(
                usd.is_some_and(|usd| (usd - 0.007).abs() < 1e-9),
                "{record}"
            ),
            _ => assert!(
                usage["price"]["unknown"].is_string() && usd.is_none(),
                "{record}"
            ),
        }
    }
    let usage = stage
        .sandbox
        .cli(&["usage", "--by", "model", "--json"])
        .await
        .ok()
        .json();
    let rows = usage["rows"].as_array().map_or(0, Vec::len);
    assert_eq!(rows, 2, "{usage}");
}
