//! Reservations of a daemon that died. Whether their requests reached the provider nobody
//! knows, so each counts as all it may have cost: a budget may end a little early, never late.

use crate::{
    budget::{
        Expected,
        settle::{self, Open},
        sums,
    },
    day::Day,
    money,
    money::{Cost, MicroUsd},
    options::Options,
    usage::rows::Ended,
    who::{ModelCall, Who},
};
use exai_protocol::{ClientId, Principal, RequestId, SessionId};
use rusqlite::{Connection, Row, TransactionBehavior};
use std::sync::Arc;

/// One of them.
struct Orphan {
    boot: String,
    number: u64,
    day: Day,
    held: MicroUsd,
    expected: Expected,
    call: ModelCall,
}

/// Settles those of every boot but ours and those that live, and forgets sums nobody will ask for.
pub(crate) fn settle(db: &mut Connection, options: &Options) -> rusqlite::Result<()> {
    let at = (options.clock)();
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut orphans = read(&tx, options.boot.as_str())?;
    orphans.retain(|orphan| !(options.lives)(&orphan.boot));
    for orphan in &orphans {
        let open = Open {
            boot: &orphan.boot,
            number: orphan.number,
            day: orphan.day,
            held: orphan.held,
            call: &orphan.call,
        };
        let usage = settle::at_most(&orphan.expected);
        settle::settle(&tx, &open, &usage, Ended::Interrupted, at)?;
    }
    sums::forget_old_calls(&tx, at)?;
    tx.commit()?;
    if !orphans.is_empty() {
        tracing::warn!(
            requests = orphans.len(),
            "the last daemon died under requests to providers; they count as all they may have cost"
        );
    }
    Ok(())
}

fn read(db: &Connection, ours: &str) -> rusqlite::Result<Vec<Orphan>> {
    let mut statement = db.prepare(
        "SELECT boot, number, day, held_micro, tokens_in, tokens_out, cost_unknown, principal, \
         client, session, request, thread, endpoint, key_ref, model, tool \
         FROM reservations WHERE boot <> ?1",
    )?;
    statement.query_map([ours], orphan)?.collect()
}

fn orphan(row: &Row<'_>) -> rusqlite::Result<Orphan> {
    let text = |at: &str| row.get::<_, String>(at);
    let maybe = |at: &str| row.get::<_, Option<String>>(at);
    let held = MicroUsd(money::count(row.get("held_micro")?));
    let cost = match maybe("cost_unknown")? {
        Some(why) => Cost::Unknown(why.into()),
        None => Cost::Known(held),
    };
    let who = Who {
        principal: Principal::new(text("principal")?),
        client: maybe("client")?.map(ClientId::new),
        session: SessionId::new(text("session")?),
        request: RequestId::new(text("request")?),
        thread: maybe("thread")?.map(Arc::from),
    };
    Ok(Orphan {
        boot: text("boot")?,
        number: money::count(row.get("number")?),
        day: Day(row.get("day")?),
        held,
        expected: Expected {
            input: money::count(row.get("tokens_in")?),
            output: money::count(row.get("tokens_out")?),
            cost,
        },
        call: ModelCall {
            who,
            endpoint: text("endpoint")?.into(),
            key_ref: maybe("key_ref")?.map(Arc::from),
            model: text("model")?.into(),
            tool: text("tool")?.into(),
        },
    })
}
