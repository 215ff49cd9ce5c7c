//! Why a conversation cannot be gone on with; each says the next step.

use crate::tool::{ToolError, raw};
use exai_protocol::Code;

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ThreadError {
    /// Nobody of this principal has one of that id.
    #[error(
        "there is no conversation '{0}'. `threads` (action list or search) finds the one you mean; \
         leave 'continuation_id' out to begin a new one"
    )]
    Unknown(String),
    /// Several ids begin like this.
    #[error("several conversations have an id that begins with '{0}'; write more of it")]
    Ambiguous(String),
    /// It was not used for too long, or made room for newer ones.
    #[error(
        "the conversation '{id}' has expired ({why}) and is gone. Leave 'continuation_id' out to \
         begin a new one, and put what matters of the old one into the question"
    )]
    Expired {
        /// Its id.
        id: String,
        /// Which limit, with its number and setting.
        why: String,
    },
    /// Somebody deleted it.
    #[error("the conversation '{0}' was deleted. Leave 'continuation_id' out to begin a new one")]
    Deleted(String),
    /// It takes no more turns.
    #[error(
        "the conversation '{id}' is full ({why}). It can still be read. Leave 'continuation_id' \
         out to begin a new one, and put what matters of this one into the question"
    )]
    Full {
        /// Its id.
        id: String,
        /// Which limit, with its number and setting.
        why: String,
    },
    /// It has no turn of that number.
    #[error("the conversation '{id}' has no turn {turn}; it has {count}")]
    NoTurn {
        /// Its id.
        id: String,
        /// The turn that was named.
        turn: String,
        /// How many it has.
        count: u32,
    },
    /// Another turn of it ran until there was no time left.
    #[error(
        "another turn of the conversation '{0}' was still being answered when the time of this \
         call was up; nothing was sent. Wait for that one, then ask again"
    )]
    Busy(String),
    /// The file cannot be used now.
    #[error("conversations cannot be kept or read now: {0}")]
    Unavailable(String),
}

impl ThreadError {
    /// One word for programs.
    #[must_use]
    pub fn cause(&self) -> &'static str {
        match self {
            Self::Unknown(_) => "thread_unknown",
            Self::Ambiguous(_) => "thread_ambiguous",
            Self::Expired { .. } => "thread_expired",
            Self::Deleted(_) => "thread_deleted",
            Self::Full { .. } => "thread_full",
            Self::NoTurn { .. } => "thread_no_turn",
            Self::Busy(_) => "thread_busy",
            Self::Unavailable(_) => "threads_unavailable",
        }
    }

    /// The documented code.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Expired { .. } => Code::Expired,
            Self::Busy(_) => Code::Timeout,
            Self::Unavailable(_) => Code::Unavailable,
            _ => Code::InvalidArgument,
        }
    }
}

impl From<ThreadError> for ToolError {
    fn from(error: ThreadError) -> Self {
        let mut told = Self::new(error.code(), format!("{error}."));
        told.metadata = Some(raw(format!(r#"{{"cause":"{}"}}"#, error.cause())));
        told
    }
}
