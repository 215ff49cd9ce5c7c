//! Reading the daemon's own logs, for the tools that show them.

use exai_protocol::health::Health;

/// A log of ours, by what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFile {
    /// `ws_daemon.log`.
    Daemon,
    /// `tool_calls_all.jsonl`.
    Calls,
    /// `tool_failures.jsonl`.
    Failures,
    /// `progress.log`.
    Progress,
}

/// Blocking reads, done only on a thread.
pub trait Logs: Send + Sync + 'static {
    /// The last lines of a log, oldest first; empty when the file is not there yet.
    ///
    /// # Errors
    /// The file's name and the cause, for a person.
    fn tail(&self, file: LogFile, lines: usize) -> Result<Vec<String>, String>;

    /// The faults of the daemon's own set-up, each one line with its remedy; empty is good.
    fn self_check(&self, health: &Health) -> Vec<String>;
}
