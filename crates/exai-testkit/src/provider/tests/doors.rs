//! Lists, files, searches and Ollama's management.

use super::client::{Heard, Line, ask, get, ms, send_json};
use crate::provider::{At, Dialect, OllamaModel, Provider, Reply, Stall};
use serde_json::{Value, json};

#[tokio::test]
async fn models_are_listed_in_three_shapes() {
    let provider = Provider::start().await;
    provider.models(["a", "vendor/b:free"]);
    let openai = get(&provider, "/v1/models", "").await.json();
    assert_eq!(openai["data"][1]["id"], "vendor/b:free");
    let anthropic = get(&provider, "/v1/models", "anthropic-version: 2023-06-01\r\n").await;
    assert_eq!(anthropic.json()["last_id"], "vendor/b:free");
    let gemini = get(&provider, "/v1beta/models", "").await.json();
    assert_eq!(gemini["models"][0]["name"], "models/a");
    assert_eq!(get(&provider, "/v1/nothing", "").await.status, 404);
}

async fn upload(provider: &Provider) -> Heard {
    let body = "--B\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nfile-extract\r\n\
                --B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\
                Content-Type: text/plain\r\n\r\nline one\r\nline two\r\n--B--\r\n";
    let mut line = Line::to(provider).await;
    let head = "POST /v1/files HTTP/1.1\r\ncontent-type: multipart/form-data; boundary=B";
    line.request(head, body.as_bytes()).await
}

#[tokio::test]
async fn files_are_kept_listed_read_and_deleted() {
    let provider = Provider::start().await;
    let given = upload(&provider).await.json();
    assert_eq!(
        (&given["id"], &given["bytes"]),
        (&json!("file-1"), &json!(18))
    );
    let kept = provider.uploads().remove(0);
    assert_eq!(
        (kept.name.as_str(), kept.purpose.as_str()),
        ("a.txt", "file-extract")
    );
    assert_eq!(kept.bytes, b"line one\r\nline two");
    let text = get(&provider, "/v1/files/file-1/content", "").await;
    assert_eq!(text.text(), "line one\r\nline two");
    assert_eq!(
        get(&provider, "/v1/files/file-1", "").await.json()["status"],
        "ok"
    );
    let list = get(&provider, "/v1/files", "").await.json();
    assert_eq!(list["data"].as_array().unwrap().len(), 1);
    assert_eq!(list["has_more"], false, "there is no second page");
    let gone = send_json(&provider, "DELETE", "/v1/files/file-1", Value::Null).await;
    assert_eq!(gone.json()["deleted"], true);
    assert_eq!(get(&provider, "/v1/files/file-1", "").await.status, 404);
    let bad = send_json(&provider, "POST", "/v1/files", json!({})).await;
    assert_eq!(bad.status, 400);
    assert_eq!(
        upload(&provider).await.json()["id"],
        "file-2",
        "no id is given twice"
    );
}

#[tokio::test]
async fn glm_searches() {
    let provider = Provider::start().await;
    provider.finds(&[("T", "https://example.org")]);
    let body = json!({"search_query": "q", "search_engine": "search_pro"});
    let found = send_json(&provider, "POST", "/api/paas/v4/web_search", body)
        .await
        .json();
    assert_eq!(found["search_intent"][0]["query"], "q");
    assert_eq!(found["search_result"][0]["link"], "https://example.org");
}

async fn names(provider: &Provider, list: &str) -> Vec<String> {
    let body = get(provider, list, "").await.json();
    let models = body["models"].as_array().unwrap().iter();
    models
        .map(|model| model["name"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn ollama_lists_loads_shows_and_deletes() {
    let provider = Provider::start().await;
    provider.ollama(|ollama| {
        ollama.version("9.9.9");
        ollama.install(OllamaModel::new("qwen3:32b").size(20, 15).able(&["tools"]));
        ollama.install(OllamaModel::new("small").context(8192));
    });
    assert_eq!(
        get(&provider, "/api/version", "").await.json()["version"],
        "9.9.9"
    );
    assert_eq!(
        names(&provider, "/api/tags").await,
        ["qwen3:32b", "small:latest"]
    );
    assert_eq!(names(&provider, "/api/ps").await, [""; 0]);
    let post = async |path: &str, body: Value| send_json(&provider, "POST", path, body).await;

    let load = json!({"model": "qwen3:32b", "options": {"num_ctx": 8192}});
    assert_eq!(
        post("/api/generate", load).await.json()["done_reason"],
        "load"
    );
    let ps = get(&provider, "/api/ps", "").await.json();
    assert_eq!(ps["models"][0]["context_length"], 8192);
    assert_eq!(
        (&ps["models"][0]["size_vram"], &ps["models"][0]["size"]),
        (&json!(15), &json!(20))
    );
    let unload = json!({"model": "qwen3:32b", "keep_alive": 0});
    assert_eq!(
        post("/api/generate", unload).await.json()["done_reason"],
        "unload"
    );
    assert_eq!(names(&provider, "/api/ps").await, [""; 0]);

    let shown = post("/api/show", json!({"model": "qwen3:32b"}))
        .await
        .json();
    assert_eq!(shown["capabilities"], json!(["tools"]));
    let missing = post("/api/show", json!({"model": "none"})).await;
    assert_eq!(missing.json()["error"], "model 'none:latest' not found");
    let delete = async |name: &str| {
        let body = json!({"model": name});
        send_json(&provider, "DELETE", "/api/delete", body)
            .await
            .status
    };
    assert_eq!((delete("small").await, delete("small").await), (200, 404));
    assert_eq!(provider.ollama(|ollama| ollama.installed()), ["qwen3:32b"]);
}

#[tokio::test]
async fn a_chat_loads_its_model() {
    let provider = Provider::start().await;
    provider.ollama(|ollama| ollama.install(OllamaModel::new("m-1")));
    provider.otherwise(Reply::text("x"));
    ask(&provider, Dialect::Ollama, true).await;
    assert_eq!(provider.ollama(|ollama| ollama.loaded()), ["m-1:latest"]);
}

#[tokio::test]
async fn a_download_reports_its_progress_and_goes_on_where_it_stopped() {
    let provider = Provider::start().await;
    provider.ollama(|ollama| {
        ollama.offer(OllamaModel::new("big").size(800, 800));
        ollama.pull_pace(ms(40));
    });
    let mut first = Line::to(&provider).await;
    let body = r#"{"model":"big"}"#;
    let length = body.len();
    let head = format!("POST /api/pull HTTP/1.1\r\ncontent-length: {length}\r\n\r\n{body}");
    first.send(head.as_bytes()).await;
    let pulled = || provider.ollama(|ollama| ollama.pulled("big"));
    crate::eventually(crate::PATIENCE, "a part has come", || pulled() >= 200).await;
    drop(first);
    provider.until_hung_up(0).await;
    let part = pulled();
    assert!(part < 800, "it was interrupted");
    assert_eq!(provider.ollama(|ollama| ollama.installed()), [""; 0]);

    provider.ollama(|ollama| ollama.pull_pace(ms(0)));
    let rest = send_json(&provider, "POST", "/api/pull", json!({"model": "big"})).await;
    let lines = rest.payloads();
    assert_eq!(lines[0]["status"], "pulling manifest");
    assert_eq!(
        (&lines[1]["total"], lines[1].get("completed")),
        (&json!(800), None)
    );
    assert_eq!(lines[2]["completed"], part + 100, "it goes on");
    assert_eq!(lines.last().unwrap()["status"], "success");
    assert_eq!(names(&provider, "/api/tags").await, ["big:latest"]);
}

#[tokio::test]
async fn a_download_fails_in_the_ways_of_downloads() {
    let provider = Provider::start().await;
    let pull = async |body: Value| send_json(&provider, "POST", "/api/pull", body).await;
    let unknown = pull(json!({"model": "none"})).await;
    assert_eq!(
        unknown.status, 200,
        "the error comes too late for the status"
    );
    assert!(
        unknown.json()["error"]
            .as_str()
            .unwrap()
            .contains("does not exist")
    );
    assert_eq!(
        pull(json!({"model": "none", "stream": false})).await.status,
        500
    );
    provider.ollama(|ollama| ollama.offer(OllamaModel::new("big")));
    let whole = pull(json!({"model": "big", "stream": false})).await;
    assert_eq!(whole.json(), json!({"status": "success"}));
    provider.when(
        |request| request.path == "/api/pull",
        [Reply::events([r#"{"status":"pulling manifest"}"#]).stall(At::End, Stall::For(ms(1)))],
    );
    assert_eq!(pull(json!({"model": "big"})).await.payloads().len(), 1);
}
