//! What a tool is to the engine: a spec that is true, and a function from a call to a future.
//! Tools are stateless values; what a call needs travels in [`ToolCall`].

use crate::{admission::Seat, folders::Folders, progress::ProgressHandle};
use exai_protocol::{
    ClientId, Code, Principal, RawValue, RequestId, SessionId, object, tool::ToolEntry,
};
use serde::de::DeserializeOwned;
use std::{future::Future, pin::Pin, sync::Arc, time::Duration};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The future of one run.
pub type ToolFuture = Pin<Box<dyn Future<Output = Result<ToolOutput, ToolError>> + Send>>;

/// Longest that a tool may take which says that it has its answer at hand.
const GLANCE: Duration = Duration::from_secs(10);

/// One tool.
pub trait Tool: Send + Sync + 'static {
    /// Its entry and its traits; the same value every time.
    fn spec(&self) -> &ToolSpec;
    /// Starts one run.
    fn run(&self, call: ToolCall) -> ToolFuture;
}

/// What the engine and the clients know of a tool.
#[derive(Debug, Clone)]
pub struct ToolSpec {
    /// As listed; its annotations decide whether an interrupted call may be sent again.
    pub entry: ToolEntry,
    /// Has its answer at hand. If it is repeatable too, it takes no permit and no entry in the
    /// ledger. From memory it is computed in place: see [`Self::runs_at_once`].
    pub instant: bool,
    /// What an instant tool has at hand are files of the daemon's own, at which it looks on a
    /// thread: see [`Self::runs_beside`].
    pub glances: bool,
    /// Equal calls that overlap share one run.
    pub coalesce: bool,
    /// Whose permit it needs besides the global and the client's.
    pub provider: Option<Arc<str>>,
    /// Its own limit, where it differs from the default.
    pub deadline: Option<Duration>,
    /// Its future waits and never blocks a thread: it runs on the event loop, so that many of
    /// them cost nothing but memory.
    pub waits: bool,
    /// For whoever runs the daemon: not listed, and found only by the op `operate`, which the
    /// command line sends and a model's client does not.
    pub operator: bool,
}

impl ToolSpec {
    /// A spec with no special traits.
    #[must_use]
    pub fn new(entry: ToolEntry) -> Self {
        Self {
            entry,
            instant: false,
            glances: false,
            coalesce: false,
            provider: None,
            deadline: None,
            waits: false,
            operator: false,
        }
    }

    /// The tool's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.entry.name
    }

    /// Running it again costs less than remembering that it ran.
    #[must_use]
    pub fn runs_at_once(&self) -> bool {
        self.instant && !self.glances && self.repeatable()
    }

    /// The same, but for a moment on a thread.
    #[must_use]
    pub fn runs_beside(&self) -> bool {
        self.instant && self.glances && self.repeatable()
    }

    /// How long it may take, where that differs from the daemon's limit. Instant is a promise,
    /// and no tool's own words let it have longer.
    #[must_use]
    pub fn limit(&self) -> Option<Duration> {
        match self.instant && self.repeatable() {
            true => Some(self.deadline.unwrap_or(GLANCE).min(GLANCE)),
            false => self.deadline,
        }
    }

    /// Whether the annotations allow running it again after an interruption.
    #[must_use]
    pub fn repeatable(&self) -> bool {
        self.entry
            .annotations
            .is_some_and(|hints| hints.repeatable())
    }
}

/// Everything one run may use.
#[derive(Clone)]
pub struct ToolCall {
    /// Whom it is for.
    pub principal: Principal,
    /// The session it came in on.
    pub session_id: SessionId,
    /// The client, where it named itself.
    pub client_id: Option<ClientId>,
    /// Its id within the client.
    pub request_id: RequestId,
    /// The sender's bytes; always an object.
    pub arguments: Arc<RawValue>,
    /// The folders the client's user has open; the client's working directory, where it named
    /// none; empty where it named neither.
    pub roots: Folders,
    /// Where to say how far it is.
    pub progress: ProgressHandle,
    /// Fires when somebody stops the call or its deadline passes.
    pub cancelled: CancellationToken,
    /// When the engine ends the call by itself.
    pub deadline: Instant,
    /// Its permit, to be laid down while the tool waits for somebody else's capacity.
    pub seat: Seat,
}

impl ToolCall {
    /// The arguments as a type; unknown fields are the type's own business.
    ///
    /// # Errors
    /// [`Code::InvalidArgument`] naming the field, or the key that stands twice.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, ToolError> {
        let text = self.arguments.get();
        if let Some(duplicate) = object::duplicate_key(text) {
            return Err(ToolError::invalid(format!(
                "the arguments hold a {duplicate}; send each once"
            )));
        }
        serde_json::from_str(text).map_err(|error| {
            ToolError::invalid(format!(
                "the arguments do not fit: {error}; see the tool's inputSchema"
            ))
        })
    }
}

/// What a tool returns.
#[derive(Debug, Clone)]
pub struct ToolOutput {
    /// `[{"type":"text","text":…},…]`, never empty.
    pub outputs: Arc<RawValue>,
    /// Machine-readable result, for small machine-like tools.
    pub structured: Option<Arc<RawValue>>,
    /// Tokens and money.
    pub usage: Option<Arc<RawValue>>,
}

impl ToolOutput {
    /// One complete text block.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self {
            outputs: text_block(text),
            structured: None,
            usage: None,
        }
    }

    /// A JSON answer: one text block that holds it, indented for readers.
    ///
    /// # Errors
    /// [`Code::Internal`] when the value cannot be written as JSON.
    pub fn json(value: &impl serde::Serialize) -> Result<Self, ToolError> {
        serde_json::to_string_pretty(value)
            .map(|text| Self::text(&text))
            .map_err(|error| {
                ToolError::new(Code::Internal, format!("cannot write the answer: {error}"))
            })
    }
}

fn text_block(text: &str) -> Arc<RawValue> {
    let quoted = serde_json::to_string(text).unwrap_or_else(|_| "\"\"".to_owned());
    raw(format!(r#"[{{"type":"text","text":{quoted}}}]"#))
}

/// What a call without arguments has.
#[must_use]
pub fn no_arguments() -> Arc<RawValue> {
    raw("{}".to_owned())
}

/// Wraps text that is known to be JSON.
pub(crate) fn raw(json: String) -> Arc<RawValue> {
    RawValue::from_string(json).map_or_else(|_| Arc::from(RawValue::NULL.to_owned()), Arc::from)
}

/// Why a tool has no answer.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{}: {message}", code.as_str())]
pub struct ToolError {
    /// The typed cause.
    pub code: Code,
    /// What happened and what to do, for a person or a model.
    pub message: String,
    /// Seconds to wait before trying again.
    pub retry_after: Option<u64>,
    /// The tool's own facts.
    pub metadata: Option<Arc<RawValue>>,
}

impl ToolError {
    /// An error with its code and message.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            retry_after: None,
            metadata: None,
        }
    }

    /// The arguments are wrong.
    #[must_use]
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(Code::InvalidArgument, message)
    }

    /// The tool tried and failed.
    #[must_use]
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(Code::ExecError, message)
    }
}
