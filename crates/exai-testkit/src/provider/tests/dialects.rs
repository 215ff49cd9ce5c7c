//! Every dialect says the same thing, in its own shape, streamed and whole.

use super::client::{Ended, Heard, ask};
use crate::provider::{Dialect, Finish, Provider, Reply, Usage, UsagePlace};
use serde_json::{Value, json};

const TEXT: &str = "Grüße aus 東京 🗼, alle zusammen!";
const THOUGHT: &str = "überlegt…";

fn everything() -> Reply {
    Reply::text(TEXT)
        .chunks(5)
        .reasoning(THOUGHT)
        .tool_call("call-7", "look", r#"{"at": "東京"}"#)
        .usage(Usage {
            input: 100,
            cached: 40,
            cache_written: 0,
            output: 30,
            reasoning: 12,
        })
}

async fn said(dialect: Dialect, stream: bool) -> Heard {
    let provider = Provider::start().await;
    provider.script([everything()]);
    let heard = ask(&provider, dialect, stream).await;
    assert_eq!(
        (heard.status, heard.ended),
        (200, Ended::Whole),
        "{dialect:?}"
    );
    heard
}

/// All strings at this pointer, in order, joined.
fn joined(payloads: &[Value], pointer: &str) -> String {
    let found = payloads
        .iter()
        .filter_map(|payload| payload.pointer(pointer));
    found.filter_map(Value::as_str).collect()
}

fn of_kind<'a>(payloads: &'a [Value], kind: &str) -> Vec<&'a Value> {
    let found = payloads.iter().filter(|payload| payload["type"] == kind);
    found.collect()
}

fn deltas(payloads: &[Value], kind: &str, pointer: &str) -> String {
    let found = of_kind(payloads, kind).into_iter();
    let found = found.filter_map(|payload| payload.pointer(pointer)?.as_str());
    found.collect()
}

#[tokio::test]
async fn chat_completions_stream() {
    let heard = said(Dialect::OpenAiChat, true).await;
    let payloads = heard.payloads();
    assert_eq!(joined(&payloads, "/choices/0/delta/content"), TEXT);
    assert_eq!(
        joined(&payloads, "/choices/0/delta/reasoning_content"),
        THOUGHT
    );
    let call = "/choices/0/delta/tool_calls/0/function";
    assert_eq!(joined(&payloads, &format!("{call}/name")), "look");
    assert_eq!(
        joined(&payloads, &format!("{call}/arguments")),
        r#"{"at": "東京"}"#
    );
    assert_eq!(joined(&payloads, "/choices/0/finish_reason"), "tool_calls");
    let last = payloads.last().unwrap();
    assert_eq!(last["choices"], json!([]));
    assert_eq!(last["usage"]["prompt_tokens"], 100);
    assert_eq!(last["usage"]["prompt_tokens_details"]["cached_tokens"], 40);
    assert_eq!(last["usage"]["completion_tokens"], 30);
    assert_eq!(heard.sse().last().unwrap().1, "[DONE]");
    assert!(payloads.iter().all(|chunk| chunk["model"] == "m-1"));
}

#[tokio::test]
async fn responses_stream() {
    let payloads = said(Dialect::Responses, true).await.payloads();
    for (index, payload) in payloads.iter().enumerate() {
        assert_eq!(payload["sequence_number"], index, "{payload}");
    }
    assert_eq!(
        deltas(&payloads, "response.output_text.delta", "/delta"),
        TEXT
    );
    let thought = "response.reasoning_summary_text.delta";
    assert_eq!(deltas(&payloads, thought, "/delta"), THOUGHT);
    let arguments = "response.function_call_arguments.delta";
    assert_eq!(deltas(&payloads, arguments, "/delta"), r#"{"at": "東京"}"#);
    let added = of_kind(&payloads, "response.output_item.added").len();
    let done = of_kind(&payloads, "response.output_item.done");
    assert_eq!((added, done.len()), (3, 3));
    let last = payloads.last().unwrap();
    assert_eq!(last["type"], "response.completed");
    let items: Vec<&Value> = done.iter().map(|done| &done["item"]).collect();
    assert_eq!(last["response"]["output"], json!(items));
    assert_eq!(last["response"]["output"][1]["content"][0]["text"], TEXT);
    assert_eq!(
        last["response"]["usage"]["output_tokens_details"]["reasoning_tokens"],
        12
    );
}

#[tokio::test]
async fn messages_stream() {
    let heard = said(Dialect::Anthropic, true).await;
    for (name, data) in heard.sse() {
        let data: Value = serde_json::from_str(&data).unwrap();
        assert_eq!(data["type"], name, "the event is named after its type");
    }
    let payloads = heard.payloads();
    let delta = "content_block_delta";
    assert_eq!(deltas(&payloads, delta, "/delta/text"), TEXT);
    assert_eq!(deltas(&payloads, delta, "/delta/thinking"), THOUGHT);
    assert_eq!(
        deltas(&payloads, delta, "/delta/partial_json"),
        r#"{"at": "東京"}"#
    );
    assert_ne!(deltas(&payloads, delta, "/delta/signature"), "");
    for kind in ["content_block_start", "content_block_stop"] {
        let indexes: Vec<&Value> = of_kind(&payloads, kind)
            .into_iter()
            .map(|payload| &payload["index"])
            .collect();
        assert_eq!(json!(indexes), json!([0, 1, 2]), "{kind}");
    }
    let begun = &payloads[0]["message"];
    assert_eq!(
        (&begun["content"], &begun["stop_reason"]),
        (&json!([]), &Value::Null)
    );
    let ending = of_kind(&payloads, "message_delta")[0];
    assert_eq!(ending["delta"]["stop_reason"], "tool_use");
    assert_eq!(ending["usage"]["input_tokens"], 60);
    assert_eq!(ending["usage"]["cache_read_input_tokens"], 40);
    assert_eq!(ending["usage"]["output_tokens"], 30);
    assert_eq!(payloads.last().unwrap()["type"], "message_stop");
}

#[tokio::test]
async fn gemini_streams_events_when_asked_and_a_list_when_not() {
    let payloads = said(Dialect::Gemini, true).await.payloads();
    let parts: Vec<&Value> = payloads
        .iter()
        .flat_map(|payload| {
            payload["candidates"][0]["content"]["parts"]
                .as_array()
                .unwrap()
        })
        .collect();
    let texts = |thought: bool| -> String {
        let parts = parts
            .iter()
            .filter(|part| part.get("thought").is_some() == thought);
        parts.filter_map(|part| part["text"].as_str()).collect()
    };
    assert_eq!(
        (texts(false).as_str(), texts(true).as_str()),
        (TEXT, THOUGHT)
    );
    let call = parts
        .iter()
        .find(|part| part["functionCall"].is_object())
        .unwrap();
    assert_eq!(call["functionCall"]["args"], json!({"at": "東京"}));
    let last = payloads.last().unwrap();
    assert_eq!(last["candidates"][0]["finishReason"], "STOP");
    assert_eq!(last["usageMetadata"]["candidatesTokenCount"], 18);
    assert_eq!(last["usageMetadata"]["thoughtsTokenCount"], 12);
    assert_eq!(last["usageMetadata"]["totalTokenCount"], 130);

    let provider = Provider::start().await;
    provider.script([everything()]);
    let path = "/v1beta/models/m-1:streamGenerateContent";
    let list = super::client::send_json(&provider, "POST", path, json!({})).await;
    assert_eq!(list.json().as_array().unwrap().len(), payloads.len());
    assert_eq!(provider.requests()[0].model(), Some("m-1"));
}

#[tokio::test]
async fn ollama_streams_lines() {
    let heard = said(Dialect::Ollama, true).await;
    assert_eq!(heard.header("content-type"), Some("application/x-ndjson"));
    let payloads = heard.payloads();
    assert_eq!(joined(&payloads, "/message/content"), TEXT);
    assert_eq!(joined(&payloads, "/message/thinking"), THOUGHT);
    let calls: Vec<&Value> = payloads
        .iter()
        .filter_map(|payload| payload.pointer("/message/tool_calls/0/function"))
        .collect();
    assert_eq!(
        json!(calls),
        json!([{"name": "look", "arguments": {"at": "東京"}}])
    );
    let (last, before) = payloads.split_last().unwrap();
    assert!(before.iter().all(|line| line["done"] == false));
    assert_eq!(
        (&last["done"], &last["done_reason"]),
        (&json!(true), &json!("stop"))
    );
    assert_eq!(
        (&last["prompt_eval_count"], &last["eval_count"]),
        (&json!(100), &json!(30))
    );
    let sum: u64 = ["load_duration", "prompt_eval_duration", "eval_duration"]
        .iter()
        .map(|field| last[*field].as_u64().unwrap())
        .sum();
    assert_eq!(last["total_duration"], sum);
}

#[tokio::test]
async fn every_dialect_says_it_whole() {
    for (dialect, text, thought, used) in [
        (
            Dialect::OpenAiChat,
            "/choices/0/message/content",
            "/choices/0/message/reasoning_content",
            "/usage/completion_tokens",
        ),
        (
            Dialect::Responses,
            "/output/1/content/0/text",
            "/output/0/summary/0/text",
            "/usage/output_tokens",
        ),
        (
            Dialect::Anthropic,
            "/content/1/text",
            "/content/0/thinking",
            "/usage/output_tokens",
        ),
        (
            Dialect::Gemini,
            "/candidates/0/content/parts/1/text",
            "/candidates/0/content/parts/0/text",
            "/usageMetadata/candidatesTokenCount",
        ),
        (
            Dialect::Ollama,
            "/message/content",
            "/message/thinking",
            "/eval_count",
        ),
    ] {
        let body = said(dialect, false).await.json();
        assert_eq!(body.pointer(text), Some(&json!(TEXT)), "{dialect:?}");
        assert_eq!(body.pointer(thought), Some(&json!(THOUGHT)), "{dialect:?}");
        let expected = if dialect == Dialect::Gemini { 18 } else { 30 };
        assert_eq!(body.pointer(used), Some(&json!(expected)), "{dialect:?}");
        assert!(
            body.to_string().contains("look"),
            "{dialect:?} calls the tool"
        );
    }
}

#[tokio::test]
async fn every_dialect_has_a_word_for_every_reason_and_repeats_strange_ones() {
    let words = [
        (
            Dialect::OpenAiChat,
            "/choices/0/finish_reason",
            ["length", "content_filter", "stop"],
        ),
        (
            Dialect::Responses,
            "/incomplete_details/reason",
            ["max_output_tokens", "content_filter", ""],
        ),
        (
            Dialect::Anthropic,
            "/stop_reason",
            ["max_tokens", "refusal", "end_turn"],
        ),
        (
            Dialect::Gemini,
            "/candidates/0/finishReason",
            ["MAX_TOKENS", "SAFETY", "STOP"],
        ),
        (Dialect::Ollama, "/done_reason", ["length", "stop", "stop"]),
    ];
    for (dialect, pointer, [length, filtered, stop]) in words {
        let provider = Provider::start().await;
        let reasons = [
            Finish::Length,
            Finish::Filtered,
            Finish::Stop,
            Finish::from("odd"),
        ];
        provider.script(reasons.map(|reason| Reply::text("x").finish(reason)));
        provider.script([Reply::text("x").finish(Finish::Missing)]);
        for expected in [length, filtered, stop, "odd", ""] {
            let body = ask(&provider, dialect, false).await.json();
            let word = body.pointer(pointer).and_then(Value::as_str);
            assert_eq!(word.unwrap_or_default(), expected, "{dialect:?}");
        }
    }
}

#[tokio::test]
async fn usage_is_where_each_compatible_provider_puts_it() {
    let provider = Provider::start().await;
    let places = [UsagePlace::InChoice, UsagePlace::WithFinish];
    provider.script(places.map(|place| Reply::text("x").tokens(7, 2).usage_place(place)));
    provider.script([Reply::text("x").no_usage()]);
    for pointer in ["/choices/0/usage/prompt_tokens", "/usage/prompt_tokens"] {
        let payloads = ask(&provider, Dialect::OpenAiChat, true).await.payloads();
        assert_eq!(payloads.last().unwrap().pointer(pointer), Some(&json!(7)));
    }
    let text = ask(&provider, Dialect::OpenAiChat, true).await.text();
    assert!(!text.contains("prompt_tokens"), "{text}");
}
