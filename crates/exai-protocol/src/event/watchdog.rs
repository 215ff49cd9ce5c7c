//! What the watchdog sees: a part of the daemon that makes no headway, or grows without end.

use serde::{Deserialize, Serialize};

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum WatchdogFault {
    /// The event loop does not answer.
    EventLoop,
    /// Calls that run and give no sign of life.
    QuietCall,
    /// The writer of the record makes no headway.
    RecordWriter,
    /// The writer of the database makes no headway.
    DatabaseWriter,
    /// Memory grows without end.
    Memory,
    /// Open descriptors grow without end.
    Descriptors,
}

impl WatchdogFault {
    /// Its name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EventLoop => "event_loop",
            Self::QuietCall => "quiet_call",
            Self::RecordWriter => "record_writer",
            Self::DatabaseWriter => "database_writer",
            Self::Memory => "memory",
            Self::Descriptors => "descriptors",
        }
    }
}

/// One fault, from when it was seen to when it was over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WatchdogStatus {
    /// Which.
    pub fault: WatchdogFault,
    /// `raised`: it is so; `cleared`: it was.
    pub state: String,
    /// In words, without anything a call was asked or answered.
    pub what: String,
    /// Unix seconds.
    pub since: f64,
    /// Unix seconds; absent while it lasts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<f64>,
}
