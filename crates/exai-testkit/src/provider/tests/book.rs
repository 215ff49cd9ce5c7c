//! The script, the rules, and what is written down.

use super::client::{Line, ask, call, get, ms, send_json};
use crate::provider::{Dialect, Provider, Reply, Route};
use serde_json::json;

#[tokio::test]
async fn replies_are_taken_in_order_and_a_missing_one_is_seen() {
    let provider = Provider::start().await;
    provider.script([Reply::text("one"), Reply::status(503)]);
    provider.script([Reply::text("three")]);
    assert!(
        ask(&provider, Dialect::Gemini, false)
            .await
            .text()
            .contains("one")
    );
    get(&provider, "/v1/models", "").await;
    assert_eq!(provider.left(), 2, "a list takes nothing from the script");
    assert_eq!(ask(&provider, Dialect::Gemini, false).await.status, 503);
    assert!(
        ask(&provider, Dialect::Gemini, true)
            .await
            .text()
            .contains("three")
    );
    let forgotten = ask(&provider, Dialect::OpenAiChat, true).await;
    assert_eq!(forgotten.status, 501);
    assert!(
        forgotten
            .text()
            .contains("no reply is scripted for request 4")
    );
    provider.otherwise(Reply::text("always"));
    for _ in 0..2 {
        assert!(
            ask(&provider, Dialect::Ollama, true)
                .await
                .text()
                .contains("always")
        );
    }
    assert_eq!((provider.requests().len(), provider.chats().len()), (7, 6));
}

#[tokio::test]
async fn rules_come_first_and_tell_endpoints_apart() {
    let provider = Provider::start().await;
    provider.script([Reply::text("from the script")]);
    provider.when(
        |request| request.path.starts_with("/kimi/"),
        [Reply::status(429)],
    );
    provider.always(
        |request| request.model() == Some("sick"),
        Reply::status(500),
    );
    let url = provider.url_under("kimi", Dialect::OpenAiChat);
    assert!(url.ends_with("/kimi/v1"), "{url}");
    let ask = async |path: &str, model: &str| {
        let body = json!({"model": model});
        send_json(&provider, "POST", path, body).await
    };
    assert_eq!(ask("/kimi/v1/chat/completions", "m").await.status, 429);
    assert_eq!(ask("/v1/messages", "sick").await.status, 500);
    assert_eq!(ask("/v1/messages", "sick").await.status, 500);
    let second = ask("/kimi/v1/chat/completions", "m").await;
    assert!(
        second.text().contains("from the script"),
        "the rule is used up"
    );
}

#[tokio::test]
async fn everything_that_arrives_is_written_down() {
    let provider = Provider::start().await;
    provider.otherwise(Reply::text("x"));
    let mut line = Line::to(&provider).await;
    call(&mut line, &provider, Dialect::Anthropic, true).await;
    let head = "POST /v1/responses?a=b HTTP/1.1\r\nAuthorization: Bearer sk-canary\r\n\
                Transfer-Encoding: chunked\r\nhost: p\r\n\r\n";
    let body = "9\r\n{\"model\":\r\n4;x=y\r\n\"m\"}\r\n0\r\n\r\n";
    line.send(head.as_bytes()).await;
    tokio::time::sleep(ms(20)).await;
    line.send(body.as_bytes()).await;
    line.hear().await;
    let requests = provider.requests();
    let (first, second) = (&requests[0], &requests[1]);
    assert_eq!(
        (first.route, first.dialect),
        (Route::Chat, Dialect::Anthropic)
    );
    assert!(first.wants_stream() && !second.wants_stream());
    assert_eq!(
        (first.connection, second.connection),
        (0, 0),
        "one kept connection"
    );
    assert_eq!(provider.connections(), 1);
    assert_eq!(second.query.as_deref(), Some("a=b"));
    assert_eq!(
        (second.path.as_str(), second.model()),
        ("/v1/responses", Some("m"))
    );
    assert_eq!(second.key(), Some("sk-canary"));
    assert_eq!(second.header("HOST"), Some("p"));
    assert_eq!(second.json("/model"), Some(&json!("m")));
    assert!(second.at >= first.ended.unwrap());
}

#[tokio::test]
async fn a_key_is_only_where_keys_belong() {
    let provider = Provider::start().await;
    provider.otherwise(Reply::text("x"));
    for name in ["Authorization: Bearer ", "X-Api-Key: ", "x-goog-api-key: "] {
        get(&provider, "/v1/models", &format!("{name}canary-1\r\n")).await;
    }
    assert_eq!(provider.leaks("canary-1"), Vec::<String>::new());
    get(
        &provider,
        "/canary-2/models?key=canary-2",
        "x-trace: canary-2\r\n",
    )
    .await;
    send_json(
        &provider,
        "POST",
        "/v1/responses",
        json!({"user": "canary-2"}),
    )
    .await;
    let places = provider.leaks("canary-2");
    assert_eq!(places.len(), 4, "{places:?}");
    assert!(places[0].starts_with("the header x-trace of GET"));
    assert!(places[3].starts_with("the body of POST"));
}

#[tokio::test]
async fn a_body_is_awaited_politely_and_garbage_is_dropped() {
    let provider = Provider::start().await;
    provider.otherwise(Reply::text("x"));
    let mut line = Line::to(&provider).await;
    line.send(b"POST /api/chat HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n")
        .await;
    assert_eq!(line.hear().await.status, 100);
    line.send(b"{}").await;
    assert_eq!(line.hear().await.status, 200);
    let mut garbage = Line::to(&provider).await;
    garbage.send(b"hello\r\n\r\n").await;
    while garbage.more().await {}
    assert_eq!(provider.requests().len(), 1);
}

#[tokio::test]
async fn it_goes_down_and_comes_up_with_its_memory() {
    let provider = Provider::start().await;
    provider.otherwise(Reply::text("x"));
    let mut line = Line::to(&provider).await;
    call(&mut line, &provider, Dialect::Ollama, true).await;
    provider.down().await;
    assert!(!line.more().await, "the kept connection is gone");
    let address = ("127.0.0.1", provider.port());
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
    provider.up().await;
    assert_eq!(ask(&provider, Dialect::Ollama, true).await.status, 200);
    assert_eq!(provider.requests().len(), 2);
}
