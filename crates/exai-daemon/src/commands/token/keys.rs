//! `token add`, `list` and `revoke`: keys with names. The folder alone says which there are; the
//! daemon looks at it whenever somebody comes in.

use crate::{
    commands::next_step,
    context::Context,
    dial::Connection,
    exit::{self, Code},
    lifecycle::identity::lock_is_held,
    output,
};
use anyhow::Result;
use exai_config::KeyFolder;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long those who are put out get to be gone.
const PATIENCE: Duration = Duration::from_secs(15);
const LOOK: Duration = Duration::from_millis(50);

pub(super) fn add(context: &Context, name: &str) -> Result<Code> {
    context.home.prepare()?;
    let file = KeyFolder::new(&context.home).add(name)?;
    output::line(file.display())?;
    let file = file.display();
    next_step(&format!(
        "the key '{name}' opens at once. A window of this machine has it with \
         EXAI_WS_TOKEN=\"$(cat '{file}')\" in the environment of its exai-shim (in an MCP entry: \
         \"env\": {{\"EXAI_WS_TOKEN\": \"<the line in that file>\"}}). What it may call is said by \
         [keys.{name}] in {}; without that, every tool that tells nothing of others",
        context.home.root().join("config/profiles.toml").display()
    ));
    Ok(exit::OK)
}

pub(super) fn list(context: &Context) -> Result<Code> {
    let found = KeyFolder::new(&context.home).read()?;
    found.faults.iter().for_each(output::warning);
    for key in &found.keys {
        output::line(&key.name)?;
    }
    if found.keys.is_empty() {
        next_step("there are no keys besides the token; `exai-daemon token add NAME` makes one");
    }
    Ok(exit::OK)
}

pub(super) async fn revoke(context: &Context, name: &str) -> Result<Code> {
    KeyFolder::new(&context.home).revoke(name)?;
    // From here on it opens nothing, whatever the daemon says.
    if !lock_is_held(&context.home) {
        output::line(format!("key '{name}' revoked"))?;
        return Ok(exit::OK);
    }
    match put_out(context, name).await {
        Ok(0) => output::line(format!("key '{name}' revoked; nobody is in by it"))?,
        Ok(left) => {
            return Err(exit::FAILURE.because(format!(
                "key '{name}' opens nothing any more, but {left} connections that came in by it \
                 have not ended; `exai-daemon sessions` shows them, `exai-daemon restart` ends them"
            )));
        }
        Err(error) => {
            return Err(exit::FAILURE.because(format!(
                "key '{name}' opens nothing any more, but the daemon could not be asked to put \
                 out who came in by it ({error:#}); it does so when it next looks, within seconds"
            )));
        }
    }
    Ok(exit::OK)
}

/// Has the daemon look, and waits until nobody is in by the key; how many still are.
async fn put_out(context: &Context, name: &str) -> Result<u64> {
    let connection = Connection::open(context).await?;
    let until = Instant::now() + PATIENCE;
    let left = loop {
        let sessions = match connection.client.sessions().await {
            Ok(reply) => reply.sessions,
            Err(error) => break Err(error.into()),
        };
        let by_it = sessions
            .iter()
            .filter(|session| session.key.as_ref().is_some_and(|key| key.as_str() == name));
        let left = by_it.map(|session| session.connections).sum();
        if left == 0 || Instant::now() >= until {
            break Ok(left);
        }
        sleep(LOOK).await;
    };
    connection.close().await;
    left
}
