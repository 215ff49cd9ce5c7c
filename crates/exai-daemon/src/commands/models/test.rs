//! `models test NAME`: one question of a few tokens, and where the time went.

use super::operate;
use crate::{
    commands::{call::follow, chat::answer},
    exit::{self, Code},
    output,
};
use anyhow::Result;
use exai_client::Client;
use exai_protocol::call::CallToolRes;
use serde_json::{Value, json};
use tokio::time::Instant;

/// Some models think before they say a word, and their thoughts count.
const MOST_TOKENS: u64 = 1024;

pub(super) async fn run(client: &Client, name: &str, as_json: bool) -> Result<Code> {
    let arguments = json!({
        "prompt": "This is a test of the connection. Answer with the one word: pong",
        "model": name,
        "max_output": MOST_TOKENS,
    });
    let began = Instant::now();
    let result = operate(client, ("models_test", "models test"), &arguments).await?;
    let seen_ms = began.elapsed().as_secs_f64() * 1000.0;
    let Some(result) = result else {
        return Ok(exit::CANCELLED);
    };
    let report = report(&result, seen_ms);
    if as_json {
        output::json(&report)?;
    } else {
        for line in output::columns(&rows(&report)) {
            output::line(output::tame(&line))?;
        }
    }
    Ok(follow::code(result.error.as_ref()))
}

/// What is known of the call; of a failed one, its attempts.
fn report(result: &CallToolRes, seen_ms: f64) -> Value {
    let parsed = |raw: Option<&exai_protocol::RawValue>| -> Value {
        raw.and_then(|raw| serde_json::from_str(raw.get()).ok())
            .unwrap_or_default()
    };
    let facts = result
        .error
        .as_ref()
        .and_then(|error| error.metadata.as_deref());
    let spent = match result.usage.as_deref() {
        Some(usage) => parsed(Some(usage)),
        None => parsed(facts),
    };
    json!({
        "ok": result.error.is_none(),
        "answer": answer::words(result),
        "endpoint": spent["endpoint"],
        "model": spent["model"],
        "queued_ms": spent["queued_ms"],
        "first_delta_ms": spent["first_delta_ms"],
        "total_ms": spent["total_ms"],
        "seen_ms": seen_ms.round(),
        "tokens": spent["tokens"],
        "price": spent["price"],
        "attempts": spent["attempts"],
        "error": result.error,
    })
}

fn rows(report: &Value) -> Vec<Vec<String>> {
    let word = |value: &Value| match value {
        Value::Null => "not known".to_owned(),
        Value::String(text) => text.trim().chars().take(60).collect(),
        other => other.to_string(),
    };
    let ms = |field: &str| match &report[field] {
        Value::Null => "not known".to_owned(),
        other => format!("{other} ms"),
    };
    let tokens = &report["tokens"];
    let price = match &report["price"]["usd"] {
        Value::Null => format!(
            "not known {}",
            report["price"]["unknown"].as_str().unwrap_or("")
        ),
        usd => format!("${usd}"),
    };
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut row = |name: &str, value: String| rows.push(vec![name.to_owned(), value]);
    let place = (word(&report["model"]), word(&report["endpoint"]));
    row("model", format!("{} at {}", place.0, place.1));
    row("answer", word(&report["answer"]));
    row("queued", ms("queued_ms"));
    row("first piece", ms("first_delta_ms"));
    row("provider in all", ms("total_ms"));
    row("seen from here", ms("seen_ms"));
    row(
        "tokens",
        format!(
            "{} in, {} out",
            word(&tokens["input"]),
            word(&tokens["output"])
        ),
    );
    row("price", price);
    for attempt in report["attempts"].as_array().into_iter().flatten() {
        row(
            &format!("request {}", attempt["attempt"]),
            format!(
                "{} at {}: {} ms, {}",
                word(&attempt["model"]),
                word(&attempt["endpoint"]),
                attempt["took_ms"],
                attempt["cause"].as_str().unwrap_or("answered")
            ),
        );
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_test_still_tells_what_was_tried() {
        let result: CallToolRes = serde_json::from_value(json!({
            "op": "call_tool_res", "request_id": "r",
            "error": {"code": "EXEC_ERROR", "message": "no", "metadata": {"cause": "auth",
                "endpoint": "glm", "model": "m", "total_ms": 7,
                "attempts": [{"attempt": 1, "endpoint": "glm", "model": "m", "took_ms": 7, "cause": "auth"}]}},
        }))
        .unwrap();
        let report = report(&result, 9.4);
        assert_eq!(
            (&report["ok"], &report["total_ms"]),
            (&json!(false), &json!(7))
        );
        let text = format!("{:?}", rows(&report));
        for part in ["m at glm", "7 ms, auth", "9.0 ms", "not known"] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}
