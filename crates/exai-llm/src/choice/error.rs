//! Why no model can be asked, with what would help.

use exai_protocol::error::{Code, WireError};

/// The kinds of refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Nobody is called so.
    Unknown,
    /// Several are called so.
    Ambiguous,
    /// It is known, and its endpoint cannot be used.
    NotReady,
    /// Nothing at all can be used.
    NothingReady,
    /// Models can be used, and none can do this.
    NothingFits,
    /// Those that could do it have failed too often just now.
    Resting,
}

/// No model can be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ChoiceError {
    /// Its kind.
    pub kind: Refusal,
    /// What happened and the next step.
    pub message: String,
    /// When to try again, where waiting helps.
    pub retry_after_secs: Option<u64>,
}

impl ChoiceError {
    pub(super) fn new(kind: Refusal, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            retry_after_secs: None,
        }
    }

    /// The code of the answer.
    #[must_use]
    pub fn code(&self) -> Code {
        match self.kind {
            Refusal::Unknown | Refusal::Ambiguous | Refusal::NothingFits => Code::InvalidArgument,
            Refusal::NotReady | Refusal::NothingReady | Refusal::Resting => Code::Unavailable,
        }
    }

    /// The answer to the caller. Nothing was sent.
    #[must_use]
    pub fn tell(&self) -> WireError {
        let error = WireError::new(self.code(), self.message.clone());
        match self.retry_after_secs {
            Some(seconds) => error.retry_after(seconds),
            None => error,
        }
    }
}
