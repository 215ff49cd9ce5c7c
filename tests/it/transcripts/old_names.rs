//! The predecessor's provider tools, as an agent sees them whose instructions name them.

use super::Scene;
use crate::models::at;
use crate::workflow::write;
use exai_testkit::provider::Reply;
use serde_json::json;

#[tokio::test]
async fn golden_provider_tools() {
    let mut scene = Scene::with(|sandbox| {
        write(sandbox, "notes.txt", "Release on Friday.\n");
        write(sandbox, "report.pdf", "%PDF-1.4 a report");
        write(sandbox, "id_rsa", "a key\n");
    })
    .await;
    let sources = [("Rust 1.95", "https://rust.example/1.95")];
    let tool = r#"{"town":"Ulm"}"#;
    scene.provider.when(
        at("kimi"),
        [
            Reply::text("Friday."),
            Reply::text("").tool_call("c-1", "weather", tool),
        ],
    );
    scene.provider.when(
        at("glm"),
        [
            Reply::text("On Friday."),
            Reply::text("It is out.").searched("rust 1.95", &sources),
            Reply::text("From memory."),
        ],
    );
    let mut of = async |tool: &str, calls: Vec<serde_json::Value>| {
        scene.told.clear();
        for arguments in calls {
            scene.call(tool, arguments).await;
            scene.sent();
        }
        scene.same(tool);
    };
    let files = json!({ "files": ["notes.txt", "id_rsa"], "prompt": "When?" });
    let none = json!({ "files": ["id_rsa"], "prompt": "When?" });
    of("kimi_multi_file_chat", vec![files, none]).await;
    let weather = json!([{ "type": "function", "function": {
        "name": "weather", "description": "Of a town.",
        "parameters": { "type": "object", "properties": { "town": { "type": "string" } } },
    } }]);
    let messages = json!([{ "role": "user", "content": "Does it rain in Ulm?" }]);
    let tools = json!({ "messages": messages, "tools": weather });
    of(
        "kimi_chat_with_tools",
        vec![tools, json!({ "messages": [] })],
    )
    .await;
    let files = json!({ "files": ["report.pdf", "notes.txt", "id_rsa"] });
    let none = json!({ "files": ["id_rsa"] });
    of("kimi_upload_and_extract", vec![files, none]).await;
    let file = json!({ "file_path": "notes.txt", "question": "When?", "provider": "glm" });
    let none = json!({ "file_path": "gone.txt", "question": "When?" });
    of("smart_file_query", vec![file, none]).await;
    let search = json!({ "search_query": "rust release", "search_recency_filter": "oneWeek" });
    of("glm_web_search", vec![search.clone(), search]).await;
    let preview = json!({ "prompt": "Really?", "system": "Be brief.", "temperature": 0.5 });
    of("glm_payload_preview", vec![preview]).await;
}
