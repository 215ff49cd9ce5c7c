//! Limits that are reached: which one, by whom, how often, and what it takes to come back.

use serde::{Deserialize, Serialize};

/// What may be too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum LimitKind {
    /// Calls that wait in line (`limits.queue_calls`).
    QueueCalls,
    /// Bytes of arguments that wait in line (`limits.queue_bytes`).
    QueueBytes,
    /// Calls of one client that wait in line (`limits.client_queue`).
    ClientQueue,
    /// Bytes under way of one client: arguments, and results it has not read
    /// (`limits.client_bytes`).
    ClientBytes,
    /// Calls of one principal in a time (`limits.principal_rate`).
    PrincipalRate,
    /// Calls of one tool in a time (`limits.tool_rates`).
    ToolRate,
}

impl LimitKind {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::QueueCalls,
        Self::QueueBytes,
        Self::ClientQueue,
        Self::ClientBytes,
        Self::PrincipalRate,
        Self::ToolRate,
    ];

    /// Its name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::QueueCalls => "queue_calls",
            Self::QueueBytes => "queue_bytes",
            Self::ClientQueue => "client_queue",
            Self::ClientBytes => "client_bytes",
            Self::PrincipalRate => "principal_rate",
            Self::ToolRate => "tool_rate",
        }
    }
}

/// A limit that calls were refused for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LimitStatus {
    /// Which limit.
    pub limit: LimitKind,
    /// Whom it counts for: a client, a principal or a tool; empty where it is everybody's.
    pub subject: String,
    /// `shedding`: calls are refused; `relieved`: none was for a while.
    pub state: String,
    /// The limit, for a person.
    pub bound: String,
    /// Since when calls are refused; Unix seconds.
    pub since: f64,
    /// How many were refused since.
    pub refused: u64,
    /// What the last one was told to wait, in seconds.
    pub retry_after: u64,
}
