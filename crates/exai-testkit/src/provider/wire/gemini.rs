//! Gemini: whole responses, one after the other, whose parts add up.
//!
//! Written on 2026-11-21 from <https://ai.google.dev/api/generate-content> (candidates,
//! finish reasons, `usageMetadata`, `groundingMetadata`),
//! <https://ai.google.dev/gemini-api/docs/thinking> (`thought`, `thoughtSignature`) and
//! <https://ai.google.dev/gemini-api/docs/google-search>.

use super::{model, object};
use crate::provider::{
    Finish, Request, Usage,
    answer::Answer,
    event::{Event, Role},
};
use serde_json::{Value, json};

pub(super) fn events(answer: &Answer, request: &Request) -> Vec<Event> {
    let responses = responses(answer, request).into_iter();
    responses
        .map(|(role, response)| Event::new(role, response))
        .collect()
}

/// The stream of a caller that did not ask for events.
pub(in crate::provider) fn list(answer: &Answer, request: &Request) -> Value {
    let responses = responses(answer, request).into_iter();
    responses.map(|(_, response)| response).collect()
}

pub(super) fn whole(answer: &Answer, request: &Request) -> Value {
    let mut parts = Vec::new();
    if !answer.reasoning.is_empty() {
        parts.push(json!({"text": answer.whole_reasoning(), "thought": true}));
    }
    if !answer.text.is_empty() {
        parts.push(json!({"text": answer.whole_text()}));
    }
    parts.extend(calls(answer));
    last(answer, request, parts)
}

fn responses(answer: &Answer, request: &Request) -> Vec<(Role, Value)> {
    let thoughts = answer.reasoning.iter();
    let thoughts = thoughts.map(|thought| json!({"text": thought, "thought": true}));
    let texts = answer.text.iter().map(|text| json!({"text": text}));
    let parts = thoughts.chain(texts).chain(calls(answer));
    let mut responses: Vec<(Role, Value)> = parts
        .map(|part| (Role::Piece, response(answer, request, vec![part])))
        .collect();
    let empty = vec![json!({"text": ""})];
    responses.push((Role::Tail, last(answer, request, empty)));
    responses
}

fn calls(answer: &Answer) -> impl Iterator<Item = Value> {
    answer.calls.iter().enumerate().map(|(index, call)| {
        let mut part = json!({
            "functionCall": {"id": call.id, "name": call.name, "args": object(&call.arguments)},
        });
        // Only the first call of a turn is signed.
        if index == 0 {
            part["thoughtSignature"] = json!("c2lnbmVk");
        }
        part
    })
}

fn response(answer: &Answer, request: &Request, parts: Vec<Value>) -> Value {
    let mut response = json!({
        "candidates": [{"content": {"parts": parts, "role": "model"}, "index": 0}],
        "modelVersion": model(answer, request),
        "responseId": format!("response-{}", request.index),
    });
    if let Some(usage) = answer.usage {
        let input = usage.input;
        response["usageMetadata"] = json!({"promptTokenCount": input, "totalTokenCount": input});
    }
    response
}

fn last(answer: &Answer, request: &Request, parts: Vec<Value>) -> Value {
    let mut response = response(answer, request, parts);
    if let Some(word) = finish(answer) {
        response["candidates"][0]["finishReason"] = json!(word);
    }
    if let Some(search) = &answer.search {
        let found = search.found.iter();
        let chunks: Vec<Value> = found
            .map(|(title, url)| json!({"web": {"uri": url, "title": title}}))
            .collect();
        response["candidates"][0]["groundingMetadata"] = json!({
            "webSearchQueries": [search.query],
            "groundingChunks": chunks,
            "groundingSupports": [],
            "searchEntryPoint": {"renderedContent": ""},
        });
    }
    if let Some(usage) = answer.usage {
        response["usageMetadata"] = used(usage);
    }
    response
}

/// Thoughts are beside the candidates' tokens here, not inside them.
fn used(usage: Usage) -> Value {
    let mut used = json!({
        "promptTokenCount": usage.input,
        "candidatesTokenCount": usage.output.saturating_sub(usage.reasoning),
        "totalTokenCount": usage.input + usage.output,
    });
    if usage.cached > 0 {
        used["cachedContentTokenCount"] = json!(usage.cached);
    }
    if usage.reasoning > 0 {
        used["thoughtsTokenCount"] = json!(usage.reasoning);
    }
    used
}

fn finish(answer: &Answer) -> Option<String> {
    Some(match answer.finish() {
        Finish::Stop | Finish::ToolCalls => "STOP".to_owned(),
        Finish::Length => "MAX_TOKENS".to_owned(),
        Finish::Filtered => "SAFETY".to_owned(),
        Finish::Word(word) => word,
        Finish::Missing => return None,
    })
}
