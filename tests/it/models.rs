//! Models, from the wish to the answer: the real daemon, and at the other end of every
//! endpoint the scripted provider, each under a name of its own.

mod budgets;
#[cfg(unix)]
mod canaries;
mod cancelling;
mod choosing;
mod crowds;
mod deaths;
mod efforts;
mod ends_well;
mod faults;
mod kills;
mod retries;
mod searches;
mod storms;
mod streams;
mod unreachable;

use exai_testkit::{
    Daemon, PATIENCE, Sandbox, Ws, answer, eventually,
    provider::{Dialect, Provider, Request, Route},
};
use serde_json::{Value, json};
use std::time::Duration;

/// An endpoint of each dialect, and a model there.
pub(crate) const EACH: [(Dialect, &str, &str); 5] = [
    (Dialect::OpenAiChat, "custom", "parrot@custom"),
    (Dialect::Responses, "openai", "gpt-5-mini@openai"),
    (
        Dialect::Anthropic,
        "anthropic",
        "claude-haiku-4-5@anthropic",
    ),
    (Dialect::Gemini, "gemini", "gemini-2.5-flash@gemini"),
    (Dialect::Ollama, "ollama", "qwen3:32b@ollama"),
];

/// What a caller of today announces.
pub(crate) const FEATURES: [&str; 3] = ["progress", "partial", "rich_results"];

pub(crate) fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// A user whose providers are all the scripted one.
pub(crate) struct Stage {
    pub(crate) sandbox: Sandbox,
    pub(crate) provider: Provider,
}

impl Stage {
    pub(crate) async fn new() -> Self {
        let provider = Provider::start().await;
        let mut sandbox = Sandbox::new();
        point(&mut sandbox, &provider);
        // One window may use all there is: how windows share is not the subject here.
        sandbox.set("EXAI_WS_SESSION_MAX_INFLIGHT", "24");
        Self { sandbox, provider }
    }

    /// What differs from the shipped providers.
    pub(crate) fn providers(&self, toml: &str) -> &Self {
        self.sandbox.write("config/providers.toml", toml);
        self
    }

    /// What differs from the shipped models.
    pub(crate) fn models(&self, toml: &str) -> &Self {
        self.sandbox.write("config/models.toml", toml);
        self
    }

    pub(crate) async fn daemon(&self) -> Daemon {
        self.sandbox.daemon().await
    }

    /// Waits until so many models were asked, and gives the last request. Lists of models are
    /// asked for too, by the daemon itself.
    #[track_caller]
    pub(crate) fn asked(&self, times: usize) -> impl Future<Output = Request> {
        chats(&self.provider, times)
    }

    pub(crate) async fn caller(&self) -> Ws {
        self.sandbox.modern("caller", &FEATURES).await.0
    }
}

/// Sets keys and addresses, so that these endpoints are used and are the scripted provider.
pub(crate) fn point(sandbox: &mut Sandbox, provider: &Provider) {
    let url = |name, dialect| provider.url_under(name, dialect);
    sandbox
        .set("GLM_API_KEY", "glm-key")
        .set("GLM_API_URL", url("glm", Dialect::OpenAiChat))
        .set("KIMI_API_KEY", "kimi-key")
        .set("KIMI_API_URL", url("kimi", Dialect::OpenAiChat))
        .set("OPENAI_API_KEY", "openai-key")
        .set("OPENAI_BASE_URL", url("openai", Dialect::Responses))
        .set("ANTHROPIC_API_KEY", "anthropic-key")
        .set("ANTHROPIC_BASE_URL", url("anthropic", Dialect::Anthropic))
        .set("GEMINI_API_KEY", "gemini-key")
        .set("GEMINI_BASE_URL", url("gemini", Dialect::Gemini))
        .set("OPENROUTER_API_KEY", "openrouter-key")
        .set(
            "OPENROUTER_BASE_URL",
            url("openrouter", Dialect::OpenAiChat),
        )
        .set("OLLAMA_HOST", url("ollama", Dialect::Ollama))
        .set("CUSTOM_API_URL", url("custom", Dialect::OpenAiChat));
}

/// Waits until a provider's models were asked so often, and gives the last request.
#[track_caller]
pub(crate) fn chats(provider: &Provider, times: usize) -> impl Future<Output = Request> {
    let what = format!("{times} models were asked");
    eventually(PATIENCE, what, move || {
        provider.chats().into_iter().nth(times.saturating_sub(1))
    })
}

/// The model calls of one endpoint.
pub(crate) fn at(name: &str) -> impl Fn(&Request) -> bool + Send + Sync + 'static {
    let beginning = format!("/{name}/");
    move |request| request.route == Route::Chat && request.path.starts_with(&beginning)
}

/// Asks a model under this id, and does not wait.
pub(crate) async fn ask(ws: &mut Ws, id: &str, model: &str) {
    ask_with(ws, id, model, json!({})).await;
}

/// The same with more arguments.
pub(crate) async fn ask_with(ws: &mut Ws, id: &str, model: &str, more: Value) {
    let mut arguments = json!({ "prompt": "Say something.", "model": model });
    if let (Some(all), Value::Object(more)) = (arguments.as_object_mut(), more) {
        all.extend(more);
    }
    ws.call_as(id, "chat", arguments).await;
}

/// The whole text of an answer.
#[track_caller]
pub(crate) fn said(result: &Value) -> &str {
    assert!(result.get("error").is_none(), "no answer: {result}");
    answer(result)
}

/// What the answer took, as people are told behind it.
#[track_caller]
pub(crate) fn told(result: &Value) -> &str {
    let text = result["outputs"][0]["text"].as_str();
    let told = text.and_then(|text| text.strip_prefix(said(result)));
    told.unwrap_or_else(|| panic!("nothing is told: {result}"))
}

/// The code and the words of a failure.
#[track_caller]
pub(crate) fn failed(result: &Value) -> (&str, &str) {
    let word = |name: &str| result["error"][name].as_str();
    let (Some(code), Some(message)) = (word("code"), word("message")) else {
        panic!("no error: {result}");
    };
    (code, message)
}
