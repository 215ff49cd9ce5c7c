//! How the file is, as a value: shown in `status`, `health` and `doctor`, and the reason given
//! to whoever asks for what cannot be promised now.

use rusqlite::Connection;
use std::{fmt, path::PathBuf, sync::Arc};

/// How the file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// Whether it keeps what it is given.
    pub state: State,
    /// Damaged files that were set aside and still stand there, oldest first. What could be
    /// read from them was taken over; they are never touched again.
    pub set_aside: Vec<PathBuf>,
    /// Which file it is; see [`name_of`].
    pub(crate) name: Option<Arc<str>>,
}

/// Tells this file from any other that stood or will stand in its place: when it was begun.
pub(crate) fn name_of(db: &Connection) -> rusqlite::Result<Arc<str>> {
    let begun = "SELECT applied_at FROM migrations WHERE number = 1";
    let begun: i64 = db.query_row(begun, [], |row| row.get(0))?;
    Ok(Arc::from(format!("{begun:x}")))
}

/// Whether the file keeps what it is given. Each reason names the file and the next step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It does.
    Good,
    /// No room; the next write that succeeds makes it good again.
    Full(String),
    /// It, or its directory, cannot be written. Reading may work.
    Unwritable(String),
    /// It is not for this program: newer, or somebody else's. It was not touched.
    Refused(String),
    /// The system or the disk fails, or another process holds it.
    Failing(String),
    /// The writer has ended.
    Closed,
}

impl Condition {
    pub(crate) fn new(state: State, set_aside: Vec<PathBuf>, name: Option<Arc<str>>) -> Self {
        Self {
            state,
            set_aside,
            name,
        }
    }

    /// Whether all that was accepted before can be looked up here.
    pub(crate) fn is_whole(&self) -> bool {
        // A full disk is read as well as any.
        matches!(self.state, State::Good | State::Full(_))
            && self.set_aside.is_empty()
            && self.name.is_some()
    }

    /// Whether what is written now is kept.
    #[must_use]
    pub fn keeps(&self) -> bool {
        self.state == State::Good
    }

    /// What an owner should look at, a line each; empty is good.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if !self.keeps() {
            lines.push(self.state.to_string());
        }
        lines.extend(self.set_aside.iter().map(|path| {
            let path = path.display();
            format!("a damaged database was set aside as {path}; look at it, then remove it")
        }));
        lines
    }
}

impl State {
    /// One word for tables and counters.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Full(_) => "full",
            Self::Unwritable(_) => "unwritable",
            Self::Refused(_) => "refused",
            Self::Failing(_) => "failing",
            Self::Closed => "closed",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Good => f.write_str("the database is in order"),
            Self::Full(why) | Self::Unwritable(why) | Self::Refused(why) | Self::Failing(why) => {
                f.write_str(why)
            }
            Self::Closed => f.write_str("the database is closed: the daemon is going away"),
        }
    }
}
