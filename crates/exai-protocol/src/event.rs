//! The topics people and programs can follow, and what each event says.

mod limits;
mod ollama;
mod watchdog;

pub use limits::{LimitKind, LimitStatus};
pub use ollama::{
    OllamaError, OllamaLoaded, OllamaMetrics, OllamaModel, OllamaModelUpdate, OllamaPull,
    OllamaStatus,
};
pub use watchdog::{WatchdogFault, WatchdogStatus};

use crate::{Outcome, RequestId, SessionId};
use serde::{Deserialize, Serialize};

/// What an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Topic {
    /// A client came or went. Ordered.
    ConnectionStatus,
    /// A call's tool was started. Ordered.
    ToolCallStarted,
    /// How far a call is. Coalesced: only the newest of a call is delivered.
    ToolCallProgress,
    /// A call ended. Ordered.
    ToolCallResult,
    /// The registry changed. Ordered.
    ToolDiscovered,
    /// The daemon's own load. Coalesced.
    SystemMetrics,
    /// An endpoint's breaker opened, lets one request try, or closed. Ordered.
    ProviderStatus,
    /// Calls are refused for a limit, or are no longer. Ordered.
    LimitStatus,
    /// The watchdog saw something stand still or grow, or saw the end of it. Ordered.
    WatchdogStatus,
    /// An Ollama server answers, or stopped. Ordered.
    OllamaStatus,
    /// Models of an Ollama server came, went or changed. Ordered; how far a pull is, is state.
    OllamaModelUpdate,
    /// What answers of an Ollama model take. Coalesced.
    OllamaMetrics,
    /// Something failed at an Ollama server. Ordered.
    OllamaError,
}

impl Topic {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::ConnectionStatus,
        Self::ToolCallStarted,
        Self::ToolCallProgress,
        Self::ToolCallResult,
        Self::ToolDiscovered,
        Self::SystemMetrics,
        Self::ProviderStatus,
        Self::LimitStatus,
        Self::WatchdogStatus,
        Self::OllamaStatus,
        Self::OllamaModelUpdate,
        Self::OllamaMetrics,
        Self::OllamaError,
    ];

    /// Those about Ollama servers, which are asked only while somebody follows one of them.
    pub const OLLAMA: [Self; 4] = [
        Self::OllamaStatus,
        Self::OllamaModelUpdate,
        Self::OllamaMetrics,
        Self::OllamaError,
    ];

    /// The topic's name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ConnectionStatus => "connection_status",
            Self::ToolCallStarted => "tool_call_started",
            Self::ToolCallProgress => "tool_call_progress",
            Self::ToolCallResult => "tool_call_result",
            Self::ToolDiscovered => "tool_discovered",
            Self::SystemMetrics => "system_metrics",
            Self::ProviderStatus => "provider_status",
            Self::LimitStatus => "limit_status",
            Self::WatchdogStatus => "watchdog_status",
            Self::OllamaStatus => "ollama_status",
            Self::OllamaModelUpdate => "ollama_model_update",
            Self::OllamaMetrics => "ollama_metrics",
            Self::OllamaError => "ollama_error",
        }
    }

    /// The topic of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|topic| topic.as_str() == name)
    }

    /// State: a newer event of the same subject replaces an undelivered older one.
    #[must_use]
    pub fn is_state(self) -> bool {
        matches!(
            self,
            Self::ToolCallProgress | Self::SystemMetrics | Self::OllamaMetrics
        )
    }
}

/// What happened. Externally tagged, so that payloads are never buffered.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum EventBody {
    /// See [`Topic::ConnectionStatus`].
    ConnectionStatus(ConnectionStatus),
    /// See [`Topic::ToolCallStarted`].
    ToolCallStarted(ToolCallStarted),
    /// See [`Topic::ToolCallProgress`].
    ToolCallProgress(ToolCallProgress),
    /// See [`Topic::ToolCallResult`].
    ToolCallResult(ToolCallResult),
    /// See [`Topic::ToolDiscovered`].
    ToolDiscovered(ToolDiscovered),
    /// See [`Topic::SystemMetrics`].
    SystemMetrics(SystemMetrics),
    /// See [`Topic::ProviderStatus`].
    ProviderStatus(ProviderStatus),
    /// See [`Topic::LimitStatus`].
    LimitStatus(LimitStatus),
    /// See [`Topic::WatchdogStatus`].
    WatchdogStatus(WatchdogStatus),
    /// See [`Topic::OllamaStatus`].
    OllamaStatus(OllamaStatus),
    /// See [`Topic::OllamaModelUpdate`].
    OllamaModelUpdate(OllamaModelUpdate),
    /// See [`Topic::OllamaMetrics`].
    OllamaMetrics(OllamaMetrics),
    /// See [`Topic::OllamaError`].
    OllamaError(OllamaError),
}

impl EventBody {
    /// The topic this body belongs to.
    #[must_use]
    pub fn topic(&self) -> Topic {
        match self {
            Self::ConnectionStatus(_) => Topic::ConnectionStatus,
            Self::ToolCallStarted(_) => Topic::ToolCallStarted,
            Self::ToolCallProgress(_) => Topic::ToolCallProgress,
            Self::ToolCallResult(_) => Topic::ToolCallResult,
            Self::ToolDiscovered(_) => Topic::ToolDiscovered,
            Self::SystemMetrics(_) => Topic::SystemMetrics,
            Self::ProviderStatus(_) => Topic::ProviderStatus,
            Self::LimitStatus(_) => Topic::LimitStatus,
            Self::WatchdogStatus(_) => Topic::WatchdogStatus,
            Self::OllamaStatus(_) => Topic::OllamaStatus,
            Self::OllamaModelUpdate(_) => Topic::OllamaModelUpdate,
            Self::OllamaMetrics(_) => Topic::OllamaMetrics,
            Self::OllamaError(_) => Topic::OllamaError,
        }
    }

    /// What this event is the state of, where it comes from outside the engine: a newer one of
    /// the same subject replaces it, an [ordered](Self::is_state) one ends it.
    #[must_use]
    pub fn subject(&self) -> Option<String> {
        match self {
            Self::OllamaMetrics(metrics) => Some(format!("{} {}", metrics.endpoint, metrics.model)),
            Self::OllamaModelUpdate(update) => {
                let pull = update.pull.as_ref()?;
                Some(format!("pull {} {}", update.endpoint, pull.model))
            }
            _ => None,
        }
    }

    /// Whether only the newest of its subject is delivered.
    #[must_use]
    pub fn is_state(&self) -> bool {
        match self {
            Self::OllamaModelUpdate(update) => update.under_way(),
            other => other.topic().is_state(),
        }
    }
}

/// A client came or went.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ConnectionStatus {
    /// Whose connection.
    pub session_id: SessionId,
    /// The client's program.
    pub client: String,
    /// Came (true) or went.
    pub connected: bool,
    /// The session's connections now.
    pub connections: u64,
    /// Why it went, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A call's tool was started.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ToolCallStarted {
    /// The call.
    pub request_id: RequestId,
    /// Whose.
    pub session_id: SessionId,
    /// The client's program.
    pub client: String,
    /// The tool.
    pub tool: String,
    /// How long it waited.
    pub queue_ms: f64,
}

/// How far a call is.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ToolCallProgress {
    /// The call.
    pub request_id: RequestId,
    /// Whose.
    pub session_id: SessionId,
    /// The tool.
    pub tool: String,
    /// Counts within the call.
    pub seq: u64,
    /// `queued`, `running`, or the tool's own word.
    pub stage: String,
    /// For a person.
    pub message: String,
}

/// A call ended.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ToolCallResult {
    /// The call.
    pub request_id: RequestId,
    /// Whose.
    pub session_id: SessionId,
    /// The client's program.
    pub client: String,
    /// The tool.
    pub tool: String,
    /// How it ended.
    pub outcome: Outcome,
    /// What went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// How long it waited.
    pub queue_ms: f64,
    /// How long it ran; null if it never started.
    pub run_ms: Option<f64>,
    /// Size of its outputs.
    pub result_bytes: u64,
}

/// The registry changed.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ToolDiscovered {
    /// Which part of it.
    pub source: String,
    /// New names.
    pub added: Vec<String>,
    /// Gone names.
    pub removed: Vec<String>,
    /// Names whose entry changed.
    pub changed: Vec<String>,
    /// The hash of the whole list.
    pub tools_hash: String,
}

/// The daemon's own load; unknown is null.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SystemMetrics {
    /// Share of one core since the last sample.
    pub cpu_percent: Option<f64>,
    /// Resident memory.
    pub memory_bytes: Option<u64>,
    /// Open connections.
    pub connections: u64,
    /// Calls running.
    pub in_flight: u64,
    /// Calls waiting.
    pub queued: u64,
    /// How late the event loop woke at the last sample.
    pub loop_lag_ms: Option<f64>,
}

/// An endpoint's breaker opened, lets one request try, or closed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ProviderStatus {
    /// The endpoint's name.
    pub endpoint: String,
    /// `closed`, `open` or `half_open`.
    pub breaker: String,
    /// Why it is not closed: the class of the fault (`auth`, `timeout`, …).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// The fault in words, without keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Until when nothing is asked there; Unix seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<f64>,
    /// Requests under way there.
    pub in_flight: u64,
    /// Requests that wait for it.
    pub queued: u64,
}
