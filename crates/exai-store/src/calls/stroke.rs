//! A step of a call in words that can be carried to another process: a daemon that has given
//! its home away does not write the journal, the one that has it does.

use super::Held;
use crate::money;
use exai_engine::calls::CallKey;
use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// What is to be written.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub(crate) enum Stroke<'a> {
    Start {
        row: Which<'a>,
        at: i64,
    },
    Said {
        principal: Cow<'a, str>,
        scope: Cow<'a, str>,
        request: Cow<'a, str>,
        at: i64,
        stage: Cow<'a, str>,
        words: Cow<'a, str>,
    },
    Withdraw {
        row: Which<'a>,
    },
    End(End<'a>),
    Left {
        principal: Cow<'a, str>,
        scope: Cow<'a, str>,
        request: Cow<'a, str>,
        at: i64,
    },
}

/// A row, as its holder knows it; see [`Held`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Which<'a> {
    id: i64,
    boot: Cow<'a, str>,
    number: i64,
}

impl<'a> Which<'a> {
    pub(crate) fn of(held: &'a Held) -> Self {
        Self {
            id: held.id,
            boot: Cow::Borrowed(&held.boot),
            number: held.number(),
        }
    }
}

/// The columns of a call's end.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct End<'a> {
    pub(crate) row: Which<'a>,
    pub(crate) at: i64,
    pub(crate) outcome: Cow<'a, str>,
    pub(crate) error: Option<String>,
    pub(crate) queue_us: i64,
    pub(crate) run_us: Option<i64>,
    pub(crate) result_bytes: i64,
    pub(crate) text: Option<Cow<'a, str>>,
    pub(crate) file: Option<Cow<'a, str>>,
    pub(crate) kept: u64,
    pub(crate) left: bool,
}

impl<'a> Stroke<'a> {
    pub(crate) fn said(key: &'a CallKey, at: i64, stage: &'a str, words: &'a str) -> Self {
        Self::Said {
            principal: Cow::Borrowed(key.principal.as_str()),
            scope: Cow::Borrowed(&key.scope),
            request: Cow::Borrowed(key.request_id.as_str()),
            at,
            stage: Cow::Borrowed(stage),
            words: Cow::Borrowed(words),
        }
    }

    pub(crate) fn left(key: &'a CallKey, at: i64) -> Self {
        Self::Left {
            principal: Cow::Borrowed(key.principal.as_str()),
            scope: Cow::Borrowed(&key.scope),
            request: Cow::Borrowed(key.request_id.as_str()),
            at,
        }
    }

    /// Writes it; whether there was anything to write it to.
    pub(crate) fn write(&self, db: &Connection) -> rusqlite::Result<bool> {
        let rows = match self {
            Self::Start { row, at } => start(db, row, *at),
            Self::Withdraw { row } => withdraw(db, row),
            Self::End(end) => end.write(db),
            Self::Left {
                principal,
                scope,
                request,
                at,
            } => return left(db, [principal, scope, request], *at).map(|_| true),
            Self::Said {
                principal,
                scope,
                request,
                at,
                stage,
                words,
            } => {
                let mut statement = db.prepare_cached(
                    "UPDATE calls SET said_at = ?4, said_stage = ?5, said = ?6 \
                     WHERE principal = ?1 AND scope = ?2 AND request = ?3 AND state = 'started'",
                )?;
                statement.execute(params![principal, scope, request, at, stage, words])
            }
        };
        rows.map(|rows| rows > 0)
    }
}

/// It runs from now on. What was kept to run it is kept on where it may run again.
fn start(db: &Connection, row: &Which<'_>, at: i64) -> rusqlite::Result<usize> {
    let mut statement = db.prepare_cached(
        "UPDATE calls SET state = 'started', started_at = ?2, runs = runs + 1, said_at = NULL, \
         said_stage = NULL, said = NULL, arguments = iif(repeatable, arguments, NULL) \
         WHERE id = ?1 AND boot = ?3 AND number = ?4",
    )?;
    statement.execute(params![row.id, at, row.boot, row.number])
}

/// Its client has let go of it: if it ends well, its result is the client's next equal call's.
fn left(
    db: &Connection,
    [principal, scope, request]: [&str; 3],
    at: i64,
) -> rusqlite::Result<usize> {
    let mut statement = db.prepare_cached(
        "UPDATE calls SET left_at = ?4 \
         WHERE principal = ?1 AND scope = ?2 AND request = ?3 \
         AND (state <> 'finished' OR error IS NULL AND kept_bytes > 0)",
    )?;
    statement.execute(params![principal, scope, request, at])
}

/// It was turned away before anything happened.
fn withdraw(db: &Connection, row: &Which<'_>) -> rusqlite::Result<usize> {
    let mut statement =
        db.prepare_cached("DELETE FROM calls WHERE id = ?1 AND boot = ?2 AND number = ?3")?;
    statement.execute(params![row.id, row.boot, row.number])
}

impl End<'_> {
    pub(crate) fn write(&self, db: &Connection) -> rusqlite::Result<usize> {
        let mut statement = db.prepare_cached(
            "UPDATE calls SET state = 'finished', finished_at = ?2, outcome = ?3, error = ?4, \
             queue_us = ?5, run_us = ?6, result_bytes = ?7, result = ?8, result_file = ?9, \
             kept_bytes = ?10, left_at = ?11, arguments = NULL \
             WHERE id = ?1 AND boot = ?12 AND number = ?13",
        )?;
        statement.execute(params![
            self.row.id,
            self.at,
            self.outcome,
            self.error,
            self.queue_us,
            self.run_us,
            self.result_bytes,
            self.text,
            self.file,
            money::sum_column(self.kept),
            self.left.then_some(self.at),
            self.row.boot,
            self.row.number,
        ])
    }
}
