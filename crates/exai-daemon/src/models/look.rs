//! Looks now and then whether models nobody has enabled are there all the same: Ollama on its
//! default address, an agent's command line. They are offered, never used unasked.

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
            if matches!(live.resolved().standing, Standing::Offered(_))
                && let Some(there) = is_there(live, &environment).await
            {
                desk.found(name, there);
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
