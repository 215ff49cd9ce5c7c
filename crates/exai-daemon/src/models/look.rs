//! Looks now and then whether models nobody has enabled are there all the same: Ollama on its
//! default address, an agent's command line. They are offered, never used unasked. Servers of
//! this machine that are used are asked what they serve.

use exai_engine::ports::models::Models as _;
use exai_llm::{
    cli::{self, Environment},
    desk::Models,
    dialect::Dialect,
    endpoint::Live,
    provider::Standing,
};
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, sleep};

/// How long a server of this machine may take to say that it is there.
const PATIENCE: Duration = Duration::from_millis(500);
/// Between two looks: somebody installs a thing, and wonders.
const PAUSE: Duration = Duration::from_secs(300);

/// Looks for as long as it is polled.
pub(crate) async fn around(desk: Arc<Models>, environment: Environment) {
    loop {
        for (name, live) in desk.endpoints() {
            match live.resolved().standing {
                Standing::Offered(_) => {
                    if let Some(there) = is_there(live, &environment).await {
                        desk.found(name, there);
                    }
                }
                // What a server of this machine serves is nobody's secret, and without its
                // list there would be nothing to choose from.
                Standing::Ready if live.resolved().is_near() && desk.lacks_list(name) => {
                    if let Err(error) = desk.refresh(Some(name)).await {
                        tracing::debug!(endpoint = name, %error, "no list of models yet");
                    }
                }
                _ => {}
            }
        }
        sleep(PAUSE).await;
    }
}

/// `None` where nobody looks: another's port may be anything's.
async fn is_there(live: &Live, environment: &Environment) -> Option<bool> {
    let endpoint = &live.resolved().endpoint;
    if let Some(spec) = endpoint.command.clone() {
        let environment = environment.clone();
        let look = move || cli::look(&spec, &environment).is_some();
        return tokio::task::spawn_blocking(look).await.ok();
    }
    if endpoint.dialect != Dialect::Ollama {
        return None;
    }
    let deadline = Instant::now() + PATIENCE;
    Some(live.get("/api/version", &[], deadline).await.is_ok())
}
