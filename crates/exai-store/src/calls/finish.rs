//! The end of a call. Written once however often it is tried, and whole even where the file
//! has lost the call meanwhile.

use super::{
    Held,
    result::{self, INLINE, Spill},
    stroke::{End, Which},
};
use crate::{error::StoreError, job::Job, money};
use exai_engine::ports::ledger::Ended;
use exai_protocol::Outcome;
use rusqlite::{Connection, ErrorCode, ffi, params};
use std::{borrow::Cow, path::Path, sync::Arc};
use tokio::sync::oneshot;

/// Where a result goes.
#[derive(Debug)]
pub(crate) enum Body {
    Nothing,
    Row(String),
    File(Spill),
    /// Larger than anything that is kept.
    TooLarge,
}

impl Body {
    /// Decides, and makes the text; a large result is not written here.
    pub(crate) fn of(end: &Ended, held: &Held, place: &Place) -> Self {
        if end.result.outputs.is_none() {
            return Self::Nothing;
        }
        let bytes = result::length_of(&end.result);
        if bytes <= INLINE {
            return result::text_of(&end.result).map_or(Self::Nothing, Self::Row);
        }
        if bytes > place.most_bytes {
            return Self::TooLarge;
        }
        Self::File(Spill {
            directory: place.directory.clone(),
            name: format!("{}-{}.json", held.boot, held.id),
            result: Arc::clone(&end.result),
            bytes,
            sync: place.sync,
        })
    }
}

/// Where large results are kept, and how.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) directory: std::path::PathBuf,
    pub(crate) most_bytes: u64,
    pub(crate) sync: bool,
}

/// The end on its way into the file.
pub(crate) struct Finish {
    pub(crate) held: Held,
    pub(crate) end: Ended,
    pub(crate) body: Body,
    /// The file of a large result is not written yet.
    pub(crate) unwritten: bool,
    pub(crate) told: Option<oneshot::Sender<Result<(), StoreError>>>,
}

impl Job for Finish {
    fn run(&mut self, db: &Connection) -> rusqlite::Result<()> {
        if self.unwritten
            && let Body::File(spill) = &self.body
        {
            spill
                .write()
                .map_err(|error| no_room(&spill.directory, &error))?;
            self.unwritten = false;
        }
        self.write(db)
    }

    fn done(self: Box<Self>, outcome: Result<(), StoreError>) {
        if let Some(told) = self.told {
            let _ = told.send(outcome);
        }
    }

    /// It has happened, so it is kept; whoever waits to tell it is not kept with it.
    fn keep(&mut self, why: &crate::State) -> bool {
        if let Some(told) = self.told.take() {
            let _ = told.send(Err(StoreError::Unavailable(why.clone())));
        }
        true
    }

    fn is_one_step(&self) -> bool {
        true
    }
}

impl Finish {
    fn write(&self, db: &Connection) -> rusqlite::Result<()> {
        let end = self.columns();
        if end.write(db)? == 0 {
            // The file was damaged since, and begun anew.
            restore(db, &self.held)?;
            end.write(db)?;
        }
        Ok(())
    }

    /// Written by the next daemon, where there is one.
    pub(crate) fn columns(&self) -> End<'_> {
        let record = &self.end.record;
        let (text, file, kept) = match &self.body {
            Body::Nothing | Body::TooLarge => (None, None, 0),
            Body::Row(text) => (Some(Cow::Borrowed(text.as_str())), None, text.len() as u64),
            Body::File(spill) => (None, Some(Cow::Borrowed(spill.name.as_str())), spill.bytes),
        };
        // The tool's own end, not that it was too large for a frame.
        let error = self.end.result.error.as_ref();
        let outcome = error.map_or(Outcome::Ok, |error| error.code.outcome());
        let error = error.and_then(|error| serde_json::to_string(error).ok());
        End {
            row: Which::of(&self.held),
            at: money::sum_column(record.finished_at.0),
            outcome: Cow::Borrowed(outcome.as_str()),
            left: self.end.left && error.is_none() && kept > 0,
            error,
            queue_us: money::sum_column(record.queue_us),
            run_us: record.run_us.map(money::sum_column),
            result_bytes: money::sum_column(self.end.result.result_bytes() as u64),
            text,
            file,
            kept,
        }
    }
}

/// Puts a row back that the file has lost. Should its number be another call's by now, or
/// somebody have entered the call anew, that one stays.
fn restore(db: &Connection, held: &Held) -> rusqlite::Result<()> {
    let (key, facts) = (&held.entering.key, &held.entering.facts);
    db.execute(
        "INSERT OR IGNORE INTO calls (id, principal, scope, request, boot, number, session, \
         client_name, tool, args_hash, args_bytes, repeatable, operator, state, runs, \
         accepted_at, kept_bytes) VALUES \
         (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, 'started', 1, ?14, 0)",
        params![
            held.id,
            key.principal.as_str(),
            &*key.scope,
            key.request_id.as_str(),
            &*held.boot,
            held.number(),
            facts.session_id.as_str(),
            &*facts.client_name,
            &*facts.tool,
            held.entering.args_hash,
            money::sum_column(facts.args_bytes),
            held.entering.repeatable,
            held.entering.operator,
            money::sum_column(facts.received_at.0),
        ],
    )?;
    Ok(())
}

/// A file beside the database that cannot be written is the database's fault, too: the disk is
/// the same, and what was promised waits for it.
fn no_room(directory: &Path, error: &std::io::Error) -> rusqlite::Error {
    let code = match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => ErrorCode::DiskFull,
        _ => ErrorCode::CannotOpen,
    };
    let extended_code = if code == ErrorCode::DiskFull {
        ffi::SQLITE_FULL
    } else {
        ffi::SQLITE_CANTOPEN
    };
    let why = format!("{}: {error}", directory.display());
    rusqlite::Error::SqliteFailure(
        ffi::Error {
            code,
            extended_code,
        },
        Some(why),
    )
}
