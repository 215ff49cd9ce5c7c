//! The ledger knows of every call before it may queue and of every end before anyone hears
//! of it. In memory it is nothing but the awaits; on disk it will be the journal.

use exai_protocol::record::{CallFacts, FinishedRecord};
use std::{future::Future, pin::Pin, sync::Arc};

/// A step of the ledger.
pub type LedgerFuture<'a> = Pin<Box<dyn Future<Output = Result<(), LedgerError>> + Send + 'a>>;

/// The ledger cannot keep what it would promise.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the call ledger is unavailable: {reason}")]
pub struct LedgerError {
    /// Why, for a person.
    pub reason: String,
}

/// The durable truth of calls.
pub trait Ledger: Send + Sync + 'static {
    /// Awaited before the call may queue.
    fn accept<'a>(&'a self, call: &'a Arc<CallFacts>) -> LedgerFuture<'a>;
    /// Awaited before the tool runs.
    fn start<'a>(&'a self, call: &'a Arc<CallFacts>) -> LedgerFuture<'a>;
    /// Awaited before the terminal frame leaves.
    fn finish<'a>(&'a self, end: &'a Arc<FinishedRecord>) -> LedgerFuture<'a>;
}

/// Remembers nothing beyond the process; the engine's own tables serve retries.
#[derive(Debug, Default)]
pub struct MemoryLedger;

impl Ledger for MemoryLedger {
    fn accept<'a>(&'a self, _: &'a Arc<CallFacts>) -> LedgerFuture<'a> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn start<'a>(&'a self, _: &'a Arc<CallFacts>) -> LedgerFuture<'a> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn finish<'a>(&'a self, _: &'a Arc<FinishedRecord>) -> LedgerFuture<'a> {
        Box::pin(std::future::ready(Ok(())))
    }
}
