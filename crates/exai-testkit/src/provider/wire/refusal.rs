//! Errors, as a body and inside a stream.
//!
//! Written on 2026-11-21 from <https://platform.openai.com/docs/guides/error-codes> and
//! `…/api-reference/responses-streaming/error`,
//! <https://platform.claude.com/docs/en/api/errors>,
//! <https://ai.google.dev/gemini-api/docs/troubleshooting> with
//! <https://cloud.google.com/apis/design/errors> (`RetryInfo`) and
//! <https://docs.ollama.com/api/errors>.

use crate::provider::{
    Dialect,
    event::{Event, Role},
    reply::Refusal,
};
use serde_json::{Value, json};

pub(in crate::provider) fn refusal(dialect: Dialect, status: u16, refusal: &Refusal) -> Value {
    let said = || format!("scripted status {status}");
    let message = refusal.message.clone().unwrap_or_else(said);
    let code = refusal.code.as_deref();
    match dialect {
        Dialect::OpenAiChat | Dialect::Responses => {
            let (kind, usual) = openai(status);
            json!({"error": {
                "message": message,
                "type": kind,
                "param": null,
                "code": code.or(usual),
            }})
        }
        Dialect::Anthropic => json!({
            "type": "error",
            "error": {"type": code.unwrap_or(anthropic(status)), "message": message},
            "request_id": "req_scripted",
        }),
        Dialect::Gemini => {
            let word = code.unwrap_or(gemini(status));
            let mut error = json!({"code": status, "message": message, "status": word});
            if let Some(delay) = &refusal.retry_delay {
                error["details"] = json!([{
                    "@type": "type.googleapis.com/google.rpc.RetryInfo",
                    "retryDelay": delay,
                }]);
            }
            json!({"error": error})
        }
        Dialect::Ollama => json!({"error": message}),
    }
}

/// An error after the stream has begun.
pub(in crate::provider) fn error_event(dialect: Dialect, message: &str) -> Event {
    let body = |status: u16| {
        let message = Some(message.to_owned());
        let wanted = Refusal {
            message,
            ..Refusal::default()
        };
        refusal(dialect, status, &wanted)
    };
    match dialect {
        Dialect::OpenAiChat => Event::new(Role::Frame, body(500)),
        Dialect::Responses => {
            let fields = json!({
                "type": "error",
                "sequence_number": 0,
                "code": "server_error",
                "message": message,
                "param": null,
            });
            Event::new(Role::Frame, fields).named("error")
        }
        Dialect::Anthropic => Event::new(Role::Frame, body(529)).named("error"),
        Dialect::Gemini => Event::new(Role::Frame, body(503)),
        Dialect::Ollama => Event::new(Role::Frame, body(500)),
    }
}

fn openai(status: u16) -> (&'static str, Option<&'static str>) {
    match status {
        401 => ("invalid_request_error", Some("invalid_api_key")),
        404 => ("invalid_request_error", Some("model_not_found")),
        429 => ("requests", Some("rate_limit_exceeded")),
        400..=499 => ("invalid_request_error", None),
        _ => ("server_error", None),
    }
}

fn anthropic(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        400..=499 => "invalid_request_error",
        504 => "timeout_error",
        529 => "overloaded_error",
        _ => "api_error",
    }
}

fn gemini(status: u16) -> &'static str {
    match status {
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        429 => "RESOURCE_EXHAUSTED",
        400..=499 => "INVALID_ARGUMENT",
        503 => "UNAVAILABLE",
        504 => "DEADLINE_EXCEEDED",
        _ => "INTERNAL",
    }
}
