//! A server without TLS, asked to speak it.

use super::client::{Line, ask};
use crate::provider::{Dialect, Provider, Reply, Tls};

/// The beginning of a client hello record, as every TLS client sends it.
const HELLO: [u8; 9] = [0x16, 3, 1, 0, 4, 1, 0, 0, 0];

async fn answer(how: Tls) -> (Provider, Vec<u8>) {
    let provider = Provider::start().await;
    provider.tls(how);
    let mut line = Line::to(&provider).await;
    line.send(&HELLO).await;
    while line.more().await {}
    let answer = line.pending().to_vec();
    (provider, answer)
}

#[tokio::test]
async fn it_refuses_in_clear_text_by_an_alert_or_without_a_word() {
    let (provider, text) = answer(Tls::ClearText).await;
    assert!(text.starts_with(b"HTTP/1.1 400 "));
    assert_eq!((provider.tls_hellos(), provider.requests().len()), (1, 0));
    assert!(
        provider
            .tls_url(Dialect::Gemini)
            .starts_with("https://127.0.0.1:")
    );
    provider.script([Reply::text("still here")]);
    assert_eq!(ask(&provider, Dialect::Gemini, true).await.status, 200);
    assert_eq!(answer(Tls::Alert).await.1, [0x15, 3, 3, 0, 2, 2, 40]);
    assert_eq!(answer(Tls::HangUp).await.1, b"");
}

#[tokio::test]
async fn it_may_never_answer() {
    let provider = Provider::start().await;
    provider.tls(Tls::Stall);
    let mut line = Line::to(&provider).await;
    line.send(&HELLO).await;
    crate::eventually(crate::PATIENCE, "the hello arrived", || {
        provider.tls_hellos() == 1
    })
    .await;
    let more = tokio::time::timeout(super::client::ms(100), line.more()).await;
    assert!(more.is_err(), "neither an answer nor an end");
}
