//! The frames of one call, from the daemon to whoever is attached to it.

use crate::{RequestId, WireError};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// V1's admission note, word for word: its clients' logs look for it.
pub const ADMISSION_NOTE: &str = "accepted, awaiting provider/session capacity";

/// The call is accepted and its deadline known; exactly one per call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename = "call_tool_ack")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CallToolAck {
    /// The call.
    pub request_id: RequestId,
    /// Always true.
    pub accepted: bool,
    /// Seconds from acceptance until the daemon itself ends the call.
    #[serde(serialize_with = "whole_where_possible")]
    pub timeout: f64,
    /// The tool's own name.
    pub name: String,
}

/// V1 wrote whole seconds without a point; some readers took that for a promise.
#[expect(
    clippy::cast_possible_truncation,
    reason = "checked to be whole and small"
)]
fn whole_where_possible<S: serde::Serializer>(seconds: &f64, out: S) -> Result<S::Ok, S::Error> {
    if seconds.fract() == 0.0 && seconds.abs() < 1e15 {
        out.serialize_i64(*seconds as i64)
    } else {
        out.serialize_f64(*seconds)
    }
}

/// State of a running call: a heartbeat when nothing but the time stands in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename = "progress")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Progress {
    /// The call.
    pub request_id: RequestId,
    /// The tool's own name.
    pub name: String,
    /// Unix seconds.
    pub t: f64,
    /// V1's note, at admission.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Counts the call's progress, heartbeats included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// `queued`, `running`, or the tool's own word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
    /// For a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// Streamed text; only to peers that announced it, never logged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename = "partial")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Partial {
    /// The call.
    pub request_id: RequestId,
    /// The next piece.
    pub text: String,
}

/// What a call took.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Timing {
    /// From accepted to started.
    pub queue_ms: f64,
    /// From started to finished.
    pub run_ms: f64,
}

/// The one terminal frame of a call; generic over how the raw JSON is held, so that the
/// daemon writes it out of shared results without a copy.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "op", rename = "call_tool_res")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CallToolRes<R = Box<RawValue>> {
    /// The call.
    pub request_id: RequestId,
    /// `[{"type":"text","text":…},…]`; present when the tool returned anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Vec<serde_json::Value>>"))]
    pub outputs: Option<R>,
    /// V1's copy of the texts, joined by a blank line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Absent on success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<WireError>,
    /// Machine-readable result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<serde_json::Value>"))]
    pub structured: Option<R>,
    /// Tokens and money, once models exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<serde_json::Value>"))]
    pub usage: Option<R>,
    /// What it took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timing: Option<Timing>,
    /// The call was already running when this peer asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attached: Option<bool>,
    /// The call had already finished when this peer asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replayed: Option<bool>,
    /// Seconds since it finished, where it is replayed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age: Option<f64>,
}

impl<R> CallToolRes<R> {
    /// A result that is only an error.
    #[must_use]
    pub fn failed(request_id: RequestId, error: WireError) -> Self {
        Self {
            request_id,
            outputs: None,
            text: None,
            error: Some(error),
            structured: None,
            usage: None,
            timing: None,
            attached: None,
            replayed: None,
            age: None,
        }
    }
}
