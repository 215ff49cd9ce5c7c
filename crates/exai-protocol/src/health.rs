//! The daemon's vital signs: the same facts in the health file and the `health` op, V1's
//! names first.

use crate::{
    BootId,
    event::{LimitStatus, WatchdogStatus},
};
use serde::{Deserialize, Serialize};

/// A file older than this no longer proves a running daemon (`WS_STATUS_FRESH_SECS`).
pub const FRESH_SECS: f64 = 20.0;

/// One snapshot. What a V1 daemon does not send (all but `t`, `sessions` and
/// `global_capacity`) reads as empty.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Health {
    /// Unix seconds.
    pub t: f64,
    /// The daemon's process.
    #[serde(default)]
    pub pid: u32,
    /// Where it listens.
    #[serde(default)]
    pub host: String,
    /// Where it listens.
    #[serde(default)]
    pub port: u16,
    /// Unix seconds.
    #[serde(default)]
    pub started_at: f64,
    /// Connected sessions.
    pub sessions: u64,
    /// Calls that may run at once.
    pub global_capacity: u64,
    /// Calls running.
    #[serde(default)]
    pub global_inflight: u64,
    /// `H:MM:SS`.
    #[serde(default)]
    pub uptime_human: String,
    /// Tools registered.
    #[serde(default)]
    pub tool_count: u64,
    /// Which run this is.
    #[serde(default = "no_boot")]
    pub boot_id: BootId,
    /// Its version.
    #[serde(default)]
    pub version: String,
    /// `running` or `draining`.
    #[serde(default)]
    pub state: String,
    /// Calls waiting.
    #[serde(default)]
    pub queued: u64,
    /// Open connections.
    #[serde(default)]
    pub connections: u64,
    /// Tasks of its event loop that have not ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tasks: Option<u64>,
    /// How late the event loop last woke; null before the first sample.
    #[serde(default)]
    pub loop_lag_ms: Option<f64>,
    /// Calls by outcome since the start.
    #[serde(default)]
    pub outcomes: std::collections::BTreeMap<String, u64>,
    /// Endpoints of models that can be asked, or were asked and have trouble.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub providers: Vec<ProviderHealth>,
    /// How much at once, and what of it is reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<LimitsHealth>,
    /// What the watchdog sees now, and saw in the last minutes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub watchdog: Vec<WatchdogStatus>,
    /// What an owner should look at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

impl Health {
    /// How the process is, and nothing of what its clients do or how its home is set up.
    #[must_use]
    pub fn without_others(self) -> Self {
        Self {
            outcomes: std::collections::BTreeMap::new(),
            providers: Vec::new(),
            limits: None,
            watchdog: Vec::new(),
            warnings: Vec::new(),
            ..self
        }
    }
}

/// One endpoint of models.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ProviderHealth {
    /// The endpoint.
    pub name: String,
    /// `closed`: it is asked; `open`: it is not; `half_open`: one call tries it.
    pub breaker: String,
    /// What opened the breaker.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// Requests under way.
    pub in_flight: u64,
    /// How many there may be.
    pub concurrency: u64,
    /// Requests waiting for a place.
    pub queued: u64,
}

/// The limits in force, and how near they are.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LimitsHealth {
    /// Calls of one client that may run at once.
    pub client_inflight: u64,
    /// Calls that may wait.
    pub queue_calls: u64,
    /// Calls of one client that may wait.
    pub client_queue: u64,
    /// Bytes of arguments that may wait.
    pub queue_bytes: u64,
    /// Bytes of arguments that wait.
    pub queued_bytes: u64,
    /// Bytes under way of one client.
    pub client_bytes: u64,
    /// Bytes of results that were sent and not read yet, of all clients.
    pub unread_bytes: u64,
    /// Calls of one principal in a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub principal_rate: Option<String>,
    /// Calls of one tool in a time.
    #[serde(skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub tool_rates: std::collections::BTreeMap<String, String>,
    /// Calls refused since the start, by limit.
    #[serde(skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub refused: std::collections::BTreeMap<String, u64>,
    /// Limits that calls are refused for now.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub shedding: Vec<LimitStatus>,
}

fn no_boot() -> BootId {
    BootId::new("")
}

/// `3725` → `1:02:05`.
#[must_use]
pub fn uptime_human(seconds: u64) -> String {
    format!(
        "{}:{:02}:{:02}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    )
}
