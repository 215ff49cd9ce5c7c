//! What may go wrong for whoever asks the store, with the wire code of each.

use crate::{budget::OverBudget, condition::State};
use exai_protocol::Code;

/// The store did not do what it was asked to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It cannot promise to keep anything now; nothing was written.
    #[error("{0}")]
    Unavailable(State),
    /// More is asked of it than it has room for; nothing was written.
    #[error("the database has more work queued than it has room for; try again in a moment")]
    Busy,
    /// A query failed, or a fault of ours.
    #[error("the database could not do this: {0}")]
    Internal(String),
}

impl StoreError {
    /// The documented code.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Unavailable(_) => Code::Unavailable,
            Self::Busy => Code::OverCapacity,
            Self::Internal(_) => Code::Internal,
        }
    }

    pub(crate) fn closed() -> Self {
        Self::Unavailable(State::Closed)
    }

    pub(crate) fn internal(error: &rusqlite::Error) -> Self {
        Self::Internal(error.to_string())
    }
}

/// Nothing was reserved: the request must not be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReserveError {
    /// A ceiling would be exceeded.
    #[error("{0}")]
    Over(OverBudget),
    /// The reservation cannot be kept.
    #[error("budgets cannot be kept now: {0}")]
    Store(StoreError),
}

impl ReserveError {
    /// The documented code.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Over(_) => Code::OverBudget,
            Self::Store(error) => error.code(),
        }
    }
}

impl From<StoreError> for ReserveError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}
