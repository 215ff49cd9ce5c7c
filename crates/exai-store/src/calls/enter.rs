//! Accepting a call: in one step it is found out whether it is known, whether it may be taken
//! up again, and whether an equal call left a result for it.

use super::{
    Held,
    recall::{self, Found, Row},
    stroke::{Stroke, Which},
};
use crate::{money, options::Lives};
use exai_engine::ports::ledger::{Entering, Interrupted};
use exai_protocol::UnixMillis;
use rusqlite::{Connection, named_params, params};
use std::sync::Arc;

/// Longest arguments that are kept for a run after a restart. Who sends more sends them again.
const MOST_ARGUMENTS: usize = 4 << 20;

/// What entering came to, as the file has it.
#[derive(Debug)]
pub(crate) enum Made {
    New(i64),
    /// One of a life that is over; whether it had begun it.
    Again(i64, bool),
    Finished(Box<Row>),
    Expired,
    Other(Arc<str>),
    Interrupted(i64, Box<Interrupted>),
    /// Another life of the daemon has it; whether it runs there.
    Elsewhere(bool),
    /// An equal call, by its id, is still at work there; this one has its place, and waits.
    Behind(i64, String),
    Left(i64, Box<Row>),
}

/// Enters a call. Results that were left longer ago than `left_since` are nobody's any more.
pub(crate) fn enter(
    db: &Connection,
    boot: &str,
    call: &Entering,
    at: UnixMillis,
    left_since: i64,
    lives: &Lives,
) -> rusqlite::Result<Made> {
    let left = match left(db, boot, call, left_since, lives)? {
        Some(Left::AtWork(request)) => match wait_behind(db, boot, call, at, lives)? {
            Some(id) => return Ok(Made::Behind(id, request)),
            None => None,
        },
        Some(Left::Result(row)) => Some(row),
        None => None,
    };
    if let Some(id) = insert(db, boot, call, at, left.is_some())? {
        return match left {
            Some(row) => take_what_was_left(db, id, row),
            None => Ok(Made::New(id)),
        };
    }
    let Some(found) = recall::find(db, &call.key)? else {
        return Err(rusqlite::Error::QueryReturnedNoRows);
    };
    if found.asked() != (&*call.facts.tool, call.args_hash) {
        return Ok(Made::Other(found.tool()));
    }
    Ok(match found {
        Found::Finished(row) => Made::Finished(row),
        Found::Expired(..) => Made::Expired,
        Found::Open(open) if open.boot != boot && lives(&open.boot) => {
            Made::Elsewhere(open.started)
        }
        Found::Open(open) if !open.may_run() => {
            let evidence = recall::evidence(db, &call.key, &open)?;
            take_over(db, open.id, boot, &call.waiting(), at)?;
            Made::Interrupted(open.id, Box::new(evidence))
        }
        Found::Open(open) => match left {
            // It waited behind the one that left this.
            Some(row) if !open.started => {
                take_over(db, open.id, boot, &call.waiting(), at)?;
                take_what_was_left(db, open.id, row)?
            }
            _ => {
                take_over(db, open.id, boot, call, at)?;
                Made::Again(open.id, open.started)
            }
        },
    })
}

/// A call that waits behind another one is as much promised as any; its number, unless it is
/// known for something else.
fn wait_behind(
    db: &Connection,
    boot: &str,
    call: &Entering,
    at: UnixMillis,
    lives: &Lives,
) -> rusqlite::Result<Option<i64>> {
    let waiting = call.waiting();
    if let Some(id) = insert(db, boot, &waiting, at, false)? {
        return Ok(Some(id));
    }
    match recall::find(db, &call.key)? {
        Some(Found::Open(open)) => {
            let is_asked =
                (&*open.open.tool, open.open.args_hash) == (&*call.facts.tool, call.args_hash);
            let is_ours = open.boot == boot || !lives(&open.boot);
            if open.started || !is_asked || !is_ours {
                return Ok(None);
            }
            take_over(db, open.id, boot, &waiting, at)?;
            Ok(Some(open.id))
        }
        _ => Ok(None),
    }
}

fn take_what_was_left(db: &Connection, id: i64, row: Box<Row>) -> rusqlite::Result<Made> {
    db.prepare_cached("UPDATE calls SET left_at = NULL WHERE id = ?1")?
        .execute([row.id])?;
    Ok(Made::Left(id, row))
}

/// An equal call that this client had stopped waiting for.
enum Left {
    Result(Box<Row>),
    /// It is still at work in another life.
    AtWork(String),
}

const LEFT: &str = "SELECT id, state, boot, request FROM calls WHERE principal = ?1 \
    AND scope = ?2 AND tool = ?3 AND args_hash = ?4 AND left_at IS NOT NULL \
    AND (left_at >= ?5 OR state <> 'finished') AND request <> ?6 ORDER BY id DESC";

/// The newest of them that is of any use.
fn left(
    db: &Connection,
    boot: &str,
    call: &Entering,
    since: i64,
    lives: &Lives,
) -> rusqlite::Result<Option<Left>> {
    let mut statement = db.prepare_cached(LEFT)?;
    let key = &call.key;
    let mut rows = statement.query(params![
        key.principal.as_str(),
        &*key.scope,
        &*call.facts.tool,
        call.args_hash,
        since,
        key.request_id.as_str()
    ])?;
    while let Some(found) = rows.next()? {
        let (state, other): (String, String) = (found.get(1)?, found.get(2)?);
        if state == "finished" {
            let row = recall::row(db, found.get(0)?)?;
            return Ok(row.map(|row| Left::Result(Box::new(row))));
        }
        if other != boot && lives(&other) {
            return found.get(3).map(Left::AtWork).map(Some);
        }
    }
    Ok(None)
}

/// The new row's number; `None` where the identity is known.
fn insert(
    db: &Connection,
    boot: &str,
    call: &Entering,
    at: UnixMillis,
    answered: bool,
) -> rusqlite::Result<Option<i64>> {
    let mut statement = db.prepare_cached(
        "INSERT INTO calls (principal, scope, request, boot, number, session, client_name, tool, \
         args_hash, args_bytes, arguments, timeout_ms, repeatable, operator, state, runs, \
         accepted_at, started_at, kept_bytes) VALUES (:principal, :scope, :request, :boot, \
         :number, :session, :client_name, :tool, :args_hash, :args_bytes, :arguments, \
         :timeout_ms, :repeatable, :operator, :state, :runs, :accepted_at, :started_at, 0) \
         ON CONFLICT (principal, scope, request) DO NOTHING",
    )?;
    let (key, facts) = (&call.key, &call.facts);
    let starts = call.starts && !answered;
    let may_run = !starts || call.repeatable;
    let arguments = call.arguments.get();
    let written = statement.execute(named_params! {
        ":principal": key.principal.as_str(),
        ":scope": &*key.scope,
        ":request": key.request_id.as_str(),
        ":boot": boot,
        ":number": money::sum_column(facts.number),
        ":session": facts.session_id.as_str(),
        ":client_name": &*facts.client_name,
        ":tool": &*facts.tool,
        ":args_hash": call.args_hash,
        ":args_bytes": money::sum_column(arguments.len() as u64),
        ":arguments": Some(arguments).filter(|text| may_run && text.len() <= MOST_ARGUMENTS),
        ":timeout_ms": call.timeout.map(|time| i64::try_from(time.as_millis()).unwrap_or(i64::MAX)),
        ":repeatable": call.repeatable,
        ":operator": call.operator,
        ":state": if starts { "started" } else { "accepted" },
        ":runs": i64::from(starts),
        ":accepted_at": money::sum_column(facts.received_at.0),
        ":started_at": Some(money::sum_column(at.0)).filter(|_| starts),
    })?;
    Ok((written == 1).then(|| db.last_insert_rowid()))
}

/// A call of a daemon that is gone is this one's now.
fn take_over(
    db: &Connection,
    id: i64,
    boot: &str,
    call: &Entering,
    at: UnixMillis,
) -> rusqlite::Result<()> {
    let facts = &call.facts;
    let mut statement = db.prepare_cached(
        "UPDATE calls SET boot = ?2, number = ?3, session = ?4, client_name = ?5 WHERE id = ?1",
    )?;
    statement.execute(params![
        id,
        boot,
        money::sum_column(facts.number),
        facts.session_id.as_str(),
        &*facts.client_name
    ])?;
    if call.starts {
        let held = Held {
            id,
            boot: Arc::from(boot),
            entering: Arc::new(call.clone()),
        };
        let row = Which::of(&held);
        let at = money::sum_column(at.0);
        Stroke::Start { row, at }.write(db)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{open, options::Options};
    use exai_protocol::BootId;
    use rusqlite::StatementStatus;

    #[test]
    fn what_every_call_asks_is_planned_once() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(|| UnixMillis(1));
        let path = folder.path().join("exai.db");
        let options = Options::new(path, BootId::new("a"), clock);
        let db = open::writer(&options, false).ok().unwrap();
        for number in 0..9_u8 {
            let mut statement = db.prepare_cached(LEFT).unwrap();
            let since = i64::from(number);
            let values = params!["owner", "window", "tool", [number; 32], since, "request"];
            assert!(!statement.exists(values).unwrap());
        }
        let statement = db.prepare_cached(LEFT).unwrap();
        assert_eq!(statement.get_status(StatementStatus::RePrepare), 0);
    }
}
