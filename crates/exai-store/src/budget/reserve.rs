//! Holding what a request may cost: checked against every ceiling and held in one step, which
//! only the writer's thread takes, so that no two requests can both have the last cent.

use crate::{
    budget::{
        Ask, OverBudget, Standing, Sums,
        sums::{self, Change, Key},
    },
    day::Day,
    money,
    money::MicroUsd,
};
use exai_protocol::UnixMillis;
use rusqlite::{Connection, named_params};

/// A reservation as it stands in the file.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) day: Day,
    pub(crate) held: MicroUsd,
    /// The ceilings that should be warned of, this request included.
    pub(crate) warnings: Vec<Standing>,
}

pub(crate) fn reserve(
    db: &Connection,
    boot: &str,
    number: u64,
    ask: &Ask,
    at: UnixMillis,
) -> rusqlite::Result<Result<Made, OverBudget>> {
    let day = Day::of(at);
    let who = &ask.call.who;
    // As the columns keep it, so that what is freed later is what was held.
    let held = MicroUsd(money::count(money::column(
        ask.expected.cost.known().unwrap_or_default().0,
    )));
    let mut warnings = Vec::new();
    for ceiling in &ask.ceilings {
        let Some(key) = Key::new(ceiling.scope, who, boot, day) else {
            continue;
        };
        let before = Standing {
            ceiling: *ceiling,
            sums: sums::read(db, &key)?,
        };
        if !before.admits(&ask.expected.cost) {
            return Ok(Err(OverBudget {
                standing: before,
                asked: ask.expected.cost.clone(),
            }));
        }
        let used = before.sums.held.0.saturating_add(held.0);
        let after = Standing {
            sums: Sums {
                held: MicroUsd(used),
                ..before.sums
            },
            ..before
        };
        if after.warns() {
            warnings.push(after);
        }
    }
    sums::change(
        db,
        Key::all(who, boot, day),
        Change {
            hold: held,
            ..Change::default()
        },
        at,
    )?;
    insert(db, boot, number, ask, (day, held), at)?;
    Ok(Ok(Made {
        day,
        held,
        warnings,
    }))
}

fn insert(
    db: &Connection,
    boot: &str,
    number: u64,
    ask: &Ask,
    (day, held): (Day, MicroUsd),
    at: UnixMillis,
) -> rusqlite::Result<()> {
    let (call, who) = (&ask.call, &ask.call.who);
    let mut statement = db.prepare_cached(
        "INSERT INTO reservations (boot, number, made_at, day, principal, client, session, \
         request, thread, endpoint, key_ref, model, tool, tokens_in, tokens_out, held_micro, \
         cost_unknown) VALUES (:boot, :number, :made_at, :day, :principal, :client, :session, \
         :request, :thread, :endpoint, :key_ref, :model, :tool, :tokens_in, :tokens_out, \
         :held_micro, :cost_unknown)",
    )?;
    statement.execute(named_params! {
        ":boot": boot,
        ":number": money::sum_column(number),
        ":made_at": money::sum_column(at.0),
        ":day": day.0,
        ":principal": who.principal.as_str(),
        ":client": who.client.as_ref().map(|client| client.as_str()),
        ":session": who.session.as_str(),
        ":request": who.request.as_str(),
        ":thread": who.thread.as_deref(),
        ":endpoint": &*call.endpoint,
        ":key_ref": call.key_ref.as_deref(),
        ":model": &*call.model,
        ":tool": &*call.tool,
        ":tokens_in": money::column(ask.expected.input),
        ":tokens_out": money::column(ask.expected.output),
        ":held_micro": money::column(held.0),
        ":cost_unknown": ask.expected.cost.unknown(),
    })?;
    Ok(())
}
