//! An endpoint in force at a scripted provider, and one way to ask it.

use exai_llm::{
    chat::{ChatRequest, Message, ModelTraits, StreamItem},
    endpoint::{Failed, Live, Sent},
    fault::Fault,
    http::Http,
    keys::Keys,
    provider::Providers,
};
use exai_protocol::{
    UnixMillis,
    event::{EventBody, ProviderStatus},
};
use exai_testkit::provider::{Dialect, Provider};
use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};
use tokio::time::Instant;

/// A key that must not be seen anywhere but in its header.
pub(crate) const CANARY: &str = "sk-canary-0123456789abcdef";

pub(crate) fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

pub(crate) fn spelt(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::OpenAiChat => "openai-chat",
        Dialect::Responses => "openai-responses",
        Dialect::Anthropic => "anthropic",
        Dialect::Gemini => "gemini",
        Dialect::Ollama => "ollama",
    }
}

/// An endpoint, and what it told.
pub(crate) struct Rig {
    pub(crate) live: Arc<Live>,
    pub(crate) told: Arc<Mutex<Vec<ProviderStatus>>>,
}

/// One that may be asked much, and quickly gives up.
pub(crate) const QUICK: &str = "timeouts = { connect_ms = 1500, first_event_ms = 1500, idle_ms = 1500 }\n\
                                limits = { concurrency = 64 }";
/// One that waits as long as any test.
pub(crate) const CALM: &str =
    "timeouts = { connect_ms = 20000, first_event_ms = 20000, idle_ms = 20000 }\n";

impl Rig {
    pub(crate) fn at(url: &str, dialect: Dialect, settings: &str) -> Self {
        Self::with_keys(url, dialect, settings, |name| {
            (name == "TEST_KEY").then(|| CANARY.to_owned())
        })
    }

    pub(crate) fn with_keys(
        url: &str,
        dialect: Dialect,
        settings: &str,
        env: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        let dialect = spelt(dialect);
        let toml = format!(
            "[providers.test]\ntitle = \"Test\"\ndialect = \"{dialect}\"\nbase_url = \"{url}\"\n\
             key = {{ env = [\"TEST_KEY\"] }}\n{settings}"
        );
        let env = Arc::new(env);
        let all = Providers::with("the test's", &toml).unwrap().resolve(&*env);
        let resolved = all.into_iter().find(|one| one.name == "test").unwrap();
        let told: Arc<Mutex<Vec<ProviderStatus>>> = Arc::default();
        let book = Arc::clone(&told);
        let live = Live::new(
            resolved,
            Http::new("exai-test").unwrap(),
            Arc::new(Keys::new(PathBuf::new(), env)),
            Arc::new(|| {
                let since = SystemTime::UNIX_EPOCH.elapsed().unwrap();
                UnixMillis(u64::try_from(since.as_millis()).unwrap())
            }),
            Arc::new(move |event| {
                if let EventBody::ProviderStatus(status) = event {
                    book.lock().unwrap().push(status);
                }
            }),
        );
        Self { live, told }
    }

    pub(crate) fn quick(provider: &Provider, dialect: Dialect) -> Self {
        Self::at(&provider.url(dialect), dialect, QUICK)
    }

    /// The positions of the breaker that were told.
    pub(crate) fn positions(&self) -> Vec<String> {
        let told = self.told.lock().unwrap();
        told.iter().map(|status| status.breaker.clone()).collect()
    }

    pub(crate) async fn ask(&self) -> Result<Sent, Box<Failed>> {
        ask(&self.live, Duration::from_secs(20), &mut |_| {}).await
    }
}

pub(crate) fn request() -> ChatRequest {
    ChatRequest {
        model: "m".to_owned(),
        messages: vec![Message::user("Hello")],
        ..ChatRequest::default()
    }
}

/// Waits for a place and asks once. Not to be let in is a panic.
pub(crate) async fn ask(
    live: &Live,
    within: Duration,
    sink: &mut (dyn FnMut(&StreamItem) + Send),
) -> Result<Sent, Box<Failed>> {
    let deadline = Instant::now() + within;
    let place = live.place(10, deadline, &mut |_| {}).await.unwrap();
    let traits = ModelTraits::default();
    live.send(&place, &traits, &request(), None, deadline, sink)
        .await
}

/// Whether anything a person may see of a fault holds the key.
pub(crate) fn leaks(fault: &Fault) -> bool {
    let told = serde_json::to_string(fault).unwrap();
    told.contains("canary") || format!("{fault:?}").contains("canary")
}
