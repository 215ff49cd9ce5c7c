//! What an owner says about providers holds: places by the predecessor's variables, and a file
//! that cannot be read sends nothing anywhere.

use exai_testkit::{
    Sandbox,
    provider::{Dialect, Provider, Reply},
};
use serde_json::json;

#[tokio::test]
async fn the_owners_number_of_places_is_the_endpoints() {
    let provider = Provider::start().await;
    provider.otherwise(Reply::text("done"));
    let mut sandbox = Sandbox::new();
    sandbox
        .set("KIMI_API_KEY", "k-1")
        .set("KIMI_API_URL", provider.url(Dialect::OpenAiChat))
        .set("EXAI_WS_KIMI_MAX_INFLIGHT", "1");
    let _daemon = sandbox.daemon().await;
    let mut ws = sandbox.ws().await;
    let health = {
        ws.send(&json!({"op": "health", "request_id": "h"})).await;
        ws.recv_op("health_res").await
    };
    let kimi = &health["health"]["providers"][0];
    assert_eq!(
        (&kimi["name"], &kimi["concurrency"]),
        (&json!("kimi"), &json!(1))
    );
}

#[tokio::test]
async fn a_file_with_a_fault_sends_no_prompt_anywhere() {
    let provider = Provider::start().await;
    provider.otherwise(Reply::text("done"));
    let mut sandbox = Sandbox::new();
    sandbox
        .set("KIMI_API_KEY", "k-1")
        .set("KIMI_API_URL", provider.url(Dialect::OpenAiChat));
    sandbox.write(
        "config/providers.toml",
        "[providers.kimi]\nbase_url = \"https://proxy.example/v1\"\nlimit = 3\n",
    );
    let _daemon = sandbox.daemon().await;
    let mut ws = sandbox.ws().await;
    let arguments = json!({"prompt": "secret", "model": "kimi-latest@kimi"});
    let result = ws.call_and_wait("chat", arguments).await;
    let message = result["error"]["message"].as_str().unwrap();
    assert!(
        message.contains("providers.toml") && message.contains("mend"),
        "{message}"
    );
    assert!(provider.chats().is_empty());
}
