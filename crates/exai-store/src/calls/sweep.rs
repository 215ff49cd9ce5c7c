//! What is too old, or too much, goes: results first, the oldest first; rows much later,
//! because they are what keeps a late retry from running again. A little at a time, so that
//! nobody waits behind it.

use crate::money;
use rusqlite::{Connection, params};

/// Rows of one step.
const STEP: i64 = 500;
/// Both when a call ended and when it was accepted have to be long ago: the result of a moment
/// ago looks old to a clock that was set ahead since, and a call that took hours is no old one.
const OLDEST: &str = "SELECT id, result_file, kept_bytes FROM (SELECT id, result_file, kept_bytes, \
     row_number() OVER (ORDER BY finished_at) AS ended, row_number() OVER (ORDER BY id) AS came \
     FROM calls WHERE kept_bytes > 0 AND finished_at < ?1) ORDER BY max(ended, came) LIMIT ?2";

/// What may stay.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Results that ended before this go.
    pub(crate) results_since: u64,
    /// Bytes of results.
    pub(crate) result_bytes: u64,
    /// Rows of calls that were accepted before this go.
    pub(crate) rows_since: u64,
    /// Rows.
    pub(crate) rows: u64,
}

/// What a step did.
#[derive(Debug, Default)]
pub(crate) struct Swept {
    /// Files nobody refers to any more.
    pub(crate) files: Vec<String>,
    /// There is more to do.
    pub(crate) more: bool,
}

pub(crate) fn step(db: &Connection, bounds: &Bounds) -> rusqlite::Result<Swept> {
    let mut swept = Swept::default();
    let since = money::sum_column(bounds.results_since);
    let old = "SELECT id, result_file, kept_bytes FROM calls WHERE kept_bytes > 0 \
               AND finished_at < ?1 ORDER BY finished_at LIMIT ?2";
    swept.drop_results(db, old, (since, STEP), u64::MAX)?;
    let kept: i64 = db
        .prepare_cached("SELECT COALESCE(SUM(kept_bytes), 0) FROM calls WHERE kept_bytes > 0")?
        .query_row([], |row| row.get(0))?;
    let excess = money::count(kept).saturating_sub(bounds.result_bytes);
    if excess > 0 {
        swept.drop_results(db, OLDEST, (i64::MAX, STEP), excess)?;
    }
    swept.drop_rows(db, bounds)?;
    Ok(swept)
}

impl Swept {
    /// Until so many bytes are free.
    fn drop_results(
        &mut self,
        db: &Connection,
        which: &str,
        (before, most): (i64, i64),
        bytes: u64,
    ) -> rusqlite::Result<()> {
        let mut statement = db.prepare_cached(which)?;
        let columns = |row: &rusqlite::Row<'_>| {
            Ok((row.get::<_, i64>(0)?, row.get(1)?, row.get::<_, i64>(2)?))
        };
        let found: Vec<(i64, Option<String>, i64)> = statement
            .query_map(params![before, most], columns)?
            .collect::<rusqlite::Result<_>>()?;
        let mut drop = db.prepare_cached(
            "UPDATE calls SET result = NULL, result_file = NULL, kept_bytes = 0, left_at = NULL \
             WHERE id = ?1",
        )?;
        self.more |= found.len() as i64 == most;
        let mut free = 0_u64;
        for (id, file, kept) in found {
            if free >= bytes {
                break;
            }
            drop.execute([id])?;
            self.files.extend(file);
            free = free.saturating_add(money::count(kept));
        }
        Ok(())
    }

    /// Finished rows beyond the bound in number, and all beyond the bound in age.
    fn drop_rows(&mut self, db: &Connection, bounds: &Bounds) -> rusqlite::Result<()> {
        let newest: Option<i64> = db
            .prepare_cached("SELECT MAX(id) FROM calls")?
            .query_row([], |row| row.get(0))?;
        let Some(newest) = newest else { return Ok(()) };
        let first = newest.saturating_sub(money::sum_column(bounds.rows));
        let mut statement = db.prepare_cached(
            "DELETE FROM calls WHERE id IN (SELECT id FROM calls WHERE kept_bytes = 0 \
             AND (accepted_at < ?1 OR (id <= ?2 AND state = 'finished')) ORDER BY id LIMIT ?3)",
        )?;
        let since = money::sum_column(bounds.rows_since);
        let gone = statement.execute(params![since, first, STEP])?;
        self.more |= gone as i64 == STEP;
        Ok(())
    }
}
