//! The old names: what they refuse, and what they do where no provider can be asked.

use crate::fakes::{FakeLogs, call, ports};

async fn refused(name: &str, arguments: &str) -> String {
    let all = super::tools(&ports(FakeLogs::default()));
    let tool = all.iter().find(|tool| tool.spec().name() == name);
    let error = tool.unwrap().run(call(arguments)).await.unwrap_err();
    error.message
}

#[tokio::test]
async fn what_does_not_fit_names_the_field() {
    for (name, arguments, expected) in [
        (
            "kimi_multi_file_chat",
            r#"{"files":[],"prompt":"p"}"#,
            "'files' is empty",
        ),
        (
            "smart_file_query",
            r#"{"file_path":"a"}"#,
            "'question' is missing",
        ),
        (
            "smart_file_query",
            r#"{"file_path":"a","question":"q","provider":"x"}"#,
            "'provider'",
        ),
        ("glm_web_search", "{}", "'search_query' is missing"),
        (
            "glm_web_search",
            r#"{"search_query":"q","count":51}"#,
            "'count'",
        ),
        (
            "kimi_chat_with_tools",
            r#"{"messages":[],"model":"m"}"#,
            "'messages' is empty",
        ),
        (
            "kimi_chat_with_tools",
            r#"{"messages":[{"role":"x"}],"model":"m"}"#,
            "'messages[0].role'",
        ),
        (
            "kimi_chat_with_tools",
            r#"{"messages":[{"role":"user","content":"x"}],"tools":[{}],"model":"m"}"#,
            "'tools[0].function.name'",
        ),
        ("kimi_upload_and_extract", "{}", "'files' is empty"),
        (
            "glm_payload_preview",
            r#"{"model":"m"}"#,
            "'prompt' is missing",
        ),
    ] {
        let words = refused(name, arguments).await;
        assert!(words.contains(expected), "{name} {arguments}: {words}");
    }
}
