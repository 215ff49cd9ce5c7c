//! The journal's table: one row a call, from its acceptance until nobody can ask for it any
//! more. Each step is one statement in the writer's transaction.

pub(crate) mod enter;
pub(crate) mod finish;
pub(crate) mod list;
pub(crate) mod recall;
pub(crate) mod result;
pub(crate) mod stroke;
pub(crate) mod sweep;

use crate::{money, options::Lives};
use exai_engine::{calls::CallKey, ports::ledger::Entering};
use exai_protocol::{Code, UnixMillis, WireError, error::Ran};
use recall::Found;
use rusqlite::{Connection, params};
use std::sync::Arc;

/// A call, as its holder remembers it: its end needs nothing the file could have lost.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) id: i64,
    pub(crate) boot: Arc<str>,
    pub(crate) entering: Arc<Entering>,
}

impl Held {
    /// Beside the row's number, because a file that was begun anew may give it away again.
    fn number(&self) -> i64 {
        money::sum_column(self.entering.facts.number)
    }
}

/// A call that another life left open ends where it stands. Whether it had been started.
pub(crate) fn abandon(
    db: &Connection,
    key: &CallKey,
    boot: &str,
    reason: &str,
    at: UnixMillis,
    lives: &Lives,
) -> rusqlite::Result<Option<bool>> {
    let Some(Found::Open(open)) = recall::find(db, key)? else {
        return Ok(None);
    };
    if open.boot == boot || lives(&open.boot) {
        return Ok(None);
    }
    let error = if open.started {
        let words = format!("interrupted by the death of its daemon, then given up: {reason}");
        WireError::new(Code::OutcomeUnknown, words).ran(Ran::Unknown)
    } else {
        let words = format!("stopped before it was started: {reason}");
        WireError::new(Code::Cancelled, words).ran(Ran::No)
    };
    let mut statement = db.prepare_cached(
        "UPDATE calls SET state = 'finished', finished_at = ?2, outcome = ?3, error = ?4, \
         arguments = NULL WHERE id = ?1",
    )?;
    statement.execute(params![
        open.id,
        money::sum_column(at.0),
        error.code.outcome().as_str(),
        serde_json::to_string(&error).ok()
    ])?;
    Ok(Some(open.started))
}

/// Its result was taken: it is nobody's next equal call's any more.
pub(crate) fn taken(db: &Connection, key: &CallKey) -> rusqlite::Result<()> {
    let mut statement = db.prepare_cached(
        "UPDATE calls SET left_at = NULL \
         WHERE principal = ?1 AND scope = ?2 AND request = ?3 AND left_at IS NOT NULL",
    )?;
    let (principal, request) = (key.principal.as_str(), key.request_id.as_str());
    statement
        .execute(params![principal, &*key.scope, request])
        .map(|_| ())
}
