//! OpenAI's error object, also inside a failed response and as an event of its own.

use crate::dialect::errors::{Said, common};
use serde_json::Value;

pub(in crate::dialect) fn said(body: &Value) -> Said {
    match body.pointer("/response/error") {
        Some(inner @ Value::Object(_)) => common(inner),
        _ => common(body),
    }
}
