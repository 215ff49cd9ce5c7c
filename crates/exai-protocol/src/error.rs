//! How things end, in one vocabulary from the engine to the person reading the message.
//! Codes are part of the contract: never renamed, only added to.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The typed end of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Outcome {
    /// The tool returned what was asked for.
    Ok,
    /// The tool ran and failed.
    ToolError,
    /// No tool has that name.
    NotFound,
    /// The arguments do not fit the tool.
    InvalidArgument,
    /// A limit of time fired.
    Timeout,
    /// No room; try again after the hint.
    OverCapacity,
    /// Money or tokens would be exceeded.
    OverBudget,
    /// Somebody stopped it.
    Cancelled,
    /// The daemon is going away or cannot serve.
    Unavailable,
    /// Larger than a frame may be; collect it in pages.
    TooLarge,
    /// It was known once; its result is gone.
    Expired,
    /// It may or may not have run.
    OutcomeUnknown,
    /// A bug of ours.
    Internal,
}

/// The wire code of an error; the documented contract of `error.code`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Code {
    /// See [`Outcome::NotFound`].
    ToolNotFound,
    /// See [`Outcome::InvalidArgument`].
    InvalidArgument,
    /// See [`Outcome::Timeout`].
    Timeout,
    /// See [`Outcome::OverCapacity`]; carries `retry_after`.
    OverCapacity,
    /// See [`Outcome::OverBudget`].
    OverBudget,
    /// See [`Outcome::Cancelled`].
    Cancelled,
    /// See [`Outcome::Unavailable`].
    Unavailable,
    /// The daemon is draining; carries `retry_after`.
    ShuttingDown,
    /// See [`Outcome::TooLarge`].
    TooLarge,
    /// See [`Outcome::Expired`].
    Expired,
    /// See [`Outcome::OutcomeUnknown`].
    OutcomeUnknown,
    /// See [`Outcome::Internal`].
    Internal,
    /// Sent by predecessors only: an equal call is in flight.
    Duplicate,
    /// See [`Outcome::ToolError`]. Also what a code we do not know reads as: predecessors put
    /// a payload's own status here, and a newer daemon may have added one.
    #[serde(other)]
    ExecError,
}

impl Code {
    /// The outcome this code stands for.
    #[must_use]
    pub fn outcome(self) -> Outcome {
        match self {
            Self::ExecError => Outcome::ToolError,
            Self::ToolNotFound => Outcome::NotFound,
            Self::InvalidArgument => Outcome::InvalidArgument,
            Self::Timeout => Outcome::Timeout,
            Self::OverCapacity | Self::Duplicate => Outcome::OverCapacity,
            Self::OverBudget => Outcome::OverBudget,
            Self::Cancelled => Outcome::Cancelled,
            Self::Unavailable | Self::ShuttingDown => Outcome::Unavailable,
            Self::TooLarge => Outcome::TooLarge,
            Self::Expired => Outcome::Expired,
            Self::OutcomeUnknown => Outcome::OutcomeUnknown,
            Self::Internal => Outcome::Internal,
        }
    }

    /// The code's spelling on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ExecError => "EXEC_ERROR",
            Self::ToolNotFound => "TOOL_NOT_FOUND",
            Self::InvalidArgument => "INVALID_ARGUMENT",
            Self::Timeout => "TIMEOUT",
            Self::OverCapacity => "OVER_CAPACITY",
            Self::OverBudget => "OVER_BUDGET",
            Self::Cancelled => "CANCELLED",
            Self::Unavailable => "UNAVAILABLE",
            Self::ShuttingDown => "SHUTTING_DOWN",
            Self::TooLarge => "TOO_LARGE",
            Self::Expired => "EXPIRED",
            Self::OutcomeUnknown => "OUTCOME_UNKNOWN",
            Self::Internal => "INTERNAL",
            Self::Duplicate => "DUPLICATE",
        }
    }
}

impl Outcome {
    /// The outcome's spelling in records.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::ToolError => "tool_error",
            Self::NotFound => "not_found",
            Self::InvalidArgument => "invalid_argument",
            Self::Timeout => "timeout",
            Self::OverCapacity => "over_capacity",
            Self::OverBudget => "over_budget",
            Self::Cancelled => "cancelled",
            Self::Unavailable => "unavailable",
            Self::TooLarge => "too_large",
            Self::Expired => "expired",
            Self::OutcomeUnknown => "outcome_unknown",
            Self::Internal => "internal",
        }
    }
}

/// Whether the tool ran before things went wrong: what a retry has to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Ran {
    /// It never started.
    No,
    /// It ran.
    Yes,
    /// Nobody can tell.
    Unknown,
}

/// The `error` object of a reply: what happened, whether it ran, what to do next.
#[derive(Debug, Clone, Serialize, Deserialize, thiserror::Error)]
#[error("{}: {message}", code.as_str())]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WireError {
    /// The documented code.
    pub code: Code,
    /// One or two plain sentences, with the next step.
    pub message: String,
    /// Seconds to wait before trying again.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub retry_after: Option<u64>,
    /// Whether the tool ran; absent to V1 peers.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ran: Option<Ran>,
    /// The call an equal one is in flight as (predecessors only).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub original_request_id: Option<String>,
    /// Facts of the tool's own.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<serde_json::Value>"))]
    pub metadata: Option<Box<RawValue>>,
}

impl WireError {
    /// An error with its code and message only.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            retry_after: None,
            ran: None,
            original_request_id: None,
            metadata: None,
        }
    }

    /// The same, with the seconds to wait.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// The same, saying whether the tool ran.
    #[must_use]
    pub fn ran(mut self, ran: Ran) -> Self {
        self.ran = Some(ran);
        self
    }
}
