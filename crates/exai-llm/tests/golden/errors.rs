//! Refusals × dialects.

use crate::fixture::{Scene, all, settle};
use exai_llm::{
    dialect::{Response, fault},
    fault::Place,
};
use serde_json::{Value, json};

/// Long enough to be a key, and in no file but this one.
const CANARY: &str = "sk-canary-5f1c0ffee5f1c0ffee";

#[test]
fn every_refusal_has_its_class_and_tells_no_key() {
    let mut faults = Vec::new();
    for (path, fixture) in all("errors") {
        let scene = Scene::of(&fixture);
        let mut computed = Vec::new();
        for case in fixture["cases"].as_array().unwrap() {
            let body = match &case["body"] {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            let body = body.replace("CANARY", CANARY);
            let headers: Vec<(String, String)> =
                serde_json::from_value(case["headers"].clone()).unwrap_or_default();
            let response = Response {
                status: u16::try_from(case["status"].as_u64().unwrap()).unwrap(),
                headers: &headers,
                body: body.as_bytes(),
                now_ms: 784_111_777_000,
            };
            let found = fault(scene.target().dialect, &response, &[CANARY]);
            let place = Place {
                endpoint: &scene.name,
                model: "m",
                key_from: "THE_KEY",
            };
            let told = found.tell(&place);
            let message = &told.message;
            assert!(!message.contains("canary"), "{}: {message}", path.display());
            computed.push(json!({
                "class": found.class,
                "provider_code": found.provider_code,
                "retry_after_ms": found.retry_after_ms,
                "code": told.code.as_str(),
                "message": message,
            }));
        }
        settle(&path, fixture, Value::Array(computed), &mut faults);
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
