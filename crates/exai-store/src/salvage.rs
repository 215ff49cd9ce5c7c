//! Takes over what can still be read of a damaged file. Money that was spent stays spent:
//! otherwise a bad sector would fill every budget again.

use rusqlite::{Connection, OpenFlags, TransactionBehavior, params_from_iter, types::Value};
use std::path::Path;

/// Tables worth having. Each is read from both ends, so that damage in the middle costs only
/// the middle, and the newest rows are the last to go.
const TABLES: [&str; 8] = [
    "usage",
    "reservations",
    "spending",
    "calls",
    "threads",
    "turns",
    "turn_failures",
    "threads_gone",
];

/// Copies into `db`; returns how many rows came over. Nothing here may fail loudly: the new
/// file works without.
pub(crate) fn salvage(db: &mut Connection, damaged: &Path) -> usize {
    match attempt(db, damaged) {
        Ok(rows) => rows,
        Err(error) => {
            tracing::warn!(%error, "nothing could be taken over from the damaged database");
            0
        }
    }
}

fn attempt(db: &mut Connection, damaged: &Path) -> rusqlite::Result<usize> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let old = Connection::open_with_flags(damaged, flags)?;
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut rows = 0;
    for table in TABLES {
        let columns = columns(&tx, table)?;
        for order in ["ASC", "DESC"] {
            rows += copy(&old, &tx, table, &columns, order)?;
        }
    }
    // The day's sum may have been lost where its rows were not.
    tx.execute_batch(
        "INSERT INTO spending (scope, principal, client, name, spent_micro, held_micro, touched_at) \
         SELECT 'day', '', '', CAST(day AS TEXT), SUM(counted_micro), 0, MAX(settled_at) \
         FROM usage GROUP BY day \
         ON CONFLICT DO UPDATE SET spent_micro = MAX(spent_micro, excluded.spent_micro)",
    )?;
    tx.commit()?;
    Ok(rows)
}

fn columns(db: &Connection, table: &str) -> rusqlite::Result<Vec<String>> {
    db.prepare("SELECT name FROM pragma_table_info(?1)")?
        .query_map([table], |row| row.get(0))?
        .collect()
}

/// Reads until the first damage; only errors of the new file count.
fn copy(
    old: &Connection,
    new: &Connection,
    table: &str,
    columns: &[String],
    order: &str,
) -> rusqlite::Result<usize> {
    let list = columns.join(", ");
    let marks = vec!["?"; columns.len()].join(", ");
    let mut insert = new.prepare(&format!(
        "INSERT OR IGNORE INTO {table} ({list}) VALUES ({marks})"
    ))?;
    let by = if matches!(table, "usage" | "calls") {
        "rowid"
    } else {
        "1"
    };
    let select = format!("SELECT {list} FROM {table} ORDER BY {by} {order}");
    let Ok(mut select) = old.prepare(&select) else {
        return Ok(0);
    };
    let Ok(mut rows) = select.query([]) else {
        return Ok(0);
    };
    let mut copied = 0;
    while let Ok(Some(row)) = rows.next() {
        let values = (0..columns.len()).map(|at| row.get::<_, Value>(at));
        let Ok(values) = values.collect::<rusqlite::Result<Vec<_>>>() else {
            break;
        };
        // A damaged row may also hold what no column takes; the next one may be whole.
        copied += insert.execute(params_from_iter(values)).unwrap_or(0);
    }
    Ok(copied)
}
