//! The end of conversations: unused for too long, in the way of newer ones, or deleted. Their
//! ids are remembered, so that whoever brings one hears what became of it.

use super::Outcome;
use crate::money;
use exai_engine::ports::threads::ThreadError;
use exai_protocol::UnixMillis;
use rusqlite::{Connection, OptionalExtension as _, params};

/// Ids remembered after their conversation.
const REMEMBERED: i64 = 10_000;

/// What became of an id.
pub(super) fn told(
    db: &Connection,
    who: Option<&str>,
    id: &str,
) -> rusqlite::Result<Option<ThreadError>> {
    let sql = "SELECT why FROM threads_gone WHERE key = ?1 AND (?2 IS NULL OR principal = ?2)";
    let why: Option<String> = db
        .prepare_cached(sql)?
        .query_row(params![id, who], |row| row.get(0))
        .optional()?;
    Ok(why.map(|why| {
        let expired = |why: &str| ThreadError::Expired {
            id: id.to_owned(),
            why: why.to_owned(),
        };
        match why.as_str() {
            "deleted" => ThreadError::Deleted(id.to_owned()),
            "room" => expired("it made room for newer ones, EXAI_THREADS_MAX_BYTES"),
            _ => expired("not used for too long, EXAI_THREADS_KEEP_SECS"),
        }
    }))
}

/// What may stay.
pub(super) struct Sweep {
    /// What was last used before this goes.
    pub(super) oldest: UnixMillis,
    /// Bytes of all.
    pub(super) bytes: u64,
    /// This one stays whatever else is true.
    pub(super) keep: i64,
}

impl Sweep {
    /// Removes the others.
    pub(super) fn make(&self, db: &Connection, at: UnixMillis) -> rusqlite::Result<()> {
        let (oldest, keep) = (money::sum_column(self.oldest.0), self.keep);
        let unused = "SELECT id FROM threads WHERE touched_at < ?1 AND id <> ?2";
        let unused: Vec<i64> = db
            .prepare_cached(unused)?
            .query_map(params![oldest, keep], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        for id in unused {
            remove(db, id, "unused", at)?;
        }
        loop {
            let all = "SELECT COALESCE(SUM(bytes), 0) FROM threads";
            let all: i64 = db.prepare_cached(all)?.query_row([], |row| row.get(0))?;
            if money::count(all) <= self.bytes {
                return Ok(());
            }
            let first = "SELECT id FROM threads WHERE id <> ?1 ORDER BY touched_at, id LIMIT 1";
            let first: Option<i64> = db
                .prepare_cached(first)?
                .query_row([keep], |row| row.get(0))
                .optional()?;
            match first {
                Some(id) => remove(db, id, "room", at)?,
                None => return Ok(()),
            }
        }
    }
}

pub(super) fn delete(db: &Connection, key: &str, at: UnixMillis) -> Outcome<()> {
    let id: Option<i64> = db
        .prepare_cached("SELECT id FROM threads WHERE key = ?1")?
        .query_row([key], |row| row.get(0))
        .optional()?;
    match id {
        Some(id) => remove(db, id, "deleted", at).map(Ok),
        None => Ok(Err(ThreadError::Unknown(key.to_owned()))),
    }
}

fn remove(db: &Connection, id: i64, why: &str, at: UnixMillis) -> rusqlite::Result<()> {
    let at = money::sum_column(at.0);
    db.prepare_cached(
        "INSERT OR REPLACE INTO threads_gone (key, principal, why, at) \
         SELECT key, principal, ?2, ?3 FROM threads WHERE id = ?1",
    )?
    .execute(params![id, why, at])?;
    db.prepare_cached("DELETE FROM threads WHERE id = ?1")?
        .execute([id])?;
    db.prepare_cached(
        "DELETE FROM threads_gone WHERE at < (SELECT at FROM threads_gone ORDER BY at DESC \
         LIMIT 1 OFFSET ?1)",
    )?
    .execute([REMEMBERED])?;
    Ok(())
}
