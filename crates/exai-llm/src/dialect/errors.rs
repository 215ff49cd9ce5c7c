//! Refusals, sorted. Each dialect says where its error hides; what the codes and words mean
//! is shared, because compatible servers borrow each other's.

use super::{Dialect, anthropic, gemini, json, ollama, openai_chat, responses};
use crate::fault::{Fault, FaultClass, header, retry_after_ms, scrub};
use serde_json::Value;

/// An answer that is no stream.
#[derive(Debug, Clone, Copy)]
pub struct Response<'a> {
    /// Its status.
    pub status: u16,
    /// Its headers.
    pub headers: &'a [(String, String)],
    /// Its body, or the beginning of it.
    pub body: &'a [u8],
    /// The time, for dates in headers.
    pub now_ms: u64,
}

/// What a provider says went wrong.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub(super) class: Option<FaultClass>,
    pub(super) code: Option<String>,
    pub(super) message: String,
    pub(super) retry_after_ms: Option<u64>,
}

/// The fault a refusal stands for; `keys` are the keys it must not repeat.
#[must_use]
pub fn fault(dialect: Dialect, response: &Response<'_>, keys: &[&str]) -> Fault {
    let body: Option<Value> = serde_json::from_slice(response.body).ok();
    let said = match &body {
        Some(body) => said(dialect, body),
        None => Said {
            message: plain(response),
            ..Said::default()
        },
    };
    let by_status = FaultClass::of_status(response.status);
    let class = match said.class {
        // A gateway's 5xx around a "bad request" is the provider's trouble, not the caller's.
        Some(FaultClass::BadRequest) if response.status >= 500 => by_status,
        Some(FaultClass::BadRequest) => match by_status {
            FaultClass::Malformed => FaultClass::BadRequest,
            better => better,
        },
        Some(class) => class,
        None => by_status,
    };
    let waits = said
        .retry_after_ms
        .or_else(|| retry_after_ms(response.headers, response.now_ms));
    Fault {
        class,
        status: Some(response.status),
        provider_code: said.code.map(|code| scrub(&code, keys)),
        detail: scrub(&said.message, keys),
        retry_after_ms: waits,
        resting: false,
    }
}

/// The fault an error inside a stream stands for.
pub(super) fn in_stream(dialect: Dialect, event: &Value) -> Fault {
    let said = said(dialect, event);
    Fault {
        class: said.class.unwrap_or(FaultClass::Server),
        status: None,
        provider_code: said.code.map(|code| scrub(&code, &[])),
        detail: scrub(&said.message, &[]),
        retry_after_ms: said.retry_after_ms,
        resting: false,
    }
}

fn said(dialect: Dialect, body: &Value) -> Said {
    match dialect {
        Dialect::OpenaiChat => openai_chat::error::said(body),
        Dialect::OpenaiResponses => responses::error::said(body),
        Dialect::Anthropic => anthropic::error::said(body),
        Dialect::Gemini => gemini::error::said(body),
        Dialect::Ollama => ollama::error::said(body),
        // Command lines give no responses; their failures are read by their rules.
        Dialect::Cli => common(body),
    }
}

/// A proxy's page or a bare sentence.
fn plain(response: &Response<'_>) -> String {
    let html = header(response.headers, "content-type").is_some_and(|kind| kind.contains("html"));
    let text = String::from_utf8_lossy(&response.body[..response.body.len().min(2048)]);
    if html || text.trim_start().starts_with('<') {
        return "a page instead of JSON came back: is the base URL right?".to_owned();
    }
    text.into_owned()
}

/// `{"error": {"message", "code", "type"}}`, `{"error": "…"}`, `{"message"}`, `{"detail"}`,
/// or the same inside a list.
pub(super) fn common(body: &Value) -> Said {
    let body = match body {
        Value::Array(list) => list.first().unwrap_or(body),
        _ => body,
    };
    let inner = match body.get("error") {
        Some(Value::String(text)) => {
            return Said {
                class: by_words(text),
                message: text.clone(),
                ..Said::default()
            };
        }
        Some(inner @ Value::Object(_)) => inner,
        _ => body,
    };
    let message = json::words(inner, "message")
        .or_else(|| json::words(inner, "msg"))
        .map(str::to_owned)
        .or_else(|| {
            inner
                .get("detail")
                .map(|detail| json::arguments(Some(detail)))
        })
        .unwrap_or_default();
    let codes: Vec<String> = ["code", "type", "status"]
        .iter()
        .filter_map(|field| match inner.get(field)? {
            Value::String(text) if !text.is_empty() => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        })
        .collect();
    let class = codes
        .iter()
        .find_map(|code| by_code(code))
        .filter(|class| *class != FaultClass::BadRequest)
        .or_else(|| by_words(&message))
        .or_else(|| codes.iter().find_map(|code| by_code(code)))
        .or_else(|| codes.iter().find_map(|code| by_number(code)));
    Said {
        class,
        code: codes.into_iter().next(),
        message,
        retry_after_ms: None,
    }
}

fn by_number(code: &str) -> Option<FaultClass> {
    let status: u16 = code.parse().ok()?;
    (400..600)
        .contains(&status)
        .then(|| FaultClass::of_status(status))
}

/// Codes of OpenAI, Kimi, GLM, Anthropic and Google, lower case.
const CODES: [(&str, FaultClass); 47] = [
    ("insufficient_quota", FaultClass::QuotaExhausted),
    ("exceeded_current_quota_error", FaultClass::QuotaExhausted),
    ("billing_error", FaultClass::QuotaExhausted),
    ("insufficient_balance", FaultClass::QuotaExhausted),
    ("1113", FaultClass::QuotaExhausted),
    ("1304", FaultClass::QuotaExhausted),
    ("1308", FaultClass::QuotaExhausted),
    ("rate_limit_exceeded", FaultClass::RateLimited),
    ("rate_limit_reached_error", FaultClass::RateLimited),
    ("rate_limit_error", FaultClass::RateLimited),
    ("resource_exhausted", FaultClass::RateLimited),
    ("1302", FaultClass::RateLimited),
    ("1303", FaultClass::RateLimited),
    ("engine_overloaded_error", FaultClass::Overloaded),
    ("overloaded_error", FaultClass::Overloaded),
    ("server_overloaded", FaultClass::Overloaded),
    ("unavailable", FaultClass::Overloaded),
    ("1305", FaultClass::Overloaded),
    ("invalid_api_key", FaultClass::Auth),
    ("invalid_authentication_error", FaultClass::Auth),
    ("incorrect_api_key_error", FaultClass::Auth),
    ("authentication_error", FaultClass::Auth),
    ("unauthenticated", FaultClass::Auth),
    ("1000", FaultClass::Auth),
    ("1001", FaultClass::Auth),
    ("1002", FaultClass::Auth),
    ("1003", FaultClass::Auth),
    ("1004", FaultClass::Auth),
    ("permission_denied", FaultClass::Forbidden),
    ("permission_error", FaultClass::Forbidden),
    ("permission_denied_error", FaultClass::Forbidden),
    ("1220", FaultClass::Forbidden),
    ("model_not_found", FaultClass::NotFound),
    ("not_found_error", FaultClass::NotFound),
    ("resource_not_found_error", FaultClass::NotFound),
    ("not_found", FaultClass::NotFound),
    ("1211", FaultClass::NotFound),
    ("context_length_exceeded", FaultClass::ContextLength),
    ("exceed_context_size_error", FaultClass::ContextLength),
    ("1261", FaultClass::ContextLength),
    ("content_filter", FaultClass::ContentFilter),
    ("content_policy_violation", FaultClass::ContentFilter),
    ("1301", FaultClass::ContentFilter),
    ("request_too_large", FaultClass::TooLarge),
    ("deadline_exceeded", FaultClass::Timeout),
    ("invalid_request_error", FaultClass::BadRequest),
    ("invalid_argument", FaultClass::BadRequest),
];

fn by_code(code: &str) -> Option<FaultClass> {
    let code = code.to_ascii_lowercase();
    CODES
        .iter()
        .find(|(known, _)| *known == code)
        .map(|(_, class)| *class)
}

/// What only the sentence says. Few and unmistakable ones: sentences change.
fn by_words(message: &str) -> Option<FaultClass> {
    const WORDS: [(&str, FaultClass); 18] = [
        ("maximum context length", FaultClass::ContextLength),
        ("context length", FaultClass::ContextLength),
        ("context window", FaultClass::ContextLength),
        ("context size", FaultClass::ContextLength),
        ("prompt is too long", FaultClass::ContextLength),
        ("input is too long", FaultClass::ContextLength),
        ("token count exceeds", FaultClass::ContextLength),
        ("exceeded model token limit", FaultClass::ContextLength),
        ("api key not valid", FaultClass::Auth),
        ("invalid api key", FaultClass::Auth),
        ("insufficient balance", FaultClass::QuotaExhausted),
        ("credit balance is too low", FaultClass::QuotaExhausted),
        ("considered high risk", FaultClass::ContentFilter),
        ("is overloaded", FaultClass::Overloaded),
        ("no endpoints found", FaultClass::NotFound),
        ("model does not exist", FaultClass::NotFound),
        ("not found, try pulling it", FaultClass::NotFound),
        ("does not support tools", FaultClass::Unsupported),
    ];
    let message = message.to_lowercase();
    WORDS
        .iter()
        .find(|(words, _)| message.contains(words))
        .map(|(_, class)| *class)
}
