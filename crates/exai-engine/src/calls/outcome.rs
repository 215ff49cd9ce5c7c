//! How a call ended, in the engine's own terms, and the one place where each way of ending
//! gets its words.

use super::call::{Call, Limit, Whose};
use crate::tool::{ToolError, ToolOutput};
use exai_protocol::{
    Code, Outcome, RawValue, UnixMillis, WireError, error::Ran, record::CallFacts,
};
use std::{sync::Arc, time::Duration};

/// Longest error text; more than this belongs into outputs.
const MAX_MESSAGE_BYTES: usize = 64 * 1024;

/// The end of a call, shared by everyone who waits for it.
#[derive(Debug)]
pub struct Finished {
    /// The tool's own name.
    pub tool: Arc<str>,
    /// `[{"type":"text",…}]`, where the tool returned anything.
    pub outputs: Option<Arc<RawValue>>,
    /// Machine-readable result.
    pub structured: Option<Arc<RawValue>>,
    /// Tokens and money.
    pub usage: Option<Arc<RawValue>>,
    /// Absent on success.
    pub error: Option<WireError>,
    /// Accepted to started.
    pub queue_us: u64,
    /// Started to finished, if it started.
    pub run_us: Option<u64>,
    /// When.
    pub ended_at: UnixMillis,
    /// It is no run of this call's own life: the ledger had it.
    pub recalled: bool,
    /// The fingerprint of what was asked, to tell a retry from a reused id.
    pub(crate) asked: Asked,
}

/// What was asked under an id: the tool and a hash of the arguments.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Asked {
    pub(crate) tool: Arc<str>,
    pub(crate) arguments: [u8; 32],
}

impl Asked {
    /// Enough of the hash to tell calls apart in a log.
    pub(crate) fn short_hash(&self) -> u64 {
        u64::from_be_bytes(self.arguments.first_chunk().copied().unwrap_or_default())
    }
}

/// What a ledger keeps of an end.
#[derive(Debug, Clone)]
pub struct Kept {
    /// The tool's own name.
    pub tool: Arc<str>,
    /// SHA-256 of the arguments.
    pub args_hash: [u8; 32],
    /// As in [`Finished`], and so all that follow.
    pub outputs: Option<Arc<RawValue>>,
    /// See above.
    pub structured: Option<Arc<RawValue>>,
    /// See above.
    pub usage: Option<Arc<RawValue>>,
    /// See above.
    pub error: Option<WireError>,
    /// See above.
    pub queue_us: u64,
    /// See above.
    pub run_us: Option<u64>,
    /// See above.
    pub ended_at: UnixMillis,
}

impl Finished {
    /// The end of a call of which only the ledger knows.
    #[must_use]
    pub fn recalled(kept: Kept) -> Self {
        Self {
            tool: Arc::clone(&kept.tool),
            outputs: kept.outputs,
            structured: kept.structured,
            usage: kept.usage,
            error: kept.error,
            queue_us: kept.queue_us,
            run_us: kept.run_us,
            ended_at: kept.ended_at,
            recalled: true,
            asked: Asked {
                tool: kept.tool,
                arguments: kept.args_hash,
            },
        }
    }

    /// The end of a call that was at work elsewhere while somebody waited for it here.
    pub(crate) fn here(kept: &Self) -> Self {
        Self {
            tool: Arc::clone(&kept.tool),
            outputs: kept.outputs.clone(),
            structured: kept.structured.clone(),
            usage: kept.usage.clone(),
            error: kept.error.clone(),
            recalled: false,
            asked: kept.asked.clone(),
            ..*kept
        }
    }

    /// The end of a call that never became more than a question.
    pub(crate) fn answer(facts: &CallFacts, error: WireError) -> Self {
        let asked = Asked {
            tool: Arc::clone(&facts.tool),
            arguments: [0; 32],
        };
        Self::of_error(asked, error, facts.received_at)
    }

    /// The end of a call that was entered but cannot go on.
    pub(crate) fn refused(call: &Call, error: WireError) -> Self {
        Self::of_error(call.asked.clone(), error, call.facts.received_at)
    }

    fn of_error(asked: Asked, error: WireError, ended_at: UnixMillis) -> Self {
        Self {
            tool: Arc::clone(&asked.tool),
            outputs: None,
            structured: None,
            usage: None,
            error: Some(error),
            queue_us: 0,
            run_us: None,
            ended_at,
            recalled: false,
            asked,
        }
    }

    /// The typed end.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.error
            .as_ref()
            .map_or(Outcome::Ok, |error| error.code.outcome())
    }

    /// What those who wait are told instead of a plain success: the tool's error, or that the
    /// result does not fit into a frame of this size. For the record, which must say the same.
    pub(crate) fn told(&self, max_bytes: usize) -> Option<WireError> {
        let size = self.result_bytes();
        if self.error.is_some() || size <= max_bytes {
            return self.error.clone();
        }
        let message = format!(
            "the result of {size} bytes does not fit into a frame; it is kept to be collected"
        );
        Some(WireError::new(Code::TooLarge, message).ran(Ran::Yes))
    }

    /// Bytes of the outputs.
    #[must_use]
    pub fn result_bytes(&self) -> usize {
        self.outputs.as_ref().map_or(0, |raw| raw.get().len())
    }

    /// What keeping it costs.
    pub(crate) fn kept_bytes(&self) -> usize {
        let raw = |value: &Option<Arc<RawValue>>| value.as_ref().map_or(0, |raw| raw.get().len());
        256 + self.result_bytes() + raw(&self.structured) + raw(&self.usage)
    }
}

/// Every way a call can end.
#[derive(Debug, Clone)]
pub(crate) enum End {
    Returned(Result<ToolOutput, ToolError>),
    Panicked(String),
    Refused(WireError),
    /// The ledger had it.
    Recalled(Arc<Finished>),
    /// The daemon it ran in died.
    Interrupted(WireError),
    Stopped {
        reason: String,
        started: bool,
    },
    Deadline {
        limit: Limit,
        started: bool,
        said: Option<Arc<str>>,
    },
    Unwatched {
        after: Duration,
        started: bool,
    },
    Drained {
        started: bool,
    },
    /// The same, of one that an earlier life had begun and this one has not begun again.
    DrainedAgain,
    /// The engine itself lost the call's task.
    Lost,
}

impl End {
    pub(crate) fn outputs(&self) -> Option<&ToolOutput> {
        match self {
            Self::Returned(Ok(output)) => Some(output),
            _ => None,
        }
    }

    /// Turned away before anything happened, for a reason that may pass.
    pub(crate) fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::Refused(_) | Self::Drained { started: false } | Self::DrainedAgain
        )
    }

    /// The error a person or a model will read: what happened, whether it ran, what to do.
    pub(crate) fn error(&self, tool: &str, number: u64) -> Option<WireError> {
        let ran = |started: bool| if started { Ran::Yes } else { Ran::No };
        Some(match self {
            Self::Returned(Ok(_)) => return None,
            Self::Returned(Err(error)) => of_tool(error),
            Self::Refused(error) | Self::Interrupted(error) => error.clone(),
            Self::Recalled(finished) => return finished.error.clone(),
            Self::Panicked(what) => WireError::new(
                Code::Internal,
                format!("{tool} crashed ({what}); this is a bug in exai, reference call {number} in ws_daemon.log"),
            )
            .ran(Ran::Yes),
            Self::Stopped { reason, started } => {
                WireError::new(Code::Cancelled, format!("{tool} was stopped: {reason}")).ran(ran(*started))
            }
            Self::Deadline { limit, started, said } => {
                WireError::new(Code::Timeout, out_of_time(tool, *limit, *started, said.as_deref()))
                    .ran(ran(*started))
            }
            Self::Unwatched { after, started } => WireError::new(
                Code::Cancelled,
                format!("{tool} was stopped: nobody has been waiting for it for {}s (EXAI_UNWATCHED_SECS)", after.as_secs()),
            )
            .ran(ran(*started)),
            Self::Drained { started: true } => WireError::new(
                Code::ShuttingDown,
                format!("the daemon shut down while {tool} was running, and did not wait longer; it was stopped, and may have taken effect in part"),
            )
            .ran(Ran::Yes),
            Self::Drained { started: false } => WireError::new(
                Code::ShuttingDown,
                format!("the daemon is shutting down; {tool} was not started. Call again once it is back"),
            )
            .retry_after(1)
            .ran(Ran::No),
            Self::DrainedAgain => WireError::new(
                Code::ShuttingDown,
                format!("the daemon is shutting down, and {tool} was not started again; it had begun before, under a daemon that died, and is safe to run again. Call again once the daemon is back"),
            )
            .retry_after(1)
            .ran(Ran::Unknown),
            Self::Lost => WireError::new(
                Code::Internal,
                format!("the daemon lost track of {tool}; this is a bug in exai, reference call {number} in ws_daemon.log"),
            )
            .ran(Ran::Unknown),
        })
    }
}

/// Names the limit that fired, and the last thing known to be done.
fn out_of_time(tool: &str, limit: Limit, started: bool, said: Option<&str>) -> String {
    let seconds = limit.after.as_secs_f64();
    let place = if started {
        "while it ran"
    } else {
        "before it started"
    };
    let whose = match limit.whose {
        Whose::Client => {
            "the client gave it no longer (timeout_ms); split the work, or let the client wait longer"
        }
        Whose::Tool => "that is the tool's own limit; split the work",
        Whose::Daemon => "split the work, or raise EXAI_WS_CALL_TIMEOUT",
    };
    let said = said
        .map(|said| format!(". The last it said: {said}"))
        .unwrap_or_default();
    format!("call_tool exceeded {seconds}s: {tool} reached its deadline {place}; {whose}{said}")
}

fn of_tool(error: &ToolError) -> WireError {
    let mut message = error.message.clone();
    if message.len() > MAX_MESSAGE_BYTES {
        message.truncate(message.floor_char_boundary(MAX_MESSAGE_BYTES));
        message.push_str("… (cut)");
    }
    let mut wire = WireError::new(error.code, message);
    wire.retry_after = error.retry_after;
    wire.metadata = error.metadata.as_deref().map(ToOwned::to_owned);
    // Arguments are refused before anything is done; every other failure happened at work.
    wire.ran = Some(if error.code == Code::InvalidArgument {
        Ran::No
    } else {
        Ran::Yes
    });
    wire
}
