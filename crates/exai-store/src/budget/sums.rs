//! The sums themselves: one row a scope, changed only together with what they are sums of.

use crate::{
    budget::{Scope, Sums},
    day::Day,
    money,
    money::MicroUsd,
    who::Who,
};
use exai_protocol::UnixMillis;
use rusqlite::{Connection, OptionalExtension as _, params};

/// Whose sum: a row's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) scope: Scope,
    principal: String,
    client: String,
    name: String,
}

impl Key {
    /// The row a scope means for someone on a day; `None` for the thread of a call without.
    /// A caller without a client id is known by its session, which is of one boot only.
    pub(crate) fn new(scope: Scope, who: &Who, boot: &str, day: Day) -> Option<Self> {
        let nobody = String::new;
        let principal = || who.principal.as_str().to_owned();
        let client = || who.client.as_ref().map(|client| client.as_str().to_owned());
        let session = || format!("{boot}/{}", who.session.as_str());
        let request = who.request.as_str();
        let (principal, client, name) = match (scope, client()) {
            (Scope::Day, _) => return Some(Self::day(day)),
            (Scope::Thread, _) => (principal(), nobody(), who.thread.as_deref()?.to_owned()),
            (Scope::Client, Some(client)) => (principal(), client, nobody()),
            (Scope::Client, None) => (principal(), nobody(), session()),
            (Scope::Call, Some(client)) => (principal(), client, request.to_owned()),
            (Scope::Call, None) => (principal(), nobody(), format!("{}/{request}", session())),
        };
        Some(Self {
            scope,
            principal,
            client,
            name,
        })
    }

    /// The row of a day, which is everybody's.
    pub(crate) fn day(day: Day) -> Self {
        Self {
            scope: Scope::Day,
            principal: String::new(),
            client: String::new(),
            name: day.0.to_string(),
        }
    }

    /// All rows one request counts to.
    pub(crate) fn all(who: &Who, boot: &str, day: Day) -> impl Iterator<Item = Self> {
        Scope::ALL
            .into_iter()
            .filter_map(move |scope| Self::new(scope, who, boot, day))
    }
}

/// What is used; nothing where nothing was ever asked.
pub(crate) fn read(db: &Connection, key: &Key) -> rusqlite::Result<Sums> {
    let mut statement = db.prepare_cached(
        "SELECT spent_micro, held_micro FROM spending \
         WHERE scope = ?1 AND principal = ?2 AND client = ?3 AND name = ?4",
    )?;
    let sums = statement.query_row(
        params![key.scope.as_str(), key.principal, key.client, key.name],
        |row| {
            let amount = |at| row.get(at).map(|column| MicroUsd(money::count(column)));
            Ok(Sums {
                spent: amount(0)?,
                held: amount(1)?,
            })
        },
    );
    Ok(sums.optional()?.unwrap_or_default())
}

/// The dearest rows of a scope, with what tells them apart.
pub(crate) fn dearest(
    db: &Connection,
    scope: Scope,
    most: usize,
) -> rusqlite::Result<Vec<(String, Sums)>> {
    let mut statement = db.prepare_cached(
        "SELECT CASE WHEN name = '' THEN client ELSE name END, spent_micro, held_micro \
         FROM spending WHERE scope = ?1 ORDER BY spent_micro + held_micro DESC, 1 LIMIT ?2",
    )?;
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let row = |row: &rusqlite::Row<'_>| {
        let amount = |at| row.get(at).map(|column| MicroUsd(money::count(column)));
        let (spent, held) = (amount(1)?, amount(2)?);
        Ok((row.get(0)?, Sums { spent, held }))
    };
    statement
        .query_map(params![scope.as_str(), most], row)?
        .collect()
}

/// A change of all the sums one request counts to. Sums stop at their ends and never wrap.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Change {
    pub(crate) hold: MicroUsd,
    pub(crate) free: MicroUsd,
    pub(crate) spend: MicroUsd,
}

pub(crate) fn change(
    db: &Connection,
    keys: impl Iterator<Item = Key>,
    change: Change,
    at: UnixMillis,
) -> rusqlite::Result<()> {
    let mut statement = db.prepare_cached(
        "INSERT INTO spending (scope, principal, client, name, spent_micro, held_micro, touched_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO UPDATE \
         SET spent_micro = excluded.spent_micro, held_micro = excluded.held_micro, \
             touched_at = excluded.touched_at",
    )?;
    for key in keys {
        let Sums { spent, held } = read(db, &key)?;
        let spent = spent.0.saturating_add(change.spend.0);
        let held = held
            .0
            .saturating_add(change.hold.0)
            .saturating_sub(change.free.0);
        statement.execute(params![
            key.scope.as_str(),
            key.principal,
            key.client,
            key.name,
            money::sum_column(spent),
            money::sum_column(held),
            money::sum_column(at.0),
        ])?;
    }
    Ok(())
}

/// Sums of calls are of no use once their calls are over; they go after a month.
pub(crate) fn forget_old_calls(db: &Connection, now: UnixMillis) -> rusqlite::Result<usize> {
    const MONTH_MS: u64 = 30 * 86_400_000;
    db.execute(
        "DELETE FROM spending WHERE scope = 'call' AND held_micro = 0 AND touched_at < ?1",
        [money::sum_column(now.0.saturating_sub(MONTH_MS))],
    )
}
