//! Diagnostics: what the code says through `tracing`, as lines of `ws_daemon.log` or
//! `ws_shim.log`. Never a part of the record of calls, so it may drop lines when a file cannot
//! keep up; but it counts them and says so. Nothing here ever touches stdout.

mod format;

use crate::{SharedFile, WriteFaults};
use format::Lines;
use std::sync::Arc;
use tracing::{Subscriber, level_filters::LevelFilter};
use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::{filter::Targets, layer::SubscriberExt as _, registry::LookupSpan};

/// Lines that wait for the file. The appender's own default would reserve 4 MB for them.
const DAEMON_QUEUE: usize = 4096;
/// A shim says little, and there are many shims.
const SHIM_QUEUE: usize = 128;

/// Keeps the writer of diagnostics alive; dropping it writes what waits.
pub struct LogGuard {
    _worker: WorkerGuard,
    dropped: ErrorCounter,
    faults: Arc<WriteFaults>,
}

/// Diagnostics were already set up in this process.
#[derive(Debug, thiserror::Error)]
#[error("diagnostics are already set up in this process")]
pub struct AlreadySetUp;

impl LogGuard {
    /// Lines dropped because the file did not keep up.
    #[must_use]
    pub fn dropped_lines(&self) -> usize {
        self.dropped.dropped_lines()
    }

    /// What the owner should look at; empty is good.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let dropped = match self.dropped_lines() {
            0 => None,
            lines => Some(format!(
                "{lines} diagnostic lines were dropped: the disk is too slow"
            )),
        };
        dropped.into_iter().chain(self.faults.describe()).collect()
    }
}

/// Sends the daemon's diagnostics into `ws_daemon.log`. `level` as in the settings.
///
/// # Errors
/// [`AlreadySetUp`].
pub fn daemon(file: SharedFile, level: &str) -> Result<LogGuard, AlreadySetUp> {
    install(file, level, Lines { pid: None }, DAEMON_QUEUE)
}

/// Sends a shim's diagnostics into `ws_shim.log`, which all shims share: each line has the pid.
///
/// # Errors
/// [`AlreadySetUp`].
pub fn shim(file: SharedFile, level: &str) -> Result<LogGuard, AlreadySetUp> {
    install(
        file,
        level,
        Lines {
            pid: Some(std::process::id()),
        },
        SHIM_QUEUE,
    )
}

/// Writes panics into the diagnostics, instead of onto a terminal or a pipe nobody reads.
pub fn panics_to_log() {
    std::panic::set_hook(Box::new(|panic| {
        let thread = std::thread::current();
        let name = thread.name().unwrap_or("unnamed");
        tracing::error!(target: "panic", "thread {name}: {panic}");
    }));
}

fn install(
    file: SharedFile,
    level: &str,
    lines: Lines,
    queue: usize,
) -> Result<LogGuard, AlreadySetUp> {
    let (writer, guard) = writer(file, queue);
    let subscriber = subscriber(writer, level, lines);
    tracing::subscriber::set_global_default(subscriber).map_err(|_| AlreadySetUp)?;
    Ok(guard)
}

fn writer(file: SharedFile, queue: usize) -> (NonBlocking, LogGuard) {
    let faults = file.faults();
    let (writer, worker) = NonBlockingBuilder::default()
        .buffered_lines_limit(queue)
        .lossy(true)
        .thread_name("exai-log")
        .finish(file);
    let guard = LogGuard {
        _worker: worker,
        dropped: writer.error_counter(),
        faults,
    };
    (writer, guard)
}

fn subscriber(
    writer: NonBlocking,
    level: &str,
    lines: Lines,
) -> impl Subscriber + for<'span> LookupSpan<'span> {
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(writer)
        .with_ansi(false)
        .event_format(lines);
    tracing_subscriber::registry()
        .with(filter(level))
        .with(layer)
}

/// The level for everything; the MCP library only speaks up about what is wrong.
fn filter(level: &str) -> Targets {
    let level = level.parse().unwrap_or(LevelFilter::INFO);
    Targets::new()
        .with_default(level)
        .with_target("rmcp", level.min(LevelFilter::WARN))
}

#[cfg(test)]
#[path = "logging_tests.rs"]
mod tests;
