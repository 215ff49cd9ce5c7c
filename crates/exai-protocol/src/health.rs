//! The daemon's vital signs: the same facts in the health file and the `health` op, V1's
//! names first.

use crate::BootId;
use serde::{Deserialize, Serialize};

/// A file older than this no longer proves a running daemon (`WS_STATUS_FRESH_SECS`).
pub const FRESH_SECS: f64 = 20.0;

/// One snapshot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Health {
    /// Unix seconds.
    pub t: f64,
    /// The daemon's process.
    pub pid: u32,
    /// Where it listens.
    pub host: String,
    /// Where it listens.
    pub port: u16,
    /// Unix seconds.
    pub started_at: f64,
    /// Connected sessions.
    pub sessions: u64,
    /// Calls that may run at once.
    pub global_capacity: u64,
    /// Calls running.
    pub global_inflight: u64,
    /// `H:MM:SS`.
    pub uptime_human: String,
    /// Tools registered.
    pub tool_count: u64,
    /// Which run this is.
    pub boot_id: BootId,
    /// Its version.
    pub version: String,
    /// `running` or `draining`.
    pub state: String,
    /// Calls waiting.
    pub queued: u64,
    /// Open connections.
    pub connections: u64,
    /// How late the event loop last woke; null before the first sample.
    pub loop_lag_ms: Option<f64>,
    /// Calls by outcome since the start.
    pub outcomes: std::collections::BTreeMap<String, u64>,
    /// What an owner should look at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// `3725` → `1:02:05`.
#[must_use]
pub fn uptime_human(seconds: u64) -> String {
    format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}
