//! The daemon's pulse: the health file every ten seconds and soon after a change, samples of
//! its own load on the bus, and the sweeping of what nobody can miss.

use crate::{
    control::Daemon,
    lifecycle::instance::{Instance, Usurped},
};
use exai_engine::{Engine, events::Subscription};
use exai_protocol::{
    endpoint::Endpoint,
    event::{SystemMetrics, Topic},
};
use exai_telemetry::{health_file, process::Process};
use std::{path::PathBuf, sync::Arc, time::Duration};
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// Changes closer together than this share one file.
const SETTLE: Duration = Duration::from_secs(1);
/// Between two samples of the load.
const SAMPLE: Duration = Duration::from_secs(5);

/// Writes the health file for as long as it is polled.
pub(crate) async fn health(daemon: Arc<Daemon>, path: PathBuf, interval: Duration) {
    let mut failing = false;
    loop {
        let mut changes = changes(daemon.engine());
        let (snapshot, file) = (daemon.snapshot(), path.clone());
        let writer = Arc::clone(&daemon);
        let written = tokio::task::spawn_blocking(move || match writer.is_still() {
            true => Ok(()),
            false => health_file::write(&file, &snapshot),
        })
        .await;
        let failed = !matches!(written, Ok(Ok(())));
        if failed && !failing {
            tracing::error!(path = %path.display(), "cannot write the health file");
        }
        failing = failed;
        sleep(SETTLE).await;
        // Whichever comes first; both mean the same.
        let _ = timeout(interval.saturating_sub(SETTLE), changes.next()).await;
    }
}

/// The last file of a life, so that nobody takes the one before for a sign of it.
pub(crate) fn last(daemon: &Daemon, path: &std::path::Path) {
    if daemon.is_still() {
        return;
    }
    let mut health = daemon.snapshot();
    health.state = "stopped".to_owned();
    if let Err(error) = health_file::write(path, &health) {
        tracing::warn!(%error, "cannot write the last health file");
    }
}

fn changes(engine: &Engine) -> Subscription {
    let topics = vec![
        Topic::ConnectionStatus,
        Topic::ToolCallStarted,
        Topic::ToolCallResult,
        Topic::ToolDiscovered,
        Topic::ProviderStatus,
    ];
    engine.bus().subscribe(topics, None, None).0
}

/// What running calls get when the home turns out to be another's.
const USURPED_DRAIN: Duration = Duration::from_secs(30);

/// Samples the load, sweeps, and looks after the files that others find us by, for as long as
/// it is polled.
pub(crate) async fn sample(
    engine: Arc<Engine>,
    daemon: Arc<Daemon>,
    instance: Arc<Instance>,
    endpoint: Endpoint,
) {
    let mut process = Process::new();
    loop {
        let due = Instant::now() + SAMPLE;
        sleep_until(due).await;
        let lag = due.elapsed();
        let reading = process.sample();
        let depth = engine.admission().depth();
        engine.publish_metrics(SystemMetrics {
            cpu_percent: reading.cpu_percent,
            memory_bytes: reading.memory_bytes,
            connections: engine.sessions().counts().1,
            in_flight: depth.running as u64,
            queued: depth.queued as u64,
            loop_lag_ms: Some(lag.as_secs_f64() * 1000.0),
        });
        engine.sweep();
        // For keys whose file was removed by hand; `token revoke` does not wait for this.
        let named = Arc::clone(daemon.named());
        let _ = tokio::task::spawn_blocking(move || named.passes()).await;
        let (instance, endpoint) = (Arc::clone(&instance), endpoint.clone());
        let daemon = Arc::clone(&daemon);
        if daemon.is_still() {
            continue;
        }
        // File work; its outcome is in the log.
        let _ = tokio::task::spawn_blocking(move || match instance.keep_published(&endpoint) {
            Ok(()) => daemon.keep_token(),
            Err(Usurped) => daemon.end(USURPED_DRAIN, "another daemon has claimed this home"),
        })
        .await;
    }
}
