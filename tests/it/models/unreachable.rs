//! Addresses where nobody speaks as promised: nobody listens, and TLS that is none. The end is
//! typed, quick, and says what to check.

use super::{Stage, ask, failed, said};
use exai_testkit::{
    Stopwatch, free_port,
    provider::{Dialect, Reply, Tls},
};

fn endpoint(name: &str, dialect: &str, url: &str) -> String {
    format!(
        "[providers.{name}]\ntitle = \"{name}\"\ndialect = \"{dialect}\"\nbase_url = \"{url}\"\n\
         key = {{ env = [\"GLM_API_KEY\"] }}\nlimits = {{ retries = 0 }}\n\
         timeouts = {{ connect_ms = 1500, first_event_ms = 3000 }}\n"
    )
}

const WORDS: [(&str, Dialect); 5] = [
    ("openai-chat", Dialect::OpenAiChat),
    ("openai-responses", Dialect::Responses),
    ("anthropic", Dialect::Anthropic),
    ("gemini", Dialect::Gemini),
    ("ollama", Dialect::Ollama),
];

#[tokio::test]
async fn nobody_listens_in_any_dialect() {
    let stage = Stage::new().await;
    let nobody = format!("http://127.0.0.1:{}", free_port());
    let toml: String = WORDS
        .iter()
        .map(|(word, _)| endpoint(&format!("no-{word}"), word, &nobody))
        .collect();
    stage.providers(&toml);
    stage.provider.otherwise(Reply::text("here"));
    let _daemon = stage.daemon().await;
    let mut ws = stage.caller().await;
    for (word, _) in WORDS {
        let began = Stopwatch::start();
        ask(&mut ws, word, &format!("m@no-{word}")).await;
        let result = ws.result(word).await;
        let (code, message) = failed(&result);
        assert_eq!(code, "UNAVAILABLE", "{word}: {message}");
        assert!(message.contains("base URL"), "no next step: {message}");
        assert!(
            began.elapsed().as_secs() < 5,
            "{word}: {:?}",
            began.elapsed()
        );
    }
    ask(&mut ws, "other", "parrot@custom").await;
    assert_eq!(said(&ws.result("other").await), "here", "others go on");
}

#[tokio::test]
async fn tls_that_is_none_is_refused_and_nothing_is_sent() {
    for how in [Tls::ClearText, Tls::Alert, Tls::HangUp, Tls::Stall] {
        let stage = Stage::new().await;
        stage.provider.tls(how);
        let toml: String = WORDS
            .iter()
            .map(|(word, dialect)| {
                endpoint(
                    &format!("tls-{word}"),
                    word,
                    &stage.provider.tls_url(*dialect),
                )
            })
            .collect();
        stage.providers(&toml);
        let _daemon = stage.daemon().await;
        let mut ws = stage.caller().await;
        let began = Stopwatch::start();
        for (word, _) in WORDS {
            ask(&mut ws, word, &format!("m@tls-{word}")).await;
        }
        for (word, _) in WORDS {
            let result = ws.result(word).await;
            let (code, message) = failed(&result);
            let stalls = how == Tls::Stall && code == "TIMEOUT";
            assert!(code == "UNAVAILABLE" || stalls, "{how:?} {word}: {result}");
            assert!(message.contains(&format!("tls-{word}")), "{message}");
        }
        assert!(
            began.elapsed().as_secs() < 8,
            "{how:?}: {:?}",
            began.elapsed()
        );
        assert!(stage.provider.tls_hellos() >= WORDS.len(), "{how:?}");
        assert!(stage.provider.chats().is_empty(), "{how:?}: in clear text");
    }
}
