//! The ledger knows of every call before it may queue and of every end before anyone hears of
//! it. In memory it is nothing but the awaits; on disk it is the journal, which also knows the
//! calls of daemons that are gone.

use crate::calls::{CallKey, Finished};
use exai_protocol::{
    RawValue, UnixMillis,
    record::{CallFacts, FinishedRecord, ProgressRecord},
};
use std::{future::Future, pin::Pin, sync::Arc, time::Duration};
use tokio::sync::mpsc;

/// A step of the ledger.
pub type LedgerFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, LedgerError>> + Send + 'a>>;

/// The ledger cannot keep what it would promise.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the call ledger is unavailable: {reason}")]
pub struct LedgerError {
    /// Why, for a person.
    pub reason: String,
}

/// The durable truth of calls.
pub trait Ledger: Send + Sync + 'static {
    /// Whether it knows more than this life of the daemon.
    fn remembers(&self) -> bool {
        false
    }

    /// Whether it knows every call that was accepted before: then a call it does not know never
    /// was.
    fn is_whole(&self) -> bool {
        false
    }

    /// The name of its memory: what is accepted under it is known wherever a ledger has the same
    /// name. `None`: it has none, or cannot be read now.
    fn name(&self) -> Option<Arc<str>> {
        None
    }

    /// The name of the memory that a call is not in, found out in one look: asked where
    /// [`Ledger::recall`] found nothing. `None`: it is there by now, or there is no name.
    fn absent<'a>(&'a self, _: &'a CallKey) -> LedgerFuture<'a, Option<Arc<str>>> {
        Box::pin(std::future::ready(Ok(None)))
    }

    /// Awaited before the call may be promised anything. Whoever stops waiting has entered
    /// nothing.
    fn enter(&self, call: Entering) -> LedgerFuture<'_, Entered>;

    /// What is known of a call; asked when the engine knows nothing of it.
    fn recall<'a>(&'a self, _: &'a CallKey) -> LedgerFuture<'a, Option<Recalled>> {
        Box::pin(std::future::ready(Ok(None)))
    }

    /// Ends a call that a dead daemon left open, for good. Whether it had been started; `None`:
    /// there was no such call.
    fn abandon<'a>(&'a self, _: &'a CallKey, _: &'a str) -> LedgerFuture<'a, Option<bool>> {
        Box::pin(std::future::ready(Ok(None)))
    }

    /// News of a call that is [`Recalled::Elsewhere`], where they can be had: they may be lost,
    /// its end is found here. Following ends with the receiver.
    fn follow(&self, _: &CallKey) -> Option<mpsc::Receiver<News>> {
        None
    }

    /// Asks for the end of such a call; false where nobody can be asked.
    fn stop_elsewhere(&self, _: &CallKey, _: &str) -> bool {
        false
    }

    /// A running call said something: evidence, should its daemon die. May be lost.
    fn said(&self, _: &CallKey, _: &ProgressRecord) {}

    /// A call has ended, or is about to go on elsewhere, and its client had let go of it without hearing of that: as if
    /// [`Ended::left`] had said so.
    fn left(&self, _: &CallKey) {}

    /// The result of a call that its client had let go of was taken after all.
    fn taken(&self, _: &CallKey) {}
}

/// A call that asks to be entered.
#[derive(Debug, Clone)]
pub struct Entering {
    /// Its identity.
    pub key: CallKey,
    /// Who and when.
    pub facts: Arc<CallFacts>,
    /// SHA-256 of its arguments.
    pub args_hash: [u8; 32],
    /// The arguments, for a run after this daemon's death.
    pub arguments: Arc<RawValue>,
    /// Whether its tool may run again after an interruption.
    pub repeatable: bool,
    /// Whether an operator asked.
    pub operator: bool,
    /// How long its client will wait, where it says so.
    pub timeout: Option<Duration>,
    /// It runs as soon as it is entered, so that one step says both.
    pub starts: bool,
}

impl Entering {
    /// The same, of a call that does not run yet.
    #[must_use]
    pub fn waiting(&self) -> Self {
        Self {
            starts: false,
            ..self.clone()
        }
    }
}

/// What became of an entry.
pub enum Entered {
    /// It stands there. It was new, or its daemon died and it may run (again).
    New(Box<dyn Entry>),
    /// This very call has ended, and its result is kept.
    Finished(Arc<Finished>),
    /// This very call has ended, and its result is gone.
    Expired,
    /// The identity belongs to a call of that tool with other arguments.
    Other(Arc<str>),
    /// Its daemon died while it ran, and it must not run twice.
    Interrupted(Interrupted, Box<dyn Entry>),
    /// Another daemon of this home lives on to finish it: it must not run here. Whether it runs
    /// there already.
    Elsewhere {
        /// Or waits to.
        runs: bool,
    },
    /// An equal call that the same client has stopped waiting for is at work in such a daemon; once
    /// that has ended, this one is to be entered again. Until then it stands here, and waits.
    Behind(CallKey, Box<dyn Entry>),
    /// An equal call of the same client ended after the client had stopped waiting, and nobody
    /// has taken its result: it is this call's.
    Left(Arc<Finished>, Box<dyn Entry>),
}

/// A call in the ledger, from its entry to its end. Dropped without a word, it stays open.
pub trait Entry: Send + Sync {
    /// Awaited before the tool runs.
    fn start(&mut self) -> LedgerFuture<'_, ()>;
    /// Awaited before the terminal frame leaves. Its end is kept even if nobody waits, and,
    /// where an error says that it is not durable yet, as soon as that is possible.
    fn finish(self: Box<Self>, end: Ended) -> LedgerFuture<'static, ()>;
    /// It was turned away before anything happened, and may come again.
    fn withdraw(self: Box<Self>);
    /// An earlier life of the daemon had begun it, and it may run again.
    fn begun_before(&self) -> bool {
        false
    }
}

/// How a call ended.
#[derive(Debug, Clone)]
pub struct Ended {
    /// The record.
    pub record: Arc<FinishedRecord>,
    /// The result.
    pub result: Arc<Finished>,
    /// Its client had stopped waiting on purpose, and nobody else waits.
    pub left: bool,
}

/// What is known of a call of which the engine knows nothing.
#[derive(Debug, Clone)]
pub enum Recalled {
    /// It ended, and its result is kept.
    Finished(Arc<Finished>),
    /// It ended, and its result is gone.
    Expired,
    /// Its daemon died before its end; entering it again decides what happens.
    Open(Open),
    /// It has no end yet, and a daemon that gave its home away has it in hand.
    Elsewhere {
        /// As it was asked for.
        open: Open,
        /// Or waits to.
        runs: bool,
    },
}

/// What is heard of a call that goes on elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// A sign of life, with words where there are any.
    Progress {
        /// See [`crate::calls::Update::Progress`].
        stage: String,
        /// See above.
        message: String,
    },
    /// Streamed text.
    Text(String),
    /// It has ended, and the ledger knows how.
    Ended,
}

/// A call without an end, as it was asked for.
#[derive(Debug, Clone)]
pub struct Open {
    /// Its tool's own name.
    pub tool: Arc<str>,
    /// SHA-256 of its arguments.
    pub args_hash: [u8; 32],
    /// The arguments; absent where it will not run again.
    pub arguments: Option<Arc<RawValue>>,
    /// Whether an operator asked.
    pub operator: bool,
    /// How long its client would wait.
    pub timeout: Option<Duration>,
    /// What is known of its runs so far; none of them may have ended it.
    pub evidence: Box<Interrupted>,
}

/// What is known of a run whose daemon died.
#[derive(Debug, Clone, Default)]
pub struct Interrupted {
    /// How often it was started.
    pub runs: u64,
    /// When it last was.
    pub started_at: Option<UnixMillis>,
    /// The last it said: when, stage, words.
    pub said: Option<(UnixMillis, String, String)>,
    /// Requests it had under way to providers, a phrase each.
    pub requests: Vec<String>,
}

/// Remembers nothing beyond the process; the engine's own tables serve retries.
#[derive(Debug, Default)]
pub struct MemoryLedger;

impl Ledger for MemoryLedger {
    fn enter(&self, _: Entering) -> LedgerFuture<'_, Entered> {
        Box::pin(std::future::ready(Ok(Entered::New(Box::new(Unwritten)))))
    }
}

/// An entry that is written nowhere.
#[derive(Debug, Default)]
pub struct Unwritten;

impl Entry for Unwritten {
    fn start(&mut self) -> LedgerFuture<'_, ()> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn finish(self: Box<Self>, _: Ended) -> LedgerFuture<'static, ()> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn withdraw(self: Box<Self>) {}
}
