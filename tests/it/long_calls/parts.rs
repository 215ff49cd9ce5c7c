//! Answers longer than their client shows.

use super::{LIMIT, home, window};
use crate::editor::{failure, ok_text};
use exai_testkit::{
    Shim, eventually,
    provider::{Dialect, Provider, Reply},
};
use serde_json::{Value, json};

const BYTES: usize = 7_000;

/// The text of an answer's blocks but the last, which tells of the rest.
fn text_and_words(result: &Value) -> (String, String) {
    assert!(result.get("isError").is_none(), "{result}");
    let blocks = result["content"].as_array().cloned().unwrap_or_default();
    let mut texts: Vec<&str> = blocks
        .iter()
        .filter_map(|block| block["text"].as_str())
        .collect();
    let words = texts.pop().unwrap_or_default().to_owned();
    (texts.concat(), words)
}

#[tokio::test]
async fn r14_a_long_answer_comes_in_parts_and_nothing_is_cut_without_a_word() {
    let sandbox = home();
    let mut daemon = sandbox.daemon().await;
    let mut calm = window(&sandbox, "calm").await;
    let asked = json!({ "bytes": BYTES });
    let whole = calm.call_tool("test_bulk_once", asked.clone()).await;
    let whole = ok_text(&whole).to_owned();
    let mut shim = window(&sandbox, "narrow").await;
    let mut result = shim.call_tool("test_bulk_once", asked).await;
    let facts = result["_meta"]["exai/page"].clone();
    let (of, handle) = (facts["of"].as_u64().unwrap_or(0), facts["handle"].clone());
    assert!((4..=6).contains(&of), "{facts}");
    let runs = || {
        let calls = sandbox.calls();
        let bulk = |call: &&Value| call["tool"] == "test_bulk_once";
        calls.iter().filter(bulk).count()
    };
    eventually(LIMIT, "two records", || runs() == 2).await;
    let (_, words) = text_and_words(&result);
    let id = result["_meta"]["exai/request_id"].as_str().unwrap_or("?");
    let uri = format!("exai://answers/{id}");
    assert!(words.contains(&uri), "{words}");
    let read = shim.ask("resources/read", json!({ "uri": uri })).await;
    let read = read["result"]["contents"][0]["text"].as_str();
    assert_eq!(read.map(str::trim_end), Some(whole.trim_end()));
    let mut joined = String::new();
    for part in 1..=of {
        let (text, words) = text_and_words(&result);
        assert!(text.len() + words.len() <= 2_000, "{}", text.len());
        assert!(words.contains(&format!("{part} of {of}")), "{words}");
        joined.push_str(&text);
        if part == of {
            break;
        }
        assert!(words.contains("exai_continue") && words.contains(handle.as_str().unwrap_or("?")));
        if part == 2 {
            // Every part is read anew, from whoever has it.
            daemon.kill().await;
            daemon = sandbox.daemon().await;
            shim = window(&sandbox, "narrow").await;
        }
        let next = json!({ "handle": handle, "page": part + 1 });
        result = shim.call_tool("exai_continue", next).await;
    }
    assert_eq!(joined, whole);
    let beyond = json!({ "handle": handle, "page": 99 });
    let result = shim.call_tool("exai_continue", beyond).await;
    let (code, text) = failure(&result);
    assert_eq!(code, "INVALID_ARGUMENT");
    assert!(text.contains("page 99"), "{text}");
    // A client without a limit gets it whole by the same handle.
    let all = calm
        .call_tool("exai_continue", json!({ "handle": handle }))
        .await;
    assert_eq!(Shim::text_of(&all), whole);
    assert_eq!(runs(), 2);
}

#[tokio::test]
async fn r14_the_first_part_says_what_the_others_hold_and_how_to_go_on() {
    let provider = Provider::start().await;
    let mut sandbox = home();
    let url = provider.url_under("custom", Dialect::OpenAiChat);
    sandbox.set("CUSTOM_API_URL", url);
    let section = |name: &str| format!("## {name}\n\n{}\n\n", "because of this. ".repeat(90));
    let text = ["Verdict", "Findings", "What is good"]
        .map(section)
        .concat();
    provider.otherwise(Reply::text(&text));
    let _daemon = sandbox.daemon().await;
    let mut shim = window(&sandbox, "narrow").await;
    let ask = json!({ "prompt": "Review it.", "model": "parrot@custom" });
    let result = shim.call_tool("chat", ask).await;
    let (first, words) = text_and_words(&result);
    assert!(first.starts_with("## Verdict"), "{first}");
    for told in ["Findings", "What is good", "continuation_id: ", "bytes"] {
        assert!(words.contains(told), "{told}: {words}");
    }
    // What programs are told of the block is told with each piece, and is true of it.
    let facts = |result: &Value| {
        let meta = &result["content"][0]["_meta"];
        let conversation = meta["exai/answer"]["continuation_id"].as_str();
        assert!(conversation.is_some(), "{result}");
        let number = |place: &str| meta.pointer(place).and_then(Value::as_u64);
        let [from, to, answer] = [
            "/exai~1piece/from",
            "/exai~1piece/to",
            "/exai~1answer/answer_bytes",
        ]
        .map(|place| number(place).unwrap_or_else(|| panic!("{place}: {meta}")));
        (from, to, answer)
    };
    assert_eq!(facts(&result), (0, first.len() as u64, first.len() as u64));
    // A page it names holds what it says.
    let line = words.lines().find(|line| line.contains("What is good"));
    let page = line.and_then(|line| line.strip_prefix("- page ")?.chars().next()?.to_digit(10));
    let handle = &result["_meta"]["exai/page"]["handle"];
    let wanted = json!({ "handle": handle, "page": page });
    let result = shim.call_tool("exai_continue", wanted).await;
    let (text, _) = text_and_words(&result);
    assert!(text.contains("## What is good"), "{text}");
    let (from, to, answer) = facts(&result);
    assert!(from > 0 && to == from + text.len() as u64 && answer <= to - from);
}
