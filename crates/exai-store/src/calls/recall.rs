//! What a row says of a call.

use super::result::Held;
use crate::money;
use exai_engine::{
    calls::{CallKey, Kept},
    ports::ledger::{Interrupted, Open},
};
use exai_protocol::{RawValue, UnixMillis, WireError};
use rusqlite::{Connection, OptionalExtension as _, Row as Columns, params};
use std::{sync::Arc, time::Duration};

/// A finished call whose result is kept, in the row or beside the file.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) id: i64,
    /// Everything but what was returned.
    pub(crate) kept: Kept,
    pub(crate) held: Held,
}

/// A call that never ended.
#[derive(Debug)]
pub(crate) struct OpenRow {
    pub(crate) id: i64,
    pub(crate) boot: String,
    pub(crate) started: bool,
    pub(crate) repeatable: bool,
    pub(crate) open: Open,
}

impl OpenRow {
    /// Whether it may run (again) now that its daemon is gone. One that was started so often
    /// and never ended may be what its daemons died of.
    pub(crate) fn may_run(&self) -> bool {
        !self.started || (self.repeatable && self.open.evidence.runs < MOST_RUNS)
    }
}

/// A known call.
#[derive(Debug)]
pub(crate) enum Found {
    Finished(Box<Row>),
    /// Its tool and the hash of its arguments.
    Expired(Arc<str>, [u8; 32]),
    Open(Box<OpenRow>),
}

impl Found {
    pub(crate) fn asked(&self) -> (&str, [u8; 32]) {
        match self {
            Self::Finished(row) => (&row.kept.tool, row.kept.args_hash),
            Self::Expired(tool, hash) => (tool, *hash),
            Self::Open(row) => (&row.open.tool, row.open.args_hash),
        }
    }

    pub(crate) fn tool(&self) -> Arc<str> {
        Arc::from(self.asked().0)
    }
}

/// Runs of one call.
const MOST_RUNS: u64 = 4;

const COLUMNS: &str = "id, boot, tool, args_hash, state, repeatable, operator, arguments, \
     timeout_ms, started_at, said_at, said_stage, said, runs, finished_at, error, queue_us, run_us, \
     result, result_file, kept_bytes";

/// Looks a call up.
pub(crate) fn find(db: &Connection, key: &CallKey) -> rusqlite::Result<Option<Found>> {
    let mut statement = db.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM calls WHERE principal = ?1 AND scope = ?2 AND request = ?3"
    ))?;
    let (principal, request) = (key.principal.as_str(), key.request_id.as_str());
    statement
        .query_row(params![principal, &*key.scope, request], found)
        .optional()
}

/// A finished call with its result, by its number.
pub(crate) fn row(db: &Connection, id: i64) -> rusqlite::Result<Option<Row>> {
    let mut statement = db.prepare_cached(&format!("SELECT {COLUMNS} FROM calls WHERE id = ?1"))?;
    let found = statement.query_row([id], found).optional()?;
    Ok(match found {
        Some(Found::Finished(row)) => Some(*row),
        _ => None,
    })
}

fn found(row: &Columns<'_>) -> rusqlite::Result<Found> {
    let number = |at: &str| row.get::<_, Option<i64>>(at);
    let count = |at: &str| number(at).map(|column| column.map(money::count));
    let text = |at: &str| row.get::<_, Option<String>>(at);
    let tool: Arc<str> = Arc::from(row.get::<_, String>("tool")?);
    let args_hash: [u8; 32] = row.get("args_hash")?;
    let state: String = row.get("state")?;
    if state != "finished" {
        let said = (count("said_at")?, text("said_stage")?, text("said")?);
        let said = match said {
            (Some(at), Some(stage), Some(words)) => Some((UnixMillis(at), stage, words)),
            _ => None,
        };
        let evidence = Box::new(Interrupted {
            runs: count("runs")?.unwrap_or_default(),
            started_at: count("started_at")?.map(UnixMillis),
            said,
            requests: Vec::new(),
        });
        let open = Open {
            tool,
            args_hash,
            arguments: text("arguments")?.and_then(|text| raw(text).ok()),
            operator: row.get("operator")?,
            timeout: count("timeout_ms")?.map(Duration::from_millis),
            evidence,
        };
        return Ok(Found::Open(Box::new(OpenRow {
            id: row.get("id")?,
            boot: row.get("boot")?,
            started: state == "started",
            repeatable: row.get("repeatable")?,
            open,
        })));
    }
    let error = text("error")?.and_then(|text| serde_json::from_str::<WireError>(&text).ok());
    let held = Held {
        text: text("result")?,
        file: text("result_file")?,
        bytes: count("kept_bytes")?.unwrap_or_default(),
    };
    // An end that was an error is told as long as its row is there.
    if error.is_none() && held.bytes == 0 {
        return Ok(Found::Expired(tool, args_hash));
    }
    Ok(Found::Finished(Box::new(Row {
        id: row.get("id")?,
        kept: Kept {
            tool,
            args_hash,
            outputs: None,
            structured: None,
            usage: None,
            error,
            queue_us: count("queue_us")?.unwrap_or_default(),
            run_us: count("run_us")?,
            ended_at: UnixMillis(count("finished_at")?.unwrap_or_default()),
        },
        held,
    })))
}

/// What is known of a run that was interrupted: what the row has, and what was under way to
/// providers for it when its daemon died.
pub(crate) fn evidence(
    db: &Connection,
    key: &CallKey,
    open: &OpenRow,
) -> rusqlite::Result<Interrupted> {
    let mut evidence = Interrupted::clone(&open.open.evidence);
    let client = key.scope.strip_prefix("client:");
    let mut statement = db.prepare_cached(
        "SELECT model, endpoint, tokens_in, ended FROM usage WHERE boot = ?1 AND request = ?2 \
         AND principal = ?3 AND client IS ?4 ORDER BY id LIMIT 16",
    )?;
    let asked = params![
        open.boot,
        key.request_id.as_str(),
        key.principal.as_str(),
        client
    ];
    let phrase = |row: &Columns<'_>| {
        let (model, endpoint): (String, String) = (row.get(0)?, row.get(1)?);
        let (tokens, ended): (i64, String) = (row.get(2)?, row.get(3)?);
        let how = if ended == "reported" {
            "answered"
        } else {
            "sent, no answer known"
        };
        Ok(format!(
            "{model} at {endpoint} (about {tokens} tokens {how})"
        ))
    };
    evidence.requests = statement
        .query_map(asked, phrase)?
        .collect::<rusqlite::Result<_>>()?;
    Ok(evidence)
}

/// Text of ours that was JSON when it was written.
pub(crate) fn raw(text: String) -> Result<Arc<RawValue>, serde_json::Error> {
    RawValue::from_string(text).map(Arc::from)
}
