//! The general calls: lists, files, streams of lines, removals.

use crate::setup::{CANARY, ms};
use exai_llm::{
    decode::NdjsonDecoder,
    fault::FaultClass,
    http::{Ask, Field, Http},
};
use exai_protocol::Secret;
use exai_testkit::provider::{At, Dialect, OllamaModel, Provider, Reply, Route, Stall};
use serde_json::json;
use std::time::Duration;

fn key() -> Secret {
    Secret::new(CANARY)
}

const BEARER: (&str, &str) = ("authorization", "Bearer ");

#[tokio::test]
async fn lists_are_fetched_and_errors_are_answers() {
    let provider = Provider::start().await;
    provider.models(["m1", "m2"]);
    let http = Http::new("exai-test").unwrap();
    let url = format!("{}/models", provider.url(Dialect::OpenAiChat));
    let got = http.whole(Ask::get(&url).key(BEARER, key()), Duration::from_secs(5));
    let got = got.await.unwrap();
    assert_eq!(got.status, 200);
    let list: serde_json::Value = serde_json::from_slice(&got.body).unwrap();
    assert_eq!(list["data"][1]["id"], "m2");
    let asked = provider.requests();
    assert_eq!(asked[0].header("user-agent"), Some("exai-test"));
    assert_eq!(provider.leaks(CANARY), Vec::<String>::new());

    provider.always(
        |_| true,
        Reply::status(500).stall(At::Headers, Stall::Forever),
    );
    let late = http.whole(Ask::get(&url), ms(300)).await.unwrap_err();
    assert_eq!(late.class, FaultClass::Timeout);
    provider.until_hung_up(1).await;
}

#[tokio::test]
async fn a_form_arrives_as_a_file() {
    let provider = Provider::start().await;
    let http = Http::new("exai-test").unwrap();
    let url = format!("{}/files", provider.url(Dialect::OpenAiChat));
    let fields = vec![
        Field::value("purpose", "file-extract"),
        Field::file(
            "file",
            "notes.txt",
            "text/plain",
            &b"Gr\xc3\xbc\xc3\x9fe"[..],
        ),
    ];
    let got = http.whole(
        Ask::form(&url, fields).key(BEARER, key()),
        Duration::from_secs(5),
    );
    assert_eq!(got.await.unwrap().status, 200);
    let kept = provider.uploads();
    assert_eq!(kept.len(), 1);
    let told = format!("{:?}", kept[0]);
    assert!(
        told.contains("notes.txt") && told.contains("file-extract"),
        "{told}"
    );
}

#[tokio::test]
async fn a_pull_streams_its_lines_and_a_dropped_one_hangs_up() {
    let provider = Provider::start().await;
    let http = Http::new("exai-test").unwrap();
    provider.ollama(|ollama| ollama.offer(OllamaModel::new("tiny:1b")));
    let base = provider.url(Dialect::Ollama);
    let pull = || Ask::post(format!("{base}/api/pull"), json!({"model": "tiny:1b"}));
    let mut flow = http.send(pull()).await.unwrap();
    let (mut decoder, mut lines) = (NdjsonDecoder::default(), Vec::new());
    while let Some(bytes) = flow.chunk().await.unwrap() {
        decoder.push(&bytes, &mut lines).unwrap();
    }
    decoder.finish(&mut lines);
    assert!(lines.len() > 2, "{lines:?}");
    assert!(lines.last().unwrap().contains("success"), "{lines:?}");

    provider.when(
        |request| request.route == Route::Pull,
        [Reply::events(["{}", "{}"]).stall(At::Piece(1), Stall::Forever)],
    );
    let mut flow = http.send(pull()).await.unwrap();
    assert!(flow.chunk().await.unwrap().is_some());
    drop(flow);
    provider.until_hung_up(1).await;
}

#[tokio::test]
async fn a_removal_has_a_body() {
    let provider = Provider::start().await;
    let http = Http::new("exai-test").unwrap();
    let base = provider.url(Dialect::Ollama);
    let ask = Ask::delete(format!("{base}/api/delete"), Some(json!({"model": "none"})));
    let got = http.whole(ask, Duration::from_secs(5)).await.unwrap();
    assert_eq!(got.status, 404);
    let asked = &provider.requests()[0];
    assert_eq!(
        (asked.method.as_str(), &asked.body),
        ("DELETE", &json!({"model": "none"}))
    );
}

#[tokio::test]
async fn an_address_that_is_none_is_told() {
    let http = Http::new("exai-test").unwrap();
    for url in ["", "nowhere", "http://", "ftp://127.0.0.1/x"] {
        assert!(http.whole(Ask::get(url), ms(2000)).await.is_err(), "{url}");
    }
    assert!(Http::new("bad\nname").is_err());
}
