//! What is kept of a call. Log lines, metrics, failure lines, events and counters are
//! projections of these; nothing else writes them.

use crate::{ClientId, Outcome, Principal, RequestId, SessionId, UnixMillis, WireError};
use serde_json::value::RawValue;
use std::sync::Arc;

/// The facts of a call that are known when it is accepted.
#[derive(Debug, Clone)]
pub struct CallFacts {
    /// Counts the calls of this boot: unlike the request id, never the same twice.
    pub number: u64,
    /// Whom it is for.
    pub principal: Principal,
    /// The session it came in on.
    pub session_id: SessionId,
    /// The client, where it named itself.
    pub client_id: Option<ClientId>,
    /// The client's program, for people.
    pub client_name: Arc<str>,
    /// Its id within the client.
    pub request_id: RequestId,
    /// The tool's own name; what was asked for where no tool has it.
    pub tool: Arc<str>,
    /// Empty for local tools.
    pub provider: Arc<str>,
    /// Length of the arguments.
    pub args_bytes: u64,
    /// The first eight bytes of their SHA-256, shown as 16 hex digits; 0 where there are none.
    pub args_hash: u64,
    /// The arguments themselves, only where the owner asked for it.
    pub arguments: Option<Box<RawValue>>,
    /// When it was accepted.
    pub received_at: UnixMillis,
}

/// One line of the complete record.
#[derive(Debug, Clone)]
pub enum Record {
    /// A call was accepted, or refused at the door (then `Finished` follows at once).
    Received(Arc<CallFacts>),
    /// The tool said how far it is.
    Progress(Arc<ProgressRecord>),
    /// It ended; exactly one a call.
    Finished(Arc<FinishedRecord>),
}

/// A progress message, as logged.
#[derive(Debug, Clone)]
pub struct ProgressRecord {
    /// The call.
    pub call: Arc<CallFacts>,
    /// When.
    pub at: UnixMillis,
    /// Counts within the call.
    pub seq: u64,
    /// `queued`, `running`, or the tool's own word.
    pub stage: Arc<str>,
    /// For a person.
    pub message: Arc<str>,
}

/// How a call ended.
#[derive(Debug, Clone)]
pub struct FinishedRecord {
    /// The call.
    pub call: Arc<CallFacts>,
    /// Its typed end.
    pub outcome: Outcome,
    /// Present unless `outcome` is ok.
    pub error: Option<WireError>,
    /// Models, tokens and money, as the result tells them.
    pub usage: Option<Arc<RawValue>>,
    /// When.
    pub finished_at: UnixMillis,
    /// Accepted to started (or to the end, if it never started).
    pub queue_us: u64,
    /// Started to finished; `None` if it never started.
    pub run_us: Option<u64>,
    /// Size of the outputs.
    pub result_bytes: u64,
    /// What its tool said last and nobody had recorded yet, in order.
    pub late_progress: Vec<Arc<ProgressRecord>>,
    /// Messages of its tool beyond what the record takes of one call.
    pub progress_left_out: u64,
    /// Progress messages recorded, and bare signs of life.
    pub progress: u64,
    /// Peers that waited for the end.
    pub watchers: u64,
}
