//! Numbered steps from an empty file to today's tables. A step that was released is never
//! edited: each file remembers what it was made with, and a difference is refused.

use crate::{fault::Fault, money};
use exai_protocol::UnixMillis;
use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};
use sha2::{Digest as _, Sha256};
use std::{fmt::Write as _, path::Path};

/// Says in the file's header that it is ours: "exai".
const APPLICATION: i32 = 0x6578_6169;

/// One step.
#[derive(Clone, Copy)]
pub(crate) struct Step {
    name: &'static str,
    sql: &'static str,
}

/// All of them; a step's number is its place, from one.
pub(crate) const STEPS: &[Step] = &[
    Step {
        name: "001_usage_and_budgets",
        sql: include_str!("schema/001_usage_and_budgets.sql"),
    },
    Step {
        name: "002_calls",
        sql: include_str!("schema/002_calls.sql"),
    },
    Step {
        name: "003_threads",
        sql: include_str!("schema/003_threads.sql"),
    },
];

impl Step {
    /// The same on systems whose checkout ends lines differently.
    fn checksum(&self) -> String {
        let digest = Sha256::digest(self.sql.replace("\r\n", "\n"));
        digest.iter().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }
}

/// How many of the steps the file has behind it. Reads only, so that a file that is not for
/// us stays as it is.
pub(crate) fn verify(db: &Connection, path: &Path, steps: &[Step]) -> Result<usize, Fault> {
    let applied = applied(db).map_err(|error| Fault::of(path, &error))?;
    let at = path.display();
    let Some(applied) = applied else {
        return Err(Fault::refused(format!(
            "{at} is a database of another program; move it away, or name another file"
        )));
    };
    if applied.len() > steps.len() {
        return Err(Fault::refused(format!(
            "{at} was written by a newer version of this program (schema {}, this one knows {}); \
             start that version, or move the file away to begin a new one",
            applied.len(),
            steps.len()
        )));
    }
    for (number, (step, (name, checksum))) in (1..).zip(steps.iter().zip(&applied)) {
        if step.checksum() != *checksum {
            return Err(Fault::refused(format!(
                "{at} was made with another step {number} ('{name}', here '{}'): it comes from a \
                 different build; start that one, or move the file away to begin a new one",
                step.name
            )));
        }
    }
    Ok(applied.len())
}

/// Name and checksum of each applied step; `None` where the file is another program's.
fn applied(db: &Connection) -> rusqlite::Result<Option<Vec<(String, String)>>> {
    let ours = db.pragma_query_value(None, "application_id", |row| row.get::<_, i32>(0))?;
    let tables: i64 = db.query_row("SELECT COUNT(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables == 0 && (ours == 0 || ours == APPLICATION) {
        return Ok(Some(Vec::new()));
    }
    let list = "SELECT 1 FROM sqlite_schema WHERE name = 'migrations'";
    let listed = db.query_row(list, [], |_| Ok(())).optional()?.is_some();
    if ours != APPLICATION || !listed {
        return Ok(None);
    }
    db.prepare("SELECT name, checksum FROM migrations ORDER BY number")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()
        .map(Some)
}

/// Takes the steps the file lacks: all of them or, on any fault, none.
pub(crate) fn apply(
    db: &mut Connection,
    path: &Path,
    steps: &[Step],
    at: UnixMillis,
) -> Result<(), Fault> {
    let of = |error: rusqlite::Error| Fault::of(path, &error);
    let tx = db
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(of)?;
    let done = verify(&tx, path, steps)?;
    if done == steps.len() {
        return Ok(());
    }
    tx.pragma_update(None, "application_id", APPLICATION)
        .map_err(of)?;
    tx.execute_batch(
        "CREATE TABLE IF NOT EXISTS migrations (number INTEGER PRIMARY KEY, name TEXT NOT NULL, \
         checksum TEXT NOT NULL, applied_at INTEGER NOT NULL) STRICT",
    )
    .map_err(of)?;
    for (number, step) in (1_i64..).zip(steps).skip(done) {
        tx.execute_batch(step.sql).map_err(of)?;
        tx.execute(
            "INSERT INTO migrations (number, name, checksum, applied_at) VALUES (?1, ?2, ?3, ?4)",
            params![number, step.name, step.checksum(), money::sum_column(at.0)],
        )
        .map_err(of)?;
    }
    tx.commit().map_err(of)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::condition::State;

    const ONE: Step = Step {
        name: "one",
        sql: "CREATE TABLE a (x INTEGER)",
    };
    const TWO: Step = Step {
        name: "two",
        sql: "ALTER TABLE a ADD COLUMN y INTEGER DEFAULT 7",
    };
    const BAD: Step = Step {
        name: "bad",
        sql: "CREATE TABLE b (x); INSERT INTO nowhere VALUES (1)",
    };

    fn take(db: &mut Connection, steps: &[Step]) -> Result<(), Fault> {
        apply(db, Path::new("test.db"), steps, UnixMillis(5))
    }

    fn refusal(result: Result<(), Fault>) -> String {
        match result {
            Err(Fault::State(State::Refused(why))) => why,
            other => panic!("not refused: {other:?}"),
        }
    }

    #[test]
    fn later_steps_keep_what_is_there_and_come_once() {
        let mut db = Connection::open_in_memory().unwrap();
        take(&mut db, &[ONE]).unwrap();
        db.execute("INSERT INTO a VALUES (1)", []).unwrap();
        for _ in 0..2 {
            take(&mut db, &[ONE, TWO]).unwrap();
        }
        let row = db.query_row("SELECT x, y FROM a", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        });
        assert_eq!(row.unwrap(), (1, 7));
        assert_eq!(verify(&db, Path::new("test.db"), &[ONE, TWO]).unwrap(), 2);
    }

    #[test]
    fn a_step_that_fails_leaves_nothing() {
        let mut db = Connection::open_in_memory().unwrap();
        assert!(take(&mut db, &[ONE, BAD]).is_err());
        let tables: i64 = db
            .query_row("SELECT COUNT(*) FROM sqlite_schema", [], |row| row.get(0))
            .unwrap();
        assert_eq!(tables, 0);
        take(&mut db, &[ONE]).unwrap();
    }

    #[test]
    fn newer_edited_and_foreign_files_are_refused() {
        let mut db = Connection::open_in_memory().unwrap();
        take(&mut db, &[ONE, TWO]).unwrap();
        let newer = refusal(take(&mut db, &[ONE]));
        assert!(
            newer.contains("newer") && newer.contains("schema 2, this one knows 1"),
            "{newer}"
        );
        let edited = Step {
            name: "one",
            sql: "CREATE TABLE a (x TEXT)",
        };
        let edited = refusal(take(&mut db, &[edited, TWO]));
        assert!(
            edited.contains("step 1") && edited.contains("different build"),
            "{edited}"
        );

        let mut foreign = Connection::open_in_memory().unwrap();
        foreign
            .execute_batch("CREATE TABLE bookmarks (url TEXT)")
            .unwrap();
        let foreign = refusal(take(&mut foreign, &[ONE]));
        assert!(foreign.contains("another program"), "{foreign}");
    }

    #[test]
    fn line_ends_of_a_checkout_do_not_matter() {
        let unix = Step {
            name: "x",
            sql: "A\nB\n",
        };
        let dos = Step {
            name: "x",
            sql: "A\r\nB\r\n",
        };
        assert_eq!(unix.checksum(), dos.checksum());
    }

    #[test]
    fn released_steps_are_as_they_were_released() {
        let known = [
            "4b121adc55156280088a0f0b736efebb1f78b63e9d2d8d667cc8cb7f000755da",
            "00e31590482ae8fa845f4d4bd4690fffd3cddd1f6b0d47e9d8a958423cce612e",
            "0fb6e057d7158354924a061f4e90202efeb30cbf04aabd6c62c075e81cd1dd31",
        ];
        let now: Vec<String> = STEPS.iter().map(Step::checksum).collect();
        assert_eq!(now, known, "a released step is never edited: add another");
    }
}
