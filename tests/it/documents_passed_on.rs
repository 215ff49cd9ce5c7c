//! A document that one provider does not read may be read by the next of the chain.

use crate::models::{Stage, said};
use exai_testkit::provider::{Reply, Request};
use serde_json::json;

#[tokio::test]
async fn a_document_refused_by_one_is_read_by_the_next() {
    let stage = Stage::new().await;
    let refusal = json!({ "error": { "code": "1214", "message": "purpose: not supported" } });
    let uploads =
        |request: &Request| request.path.starts_with("/glm/") && request.path.ends_with("/files");
    stage.provider.always(
        uploads,
        Reply::body(400, "application/json", refusal.to_string()),
    );
    stage.provider.otherwise(Reply::text("A report."));
    stage.models("[chains]\nbalanced = ['glm-4.6', 'kimi-k2.6']\n");
    let file = stage.sandbox.write("report.pdf", "%PDF-1.4 a report");
    let _daemon = stage.daemon().await;
    let mut ws = stage.caller().await;
    let folder = format!("file://{}", stage.sandbox.home().display());
    let arguments = json!({ "prompt": "Sum up.", "files": [file] });
    ws.send(&json!({
        "op": "call_tool", "request_id": "a", "name": "chat",
        "roots": [folder], "arguments": arguments,
    }))
    .await;
    let result = ws.result("a").await;
    assert_eq!(said(&result), "A report.");
    let facts = &result["outputs"][0]["_meta"]["exai/answer"];
    assert_eq!(facts["endpoint"], "kimi", "{result}");
    let chosen = facts["chosen"].as_str().unwrap_or_default();
    assert!(
        chosen.contains("glm-4.6@glm failed (bad_request)"),
        "{chosen}"
    );
}
