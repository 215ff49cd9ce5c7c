//! The stdio way: client → shim → daemon and back, against a bare responder at the end of the
//! same pipes; and what a shim costs by itself, with no daemon about.

use super::{
    daemon::{BenchDaemon, clean},
    lists,
    measure::{Goal, Measure, percentile},
    process,
    report::Report,
};
use crate::{lifecycle::spawn, stdio_peer::StdioPeer};
use anyhow::{Context as _, Result};
use serde_json::json;
use std::{
    path::Path,
    time::{Duration, Instant},
};

const PATIENCE: Duration = Duration::from_secs(20);
const PATH: &str = "stdio call through the shim";
const START: &str = "shim: process start to initialize, daemon down, p50";
const LISTED: &str = "shim: process start to the first list, daemon down, p50";
const MEMORY: &str = "shim: memory after the first list";

/// Measures both, or says why not.
pub(super) async fn measure(
    report: &mut Report,
    daemon: &BenchDaemon,
    calls: usize,
    starts: usize,
) {
    let Some(shim) = spawn::sibling("exai-shim") else {
        let why = "exai-shim is not beside exai-daemon";
        for (name, unit) in [(PATH, "µs"), (START, "ms"), (LISTED, "ms"), (MEMORY, "MB")] {
            report.push(Measure::alone(name, unit, None, why));
        }
        return;
    };
    match path(&shim, daemon, calls).await {
        Ok(Way { bare, ours, cpu }) => {
            let at = |percent| (percentile(&bare, percent), percentile(&ours, percent));
            report.push(
                Measure::pair(&format!("{PATH}, p50"), "µs", at(50.0))
                    .aiming(Goal::RatioAtMost(4.0)),
            );
            report.push(Measure::pair(&format!("{PATH}, p99"), "µs", at(99.0)));
            report.push(share(report, at(50.0)));
            let name = "shim: processor time of a call";
            report.push(Measure::alone(name, "µs", cpu, process::UNKNOWN));
        }
        Err(error) => {
            report.errors += 1;
            report.push(Measure::alone(PATH, "µs", None, &format!("{error:#}")));
        }
    }
    match alone(&shim, starts).await {
        Ok(alone) => {
            for (name, times) in [(START, &alone.initialized), (LISTED, &alone.listed)] {
                let millis = percentile(times, 50.0).map(|micros| micros / 1000.0);
                report.push(Measure::alone(name, "ms", millis, "").aiming(Goal::AtMost(30.0)));
            }
            let memory = Measure::alone(MEMORY, "MB", alone.memory, process::UNKNOWN);
            report.push(memory.aiming(Goal::AtMost(6.0)));
        }
        Err(error) => {
            report.errors += 1;
            for (name, unit) in [(START, "ms"), (LISTED, "ms"), (MEMORY, "MB")] {
                report.push(Measure::alone(name, unit, None, &format!("{error:#}")));
            }
        }
    }
    lists::measure(report, &shim, daemon).await;
}

/// What is left of the whole way without the pipes and without the daemon's part of it.
fn share(report: &Report, p50: (Option<f64>, Option<f64>)) -> Measure {
    let own = p50
        .0
        .zip(p50.1)
        .zip(report.ours(super::SINGLE))
        .map(|((pipes, whole), daemon)| (whole - pipes - daemon).max(0.0));
    Measure::alone(
        "shim: own share of a call, p50",
        "µs",
        own,
        "a part of it is unknown",
    )
    .aiming(Goal::AtMost(150.0))
}

/// The same way with a bare responder and with the shim at its end.
#[derive(Default)]
struct Way {
    bare: Vec<Duration>,
    ours: Vec<Duration>,
    /// What the shim computed for a call, in microseconds: where the system puts the processes
    /// changes the times above, and hardly this.
    cpu: Option<f64>,
}

/// Measures both, in turns and over many lives: where the system puts three processes is decided
/// when they begin and hardly changes, and a bare responder that happens to share its client's
/// processor answers in half the time.
async fn path(shim: &Path, daemon: &BenchDaemon, calls: usize) -> Result<Way> {
    const LIVES: usize = 20;
    let mut way = Way::default();
    let mut spent = Some(0.0);
    for life in 0..LIVES {
        let from = 2_000_000 + life * 2 * calls;
        let (mut ours, bytes) = shim_at_work(shim, daemon).await?;
        let mut bare = responder(bytes)?;
        let of_bare = series(&mut bare, from, calls / LIVES).await;
        way.bare.extend(of_bare.context("the bare responder")?);
        let before = cpu_secs(&ours);
        let of_ours = series(&mut ours, from, calls / LIVES).await;
        way.ours.extend(of_ours.context("the shim")?);
        let used = cpu_secs(&ours).zip(before).map(|(now, then)| now - then);
        spent = spent.zip(used).map(|(sum, used)| sum + used);
        ours.close(PATIENCE).await?;
        bare.close(PATIENCE).await?;
    }
    let made = LIVES * (calls / LIVES + warm_up(calls / LIVES));
    #[expect(clippy::cast_precision_loss, reason = "a few thousand calls")]
    let cpu = spent.map(|seconds| seconds * 1e6 / made as f64);
    way.cpu = cpu;
    Ok(way)
}

/// A shim that has answered, and how long its answer is.
async fn shim_at_work(shim: &Path, daemon: &BenchDaemon) -> Result<(StdioPeer, usize)> {
    let home = daemon.context.home.root();
    let mut ours = StdioPeer::start(clean(spawn::command(shim), home))?;
    ours.initialize(PATIENCE).await.context("the shim")?;
    ours.ask("tools/list", &json!({}), PATIENCE)
        .await
        .context("the shim")?;
    let params = json!({"name": "version", "arguments": {}});
    let first = ours
        .ask("tools/call", &params, PATIENCE)
        .await
        .context("the shim")?;
    anyhow::ensure!(first["isError"] != json!(true), "the call failed: {first}");
    let bytes = ours.exchange(&request(1_000_000)).await?;
    Ok((ours, bytes))
}

fn responder(bytes: usize) -> Result<StdioPeer> {
    let mut responder = spawn::command(std::env::current_exe()?);
    responder.args(["bench-stdio-responder", "--bytes", &(bytes + 1).to_string()]);
    StdioPeer::start(responder)
}

fn cpu_secs(peer: &StdioPeer) -> Option<f64> {
    process::load(peer.pid()?).map(|load| load.cpu_secs())
}

async fn series(peer: &mut StdioPeer, from: usize, calls: usize) -> Result<Vec<Duration>> {
    let warm_up = warm_up(calls);
    let mut samples = Vec::with_capacity(calls);
    for call in 0..warm_up + calls {
        let line = request(from + call);
        let began = Instant::now();
        tokio::time::timeout(PATIENCE, peer.exchange(&line))
            .await
            .context("no answer")??;
        if call >= warm_up {
            samples.push(began.elapsed());
        }
    }
    Ok(samples)
}

/// Calls before those that count.
fn warm_up(calls: usize) -> usize {
    calls / 10
}

fn request(id: usize) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"version","arguments":{{}}}}}}"#
    )
}

/// Shims that find no daemon and may start none.
#[derive(Default)]
struct Alone {
    /// From the start of the process to the answer to `initialize`, and to the list of tools.
    initialized: Vec<Duration>,
    listed: Vec<Duration>,
    memory: Option<f64>,
}

async fn alone(shim: &Path, starts: usize) -> Result<Alone> {
    let dir = tempfile::Builder::new().prefix("exai-bench-").tempdir()?;
    let mut alone = Alone::default();
    for _ in 0..starts.max(1) {
        let mut command = clean(spawn::command(shim), dir.path());
        command
            .env("EXAI_WS_AUTOSTART", "false")
            .env("EXAI_WS_PORT", "9");
        let began = Instant::now();
        let mut peer = StdioPeer::start(command)?;
        peer.initialize(PATIENCE)
            .await
            .context("the shim without a daemon")?;
        alone.initialized.push(began.elapsed());
        peer.ask("tools/list", &json!({}), PATIENCE)
            .await
            .context("the shim without a daemon")?;
        alone.listed.push(began.elapsed());
        alone.memory = peer.pid().and_then(process::rss_mb).or(alone.memory);
        peer.close(PATIENCE).await?;
    }
    Ok(alone)
}
