//! What went wrong with the file itself, as opposed to one piece of work: told apart by what
//! has to happen next.

use crate::condition::State;
use rusqlite::ErrorCode;
use std::path::Path;

/// A fault of the file.
#[derive(Debug)]
pub(crate) enum Fault {
    /// Its bytes are damaged: set it aside.
    Corrupt(String),
    /// Everything else: say so, and try again.
    State(State),
}

/// Whether the error is the file's, not that of one statement.
pub(crate) fn is_of_file(error: &rusqlite::Error) -> bool {
    code(error).is_some_and(|code| {
        !matches!(
            code,
            ErrorCode::ConstraintViolation
                | ErrorCode::TypeMismatch
                | ErrorCode::ApiMisuse
                | ErrorCode::ParameterOutOfRange
                | ErrorCode::TooBig
                | ErrorCode::OperationInterrupted
                | ErrorCode::OperationAborted
                | ErrorCode::NotFound
                | ErrorCode::Unknown
        )
    })
}

/// Whether the error says that bytes are damaged.
pub(crate) fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(
        code(error),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
    )
}

fn code(error: &rusqlite::Error) -> Option<ErrorCode> {
    error.sqlite_error_code()
}

impl Fault {
    /// What an error of SQLite means for the file.
    pub(crate) fn of(path: &Path, error: &rusqlite::Error) -> Self {
        let at = path.display();
        match code(error) {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Self::Corrupt(error.to_string())
            }
            Some(ErrorCode::DiskFull) => Self::State(State::Full(format!(
                "no room for the database {at} ({error}); free some space: it goes on by itself"
            ))),
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
                Self::unwritable(path, error)
            }
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                Self::State(State::Failing(format!(
                    "another process holds the database {at} ({error}); close whatever writes to it"
                )))
            }
            _ => Self::State(State::Failing(format!(
                "the database {at} fails ({error}); look at the disk and the system's log"
            ))),
        }
    }

    pub(crate) fn unwritable(path: &Path, cause: &dyn std::fmt::Display) -> Self {
        let at = path.display();
        Self::State(State::Unwritable(format!(
            "the database {at} cannot be written ({cause}); \
             make it and its directory writable for the daemon's user: it goes on by itself"
        )))
    }

    pub(crate) fn refused(why: String) -> Self {
        Self::State(State::Refused(why))
    }

    /// As a reader has it, who sets nothing aside.
    pub(crate) fn into_state(self, path: &Path) -> State {
        match self {
            Self::State(state) => state,
            Self::Corrupt(why) => State::Failing(format!(
                "the database {} is damaged ({why}); the daemon sets it aside when it next opens it",
                path.display()
            )),
        }
    }
}
