//! From rows to turns.

use super::{Outcome, gone};
use crate::money;
use exai_engine::ports::{
    models::Pin,
    threads::{Failure, Said, Thread, ThreadError, ThreadRow, Turn},
};
use exai_protocol::{Principal, UnixMillis};
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// Fewer letters of an id name none.
const SHORTEST: usize = 6;

/// A conversation with what its row counts.
pub(crate) struct Loaded {
    pub(crate) thread: Thread,
    pub(crate) count: u32,
    pub(crate) bytes: u64,
}

/// The whole id; `None` looks among everybody's.
pub(crate) fn key(db: &Connection, who: Option<&Principal>, id: &str) -> Outcome<Arc<str>> {
    let who = who.map(Principal::as_str);
    let exact = "SELECT key FROM threads WHERE key = ?1 AND (?2 IS NULL OR principal = ?2)";
    let found: Option<String> = db
        .prepare_cached(exact)?
        .query_row(params![id, who], |row| row.get(0))
        .optional()?;
    if let Some(key) = found {
        return Ok(Ok(key.into()));
    }
    if let Some(error) = gone::told(db, who, id)? {
        return Ok(Err(error));
    }
    if id.len() < SHORTEST {
        return Ok(Err(ThreadError::Unknown(id.to_owned())));
    }
    let begins = "SELECT key FROM threads WHERE substr(key, 1, length(?1)) = ?1 \
                  AND (?2 IS NULL OR principal = ?2) LIMIT 2";
    let keys: Vec<String> = db
        .prepare_cached(begins)?
        .query_map(params![id, who], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    Ok(match <[String; 1]>::try_from(keys) {
        Ok([key]) => Ok(key.into()),
        Err(none) if none.is_empty() => Err(ThreadError::Unknown(id.to_owned())),
        Err(_) => Err(ThreadError::Ambiguous(id.to_owned())),
    })
}

/// All of one, by what may be the beginning of its id.
pub(crate) fn load(db: &Connection, id: &str) -> Outcome<Thread> {
    match key(db, None, id)? {
        Ok(key) => loaded(db, None, &key).map(|found| found.map(|loaded| loaded.thread)),
        Err(error) => Ok(Err(error)),
    }
}

/// All of one, by its whole id.
pub(crate) fn loaded(db: &Connection, who: Option<&Principal>, key: &str) -> Outcome<Loaded> {
    // One view of the file, while the writer goes on.
    let tx = db.unchecked_transaction()?;
    let sql = "SELECT id, key, title, workspace, tool, created_at, touched_at, turns, bytes \
               FROM threads WHERE key = ?1 AND (?2 IS NULL OR principal = ?2)";
    let found = tx
        .prepare_cached(sql)?
        .query_row(params![key, who.map(Principal::as_str)], |row| {
            Ok((row.get::<_, i64>(0)?, thread_row(row, 1)?))
        })
        .optional()?;
    let Some((id, row)) = found else {
        let error = gone::told(&tx, who.map(Principal::as_str), key)?;
        return Ok(Err(
            error.unwrap_or_else(|| ThreadError::Unknown(key.to_owned()))
        ));
    };
    let turns = turns(&tx, id)?;
    let failures = failures(&tx, id)?;
    Ok(Ok(Loaded {
        count: row.turns,
        bytes: row.bytes,
        thread: Thread {
            id: row.id,
            title: row.title,
            workspace: row.workspace,
            created_at: row.created_at,
            touched_at: row.touched_at,
            turns,
            failures,
        },
    }))
}

/// The columns `key, title, workspace, tool, created_at, touched_at, turns, bytes`, from `at`.
pub(super) fn thread_row(row: &Row<'_>, at: usize) -> rusqlite::Result<ThreadRow> {
    Ok(ThreadRow {
        id: row.get(at)?,
        title: row.get(at + 1)?,
        workspace: row.get(at + 2)?,
        tool: row.get(at + 3)?,
        created_at: moment(row, at + 4)?,
        touched_at: moment(row, at + 5)?,
        turns: row.get(at + 6)?,
        bytes: row.get(at + 7).map(money::count)?,
    })
}

fn turns(db: &Connection, thread: i64) -> rusqlite::Result<Vec<Turn>> {
    let sql = "SELECT number, parent, at, tool, question, instructions, findings, files, mark, \
               answer, expert, state, endpoint, model, spent, carry \
               FROM turns WHERE thread = ?1 ORDER BY number";
    db.prepare_cached(sql)?.query_map([thread], turn)?.collect()
}

fn turn(row: &Row<'_>) -> rusqlite::Result<Turn> {
    let (endpoint, model): (Option<String>, Option<String>) = (row.get(12)?, row.get(13)?);
    Ok(Turn {
        number: row.get(0)?,
        parent: row.get(1)?,
        at: moment(row, 2)?,
        said: Said {
            tool: row.get(3)?,
            question: row.get(4)?,
            instructions: row.get(5)?,
            findings: row.get(6)?,
            files: json(row, 7)?.unwrap_or_default(),
            mark: row.get(8)?,
            answer: row.get(9)?,
            expert: row.get(10)?,
            state: json(row, 11)?,
            pin: endpoint
                .zip(model)
                .map(|(endpoint, model)| Pin { endpoint, model }),
            spent: json(row, 14)?,
            carry: json(row, 15)?,
        },
    })
}

fn failures(db: &Connection, thread: i64) -> rusqlite::Result<Vec<Failure>> {
    let sql = "SELECT at, tool, code, why FROM turn_failures WHERE thread = ?1 ORDER BY id";
    let failure = |row: &Row<'_>| {
        Ok(Failure {
            at: moment(row, 0)?,
            tool: row.get(1)?,
            code: row.get(2)?,
            why: row.get(3)?,
        })
    };
    db.prepare_cached(sql)?
        .query_map([thread], failure)?
        .collect()
}

fn moment(row: &Row<'_>, at: usize) -> rusqlite::Result<UnixMillis> {
    row.get(at).map(money::count).map(UnixMillis)
}

/// What we wrote we can read; what another build wrote and this one cannot read is left out.
fn json<T: DeserializeOwned>(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<T>> {
    let text: Option<String> = row.get(at)?;
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
}
