//! `{"data": [{"id": …}]}`, as OpenAI began it, with what others added: the fields by which
//! each says how much its models read, what they can, and what they cost. Anthropic's list
//! has the same form, in pages.

use super::Page;
use crate::{catalogue::Discovered, price::Price};
use serde_json::Value;

pub(super) fn page(body: &Value) -> Option<Page> {
    let rows = ["data", "models"].iter().find_map(|field| body.get(field));
    let rows = rows.unwrap_or(body).as_array()?;
    let more = body.get("has_more").and_then(Value::as_bool) == Some(true);
    let last = body.get("last_id").and_then(Value::as_str);
    Some(Page {
        models: rows
            .iter()
            .filter(|row| is_chat(row))
            .filter_map(model)
            .collect(),
        more: last.filter(|_| more).map(str::to_owned),
    })
}

/// What the list itself says against it: another kind of model, or one that is switched off.
fn is_chat(row: &Value) -> bool {
    let says =
        |pointer: &str, value: bool| row.pointer(pointer).and_then(Value::as_bool) == Some(value);
    let kind = row.get("type").and_then(Value::as_str).unwrap_or_default();
    let writes = row
        .pointer("/architecture/output_modalities")
        .and_then(Value::as_array);
    let writes_text = writes.is_none_or(|kinds| kinds.iter().any(|kind| kind == "text"));
    !says("/active", false)
        && !says("/capabilities/completion_chat", false)
        && !matches!(
            kind,
            "embedding" | "embeddings" | "image" | "audio" | "rerank"
        )
        && writes_text
}

fn model(row: &Value) -> Option<Discovered> {
    let number = |pointers: &[&str]| {
        let found = pointers.iter().filter_map(|at| row.pointer(at)?.as_u64());
        found.filter(|tokens| *tokens > 0).min()
    };
    let flag = |pointers: &[&str]| pointers.iter().find_map(|at| row.pointer(at)?.as_bool());
    let lists = |pointer: &str, word: &str| {
        let words = row.pointer(pointer)?.as_array()?;
        Some(words.iter().any(|known| known == word))
    };
    Some(Discovered {
        id: row
            .get("id")
            .or_else(|| row.get("name"))?
            .as_str()?
            .to_owned(),
        // The smallest that is stated: what a server was started with bounds what a model can.
        context: number(&[
            "/context_length",
            "/top_provider/context_length",
            "/context_window",
            "/max_context_length",
            "/max_model_len",
            "/max_input_tokens",
            "/meta/n_ctx",
        ])
        .or_else(|| number(&["/meta/n_ctx_train"])),
        output: number(&[
            "/top_provider/max_completion_tokens",
            "/max_completion_tokens",
            "/max_output_tokens",
            "/max_output_length",
        ]),
        vision: lists("/architecture/input_modalities", "image")
            .or_else(|| lists("/input_modalities", "image"))
            .or_else(|| {
                flag(&[
                    "/capabilities/vision",
                    "/supports_image_in",
                    "/capabilities/image_input/supported",
                ])
            }),
        tools: lists("/supported_parameters", "tools")
            .or_else(|| flag(&["/capabilities/function_calling", "/supports_tools"])),
        thinking: lists("/supported_parameters", "reasoning").or_else(|| {
            flag(&[
                "/supports_reasoning",
                "/capabilities/reasoning",
                "/capabilities/thinking/supported",
            ])
        }),
        price: row.get("pricing").and_then(price),
    })
}

/// OpenRouter's prices: dollars for one token, as text. A negative one means "it depends".
fn price(pricing: &Value) -> Option<Price> {
    let dollars = |field: &str| {
        let text = match pricing.get(field)? {
            Value::String(text) => text.trim().parse::<f64>().ok()?,
            number => number.as_f64()?,
        };
        (text.is_finite() && text >= 0.0).then_some(text)
    };
    // Rounded to a ten-thousandth of a cent, so that 0.00000015 a token is 0.15 a million.
    let million = |field: &str| {
        let whole = (dollars(field)? * 1e12).round() / 1e6;
        (whole <= 100_000.0).then_some(whole)
    };
    Some(Price {
        input: Some(million("prompt")?),
        output: Some(million("completion")?),
        cached: million("input_cache_read"),
        cache_write: million("input_cache_write"),
        search: dollars("web_search"),
        date: None,
    })
}
