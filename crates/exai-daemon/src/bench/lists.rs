//! What the list of tools costs a client's model in every turn: its bytes as they leave the shim,
//! in the profile of who asks for none and in the leanest.

use super::{
    daemon::{BenchDaemon, clean},
    measure::{Goal, Measure},
    report::Report,
};
use crate::{lifecycle::spawn, stdio_peer::StdioPeer};
use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use std::{path::Path, time::Duration};
use tokio::time::{Instant, sleep};

const PATIENCE: Duration = Duration::from_secs(20);
/// A profile, bytes it may take, and a tool it alone does not list: the shim shows what it last
/// knew until the daemon has told it otherwise.
const PROFILES: [(&str, f64, Option<&str>); 2] = [
    ("standard", 8_192.0, None),
    ("lean", 4_096.0, Some("listmodels")),
];

/// Measures both, or says why not.
pub(super) async fn measure(report: &mut Report, shim: &Path, daemon: &BenchDaemon) {
    for (profile, most, lacks) in PROFILES {
        let name = format!("tools/list, profile {profile}");
        match bytes(shim, daemon, profile, lacks).await {
            Ok(bytes) => {
                let measure = Measure::alone(&name, "bytes", Some(bytes), "");
                report.push(measure.aiming(Goal::AtMost(most)));
            }
            Err(error) => {
                report.errors += 1;
                report.push(Measure::alone(&name, "bytes", None, &format!("{error:#}")));
            }
        }
    }
}

async fn bytes(
    shim: &Path,
    daemon: &BenchDaemon,
    profile: &str,
    lacks: Option<&str>,
) -> Result<f64> {
    let mut command = clean(spawn::command(shim), daemon.context.home.root());
    command.env("EXAI_TOOL_PROFILE", profile);
    let mut peer = StdioPeer::start(command)?;
    peer.initialize(PATIENCE).await.context("the shim")?;
    let version = json!({"name": "version", "arguments": {}});
    peer.ask("tools/call", &version, PATIENCE).await?;
    let until = Instant::now() + PATIENCE;
    let list = loop {
        let list = peer.ask("tools/list", &json!({}), PATIENCE).await?;
        if !lacks.is_some_and(|name| has(&list, name)) {
            break list;
        }
        anyhow::ensure!(Instant::now() < until, "the shim never showed the profile");
        sleep(Duration::from_millis(10)).await;
    };
    peer.close(PATIENCE).await?;
    #[expect(clippy::cast_precision_loss, reason = "a few thousand bytes")]
    Ok(list.to_string().len() as f64)
}

fn has(list: &Value, name: &str) -> bool {
    let tools = list["tools"].as_array().into_iter().flatten();
    tools.into_iter().any(|tool| tool["name"] == name)
}
