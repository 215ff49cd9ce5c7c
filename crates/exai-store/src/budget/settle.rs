//! The end of a reservation: what was held is freed and what was used is counted, with its
//! row, in one step. Taking the step twice is taking it once.

use crate::{
    budget::{
        Expected,
        sums::{self, Change, Key},
    },
    day::Day,
    money,
    money::MicroUsd,
    usage::{
        Tokens, Usage,
        rows::{self, Ended, Row},
    },
    who::ModelCall,
};
use exai_protocol::UnixMillis;
use rusqlite::{Connection, params};

/// A reservation, as its holder remembers it: settling needs nothing the file could have lost.
pub(crate) struct Open<'a> {
    pub(crate) boot: &'a str,
    pub(crate) number: u64,
    pub(crate) day: Day,
    pub(crate) held: MicroUsd,
    pub(crate) call: &'a ModelCall,
}

/// Counts what was used. A cost nobody knows counts as what was held.
pub(crate) fn settle(
    db: &Connection,
    open: &Open<'_>,
    usage: &Usage,
    ended: Ended,
    at: UnixMillis,
) -> rusqlite::Result<MicroUsd> {
    let counted = usage.cost.known().unwrap_or(open.held);
    let counted = MicroUsd(money::count(money::column(counted.0)));
    let row = Row {
        boot: open.boot,
        number: open.number,
        settled_at: at,
        day: open.day,
        call: open.call,
        usage,
        counted,
        ended,
    };
    let spend = if rows::insert(db, &row)? {
        counted
    } else {
        MicroUsd(0)
    };
    let free = take(db, open)?;
    let change = Change {
        free,
        spend,
        ..Change::default()
    };
    sums::change(
        db,
        Key::all(&open.call.who, open.boot, open.day),
        change,
        at,
    )?;
    Ok(counted)
}

/// Frees what was held: nothing was sent.
pub(crate) fn release(db: &Connection, open: &Open<'_>, at: UnixMillis) -> rusqlite::Result<()> {
    let free = take(db, open)?;
    let change = Change {
        free,
        ..Change::default()
    };
    sums::change(
        db,
        Key::all(&open.call.who, open.boot, open.day),
        change,
        at,
    )
}

/// Removes the reservation. What is to be freed: nothing, if it was gone already.
fn take(db: &Connection, open: &Open<'_>) -> rusqlite::Result<MicroUsd> {
    let mut statement =
        db.prepare_cached("DELETE FROM reservations WHERE boot = ?1 AND number = ?2")?;
    let there = statement.execute(params![open.boot, money::sum_column(open.number)])? == 1;
    Ok(if there { open.held } else { MicroUsd(0) })
}

/// What is written of a request that nobody reported on: all it may have used.
pub(crate) fn at_most(expected: &Expected) -> Usage {
    let tokens = Tokens {
        input: expected.input,
        output: expected.output,
        ..Tokens::default()
    };
    Usage {
        tokens,
        searches: 0,
        cost: expected.cost.clone(),
        estimated: true,
    }
}
