//! The predecessor's provider tools under their old names, through the front door.

use crate::models::{Stage, at, failed};
use exai_testkit::{
    Must as _, Ws,
    provider::{Reply, Request, Route},
};
use serde_json::{Value, json};

/// The JSON in a result's one block.
#[track_caller]
fn told(result: &Value) -> Value {
    let text = result["outputs"][0]["text"].as_str();
    let text = text.unwrap_or_else(|| panic!("no text: {result}"));
    serde_json::from_str(text).must("read the answer")
}

/// Calls a tool for a window that has this home open.
async fn call(stage: &Stage, ws: &mut Ws, id: &str, tool: &str, arguments: Value) -> Value {
    let folder = format!("file://{}", stage.sandbox.home().display());
    let frame = json!({
        "op": "call_tool", "request_id": id, "name": tool, "roots": [folder],
        "arguments": arguments,
    });
    ws.send(&frame).await;
    ws.result(id).await
}

fn last(stage: &Stage) -> Request {
    stage.provider.chats().pop().must("find a request")
}

#[tokio::test]
async fn p18_questions_about_files_go_to_the_provider_in_the_name() {
    let stage = Stage::new().await;
    stage.sandbox.write("notes.txt", "CANARY of a file\n");
    stage.sandbox.write("id_rsa", "CANARY of a key\n");
    let _daemon = stage.daemon().await;
    let mut ws = stage.caller().await;
    stage
        .provider
        .always(at("kimi"), Reply::text("kimi read it"));
    stage.provider.always(at("glm"), Reply::text("glm read it"));
    for (tool, arguments, answer) in [
        (
            "kimi_multi_file_chat",
            json!({ "files": ["notes.txt", "id_rsa"], "prompt": "Sum up." }),
            "kimi read it",
        ),
        (
            "smart_file_query",
            json!({ "file_path": "notes.txt", "question": "Sum up.", "provider": "glm" }),
            "glm read it",
        ),
    ] {
        let result = call(&stage, &mut ws, tool, tool, arguments).await;
        assert_eq!(exai_testkit::answer(&result), answer, "{result}");
        let facts = &result["outputs"][0]["_meta"]["exai/answer"];
        assert!(facts["continuation_id"].is_string(), "{result}");
        let sent = last(&stage).text();
        assert!(sent.contains("CANARY of a file") && sent.contains("Sum up."));
        assert!(!sent.contains("CANARY of a key"), "{sent}");
    }
    // None of the files may be read: nothing is asked, nothing is paid.
    let before = stage.provider.chats().len();
    for (tool, arguments) in [
        (
            "kimi_multi_file_chat",
            json!({ "files": ["/etc/passwd"], "prompt": "p" }),
        ),
        (
            "smart_file_query",
            json!({ "file_path": "id_rsa", "question": "q" }),
        ),
        (
            "kimi_upload_and_extract",
            json!({ "files": ["/etc/passwd", "id_rsa"] }),
        ),
    ] {
        let id = format!("{tool}, refused");
        let result = call(&stage, &mut ws, &id, tool, arguments).await;
        assert!(failed(&result).1.contains("NOT SENT"), "{tool}: {result}");
    }
    assert_eq!(stage.provider.chats().len(), before);
}

#[tokio::test]
async fn documents_are_read_by_the_provider_and_texts_here() {
    let stage = Stage::new().await;
    stage.sandbox.write("report.pdf", "%PDF-1.4 a report");
    stage.sandbox.write("notes.txt", "plain words\n");
    let _daemon = stage.daemon().await;
    let mut ws = stage.caller().await;
    let tool = "kimi_upload_and_extract";
    let files = json!({ "files": ["report.pdf", "notes.txt", "/etc/passwd"] });
    let result = call(&stage, &mut ws, "a", tool, files).await;
    let told = told(&result);
    let texts = told["texts"].as_array().must("be a list");
    assert_eq!(texts[0]["file"], "report.pdf", "{told}");
    assert!(
        texts[0]["content"]
            .as_str()
            .is_some_and(|text| !text.is_empty()),
        "{told}"
    );
    assert!(
        texts[1]["content"].to_string().contains("plain words"),
        "{told}"
    );
    assert!(told["files"].to_string().contains("NOT SENT"), "{told}");
    let uploads = stage.provider.requests();
    let uploads = uploads
        .iter()
        .filter(|request| request.path.ends_with("/files"));
    for upload in uploads {
        assert!(
            !upload.text().contains("plain words"),
            "only the document is uploaded"
        );
    }
}

#[tokio::test]
async fn a_preview_is_what_is_sent_and_sends_nothing() {
    let stage = Stage::new().await;
    let _daemon = stage.daemon().await;
    let mut ws = stage.caller().await;
    stage.provider.always(at("glm"), Reply::text("yes"));
    let arguments = json!({ "prompt": "Really?", "system": "Be brief.", "temperature": 0.5 });
    let result = call(
        &stage,
        &mut ws,
        "a",
        "glm_payload_preview",
        arguments.clone(),
    )
    .await;
    let preview = told(&result);
    assert_eq!(
        (&preview["endpoint"], &preview["sent"]),
        (&json!("glm"), &json!(false))
    );
    assert!(stage.provider.chats().is_empty());
    assert!(!preview.to_string().contains("glm-key"), "{preview}");
    let mut asked = arguments;
    asked["model"] = json!(format!(
        "{}@glm",
        preview["model"].as_str().unwrap_or_default()
    ));
    call(&stage, &mut ws, "b", "chat", asked).await;
    let sent = last(&stage);
    for part in ["/model", "/messages", "/temperature", "/max_tokens"] {
        assert_eq!(sent.json(part), preview["body"].pointer(part), "{part}");
    }
}

#[tokio::test]
async fn p21_a_search_that_ran_names_its_sources_and_one_that_did_not_is_no_success() {
    let stage = Stage::new().await;
    let found = [("Rust 1.95", "https://rust.example/1.95")];
    stage.provider.when(
        at("glm"),
        [
            Reply::text("Found it.").searched("rust news", &found),
            Reply::text("From memory."),
        ],
    );
    let _daemon = stage.daemon().await;
    let mut ws = stage.caller().await;
    let arguments = json!({
        "search_query": "rust", "count": 3, "search_recency_filter": "oneWeek",
        "search_domain_filter": "rust.example", "search_engine": "search-prime",
    });
    let result = call(&stage, &mut ws, "a", "glm_web_search", arguments.clone()).await;
    let told = told(&result);
    assert_eq!(
        told["sources"][0]["url"], "https://rust.example/1.95",
        "{told}"
    );
    assert!(told["note"].to_string().contains("search_engine"), "{told}");
    let asked = last(&stage);
    let search = asked.json("/tools/0/web_search").must("offer the search");
    assert_eq!(
        (&search["count"], &search["search_recency_filter"]),
        (&json!(3), &json!("oneWeek"))
    );
    assert_eq!(search["search_domain_filter"], "rust.example", "{search}");
    let result = call(&stage, &mut ws, "b", "glm_web_search", arguments).await;
    assert!(failed(&result).1.contains("without searching"), "{result}");
}

#[tokio::test]
async fn tools_a_caller_offers_are_called_by_the_caller() {
    let stage = Stage::new().await;
    let echo = r#"{"search_result":{"search_id":"s-1"},"usage":{"total_tokens":3}}"#;
    stage.provider.when(
        at("kimi"),
        [
            Reply::text("").tool_call("c-1", "weather", r#"{"town":"Ulm"}"#),
            Reply::text("It rains."),
            Reply::text("").builtin_call("c-2", "$web_search", echo),
            Reply::text("It rains everywhere."),
        ],
    );
    let _daemon = stage.daemon().await;
    let mut ws = stage.caller().await;
    let tool = "kimi_chat_with_tools";
    let tools = json!([{ "type": "function", "function": {
        "name": "weather", "description": "Of a town.",
        "parameters": { "type": "object", "properties": { "town": { "type": "string" } } },
    } }]);
    let question = json!({ "role": "user", "content": "Does it rain in Ulm?" });
    let arguments = json!({ "messages": [question], "tools": tools });
    let wanted = told(&call(&stage, &mut ws, "a", tool, arguments).await);
    let asked = &wanted["tool_calls"][0];
    assert_eq!(asked["function"]["name"], "weather", "{wanted}");
    assert_eq!(stage.provider.chats().len(), 1, "it is not run here");
    let messages = json!([
        question,
        { "role": "assistant", "content": null, "tool_calls": [asked] },
        { "role": "tool", "tool_call_id": asked["id"], "content": [{ "type": "text", "text": "wet" }] },
    ]);
    let arguments = json!({ "messages": messages, "tools": tools });
    let answer = told(&call(&stage, &mut ws, "b", tool, arguments).await);
    assert_eq!(answer["content"], "It rains.", "{answer}");
    let sent = last(&stage);
    assert_eq!(
        sent.json("/messages/2/content"),
        Some(&json!("wet")),
        "{}",
        sent.text()
    );
    // Its own search is answered here, to the end.
    let arguments = json!({ "messages": [question], "use_websearch": true });
    let answer = told(&call(&stage, &mut ws, "c", tool, arguments).await);
    assert_eq!(answer["content"], "It rains everywhere.", "{answer}");
    assert_eq!(answer["search"]["ran"], true, "{answer}");
    assert_eq!(
        stage
            .provider
            .chats()
            .iter()
            .filter(|chat| chat.route == Route::Chat)
            .count(),
        4
    );
}
