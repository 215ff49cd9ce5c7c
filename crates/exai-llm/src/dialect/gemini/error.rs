//! Google's error object: the wait hides among its details, and a wrong key is a "bad
//! request".

use crate::{
    dialect::{
        errors::{Said, common},
        json,
    },
    fault::{FaultClass, duration_ms},
};
use serde_json::Value;

pub(in crate::dialect) fn said(body: &Value) -> Said {
    let mut said = common(body);
    let body = match body {
        Value::Array(list) => list.first().unwrap_or(body),
        _ => body,
    };
    let Some(error) = body.get("error") else {
        return said;
    };
    said.code = json::words(error, "status")
        .map(str::to_owned)
        .or(said.code);
    for detail in json::list(error, "details") {
        let delay = json::words(detail, "retryDelay").and_then(duration_ms);
        said.retry_after_ms = said.retry_after_ms.or(delay);
        if json::text(detail, "reason") == Some("API_KEY_INVALID") {
            said.class = Some(FaultClass::Auth);
        }
        let daily = json::list(detail, "violations").iter().any(|violation| {
            json::text(violation, "quotaId").is_some_and(|id| id.contains("PerDay"))
        });
        if daily {
            said.class = Some(FaultClass::QuotaExhausted);
        }
    }
    said
}
