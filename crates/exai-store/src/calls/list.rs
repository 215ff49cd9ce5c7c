//! Reading the journal for people: which calls there were, and how each went.

use crate::money;
use exai_protocol::{UnixMillis, WireError};
use rusqlite::{Connection, Row, params};
use std::fmt::Write as _;

/// Which calls.
#[derive(Debug, Clone, Default)]
pub struct CallsQuery {
    /// Accepted since.
    pub since: Option<UnixMillis>,
    /// Only those without an end.
    pub open: bool,
    /// Only those whose end was an error.
    pub failed: bool,
    /// Only these: a call's number in the journal, or its request id.
    pub which: Option<String>,
    /// The newest so many.
    pub most: usize,
}

/// One call.
#[derive(Debug, Clone)]
pub struct CallRow {
    /// Its number in the journal.
    pub id: u64,
    /// Its identity.
    pub principal: String,
    /// See above.
    pub scope: String,
    /// See above.
    pub request: String,
    /// The daemon's life that has it in hand, or had it last.
    pub boot: String,
    /// Its number in that life's record.
    pub number: u64,
    /// Its session there.
    pub session: String,
    /// The client's program.
    pub client_name: String,
    /// Its tool.
    pub tool: String,
    /// SHA-256 of its arguments, in hex.
    pub args_hash: String,
    /// Their length.
    pub args_bytes: u64,
    /// Whether its tool may run again.
    pub repeatable: bool,
    /// `accepted`, `started` or `finished`.
    pub state: String,
    /// How often it was started.
    pub runs: u64,
    /// When.
    pub accepted_at: UnixMillis,
    /// When it was last started.
    pub started_at: Option<UnixMillis>,
    /// The last progress that was kept: when, stage, words.
    pub said: Option<(UnixMillis, String, String)>,
    /// When it ended.
    pub finished_at: Option<UnixMillis>,
    /// How.
    pub outcome: Option<String>,
    /// Why not well.
    pub error: Option<WireError>,
    /// How long it waited.
    pub queue_us: Option<u64>,
    /// How long it ran.
    pub run_us: Option<u64>,
    /// Size of its outputs.
    pub result_bytes: Option<u64>,
    /// Whether its result is still kept.
    pub kept: bool,
    /// Its client had stopped waiting, and nobody has taken the result.
    pub left: bool,
}

/// The newest first.
pub(crate) fn read(db: &Connection, query: &CallsQuery) -> rusqlite::Result<Vec<CallRow>> {
    let mut statement = db.prepare_cached(
        "SELECT * FROM calls WHERE accepted_at >= ?1 AND (NOT ?2 OR state <> 'finished') \
         AND (NOT ?3 OR error IS NOT NULL) \
         AND (?4 IS NULL OR request = ?4 OR CAST(id AS TEXT) = ?4) ORDER BY id DESC LIMIT ?5",
    )?;
    let since = query.since.map_or(0, |since| money::sum_column(since.0));
    let most = i64::try_from(query.most).unwrap_or(i64::MAX);
    let asked = params![since, query.open, query.failed, query.which, most];
    statement.query_map(asked, call)?.collect()
}

fn call(row: &Row<'_>) -> rusqlite::Result<CallRow> {
    let text = |at: &str| row.get::<_, String>(at);
    let maybe = |at: &str| row.get::<_, Option<String>>(at);
    let count = |at: &str| row.get::<_, i64>(at).map(money::count);
    let counted = |at: &str| {
        row.get::<_, Option<i64>>(at)
            .map(|column| column.map(money::count))
    };
    let moment = |at: &str| counted(at).map(|at| at.map(UnixMillis));
    let said = match (moment("said_at")?, maybe("said_stage")?, maybe("said")?) {
        (Some(at), Some(stage), Some(words)) => Some((at, stage, words)),
        _ => None,
    };
    Ok(CallRow {
        id: count("id")?,
        principal: text("principal")?,
        scope: text("scope")?,
        request: text("request")?,
        boot: text("boot")?,
        number: count("number")?,
        session: text("session")?,
        client_name: text("client_name")?,
        tool: text("tool")?,
        args_hash: hex(&row.get::<_, Vec<u8>>("args_hash")?),
        args_bytes: count("args_bytes")?,
        repeatable: row.get("repeatable")?,
        state: text("state")?,
        runs: count("runs")?,
        accepted_at: UnixMillis(count("accepted_at")?),
        started_at: moment("started_at")?,
        said,
        finished_at: moment("finished_at")?,
        outcome: maybe("outcome")?,
        error: maybe("error")?.and_then(|error| serde_json::from_str(&error).ok()),
        queue_us: counted("queue_us")?,
        run_us: counted("run_us")?,
        result_bytes: counted("result_bytes")?,
        kept: count("kept_bytes")? > 0,
        left: moment("left_at")?.is_some(),
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
