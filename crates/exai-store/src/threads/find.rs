//! Lists of conversations, and search in their words.

use super::rows::thread_row;
use crate::money;
use exai_engine::ports::threads::{Found, ListQuery, Listed, SearchQuery};
use exai_protocol::{Principal, UnixMillis};
use rusqlite::{Connection, params};

/// Words of a search that count.
const WORDS: usize = 32;
const COLUMNS: &str = "t.key, t.title, t.workspace, t.tool, t.created_at, t.touched_at, t.turns, \
     t.bytes";
/// Of one principal or anybody, of one of a JSON list of folders or anywhere, not too old.
const SCOPE: &str = "(?1 IS NULL OR t.principal = ?1) AND (?2 = '[]' OR t.workspace IN \
     (SELECT value FROM json_each(?2))) AND t.touched_at >= ?3";

/// The last used one first.
pub(crate) fn list(
    db: &Connection,
    who: Option<&Principal>,
    query: &ListQuery,
    oldest: UnixMillis,
) -> rusqlite::Result<Listed> {
    let (who, oldest) = (who.map(Principal::as_str), money::sum_column(oldest.0));
    let folders = folders(&query.workspaces);
    let rows = db
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM threads t WHERE {SCOPE} \
             ORDER BY t.touched_at DESC, t.id DESC LIMIT ?4"
        ))?
        .query_map(params![who, folders, oldest, limit(query.most)], |row| {
            thread_row(row, 0)
        })?
        .collect::<rusqlite::Result<_>>()?;
    let of: i64 = db
        .prepare_cached(&format!("SELECT COUNT(*) FROM threads t WHERE {SCOPE}"))?
        .query_row(params![who, folders, oldest], |row| row.get(0))?;
    Ok(Listed {
        rows,
        of: usize::try_from(of).unwrap_or_default(),
    })
}

/// The best match first.
pub(crate) fn search(
    db: &Connection,
    who: Option<&Principal>,
    query: &SearchQuery,
    oldest: UnixMillis,
) -> rusqlite::Result<Vec<Found>> {
    let words = words(&query.words);
    if words.is_empty() {
        return Ok(Vec::new());
    }
    let who = who.map(Principal::as_str);
    let sql = format!(
        "SELECT n.number, snippet(turn_words, -1, '', '', ' … ', 24), {COLUMNS} \
         FROM turn_words JOIN turns n ON n.id = turn_words.rowid JOIN threads t ON t.id = n.thread \
         WHERE turn_words MATCH ?4 AND {SCOPE} ORDER BY rank, n.id DESC LIMIT ?5"
    );
    db.prepare_cached(&sql)?
        .query_map(
            params![
                who,
                folders(&query.workspaces),
                money::sum_column(oldest.0),
                words,
                limit(query.most)
            ],
            |row| {
                Ok(Found {
                    turn: row.get(0)?,
                    snippet: row.get(1)?,
                    thread: thread_row(row, 2)?,
                })
            },
        )?
        .collect()
}

/// Words as an expression that cannot be anything but words; the last one may be unfinished.
fn words(text: &str) -> String {
    let mut words: Vec<String> = text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .take(WORDS)
        .map(|word| format!("\"{word}\""))
        .collect();
    // One letter is the beginning of everything; of `C++` it is all there is.
    let unfinished = |word: &&mut String| word.len() > "\"x\"".len();
    if let Some(last) = words.last_mut().filter(unfinished) {
        last.push('*');
    }
    words.join(" ")
}

fn folders(named: &[String]) -> String {
    serde_json::to_string(named).unwrap_or_else(|_| "[]".to_owned())
}

fn limit(most: usize) -> i64 {
    i64::try_from(most).unwrap_or(i64::MAX)
}
