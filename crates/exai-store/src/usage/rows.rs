//! One row a finished call. A row is named by boot and number, so that writing it a second
//! time, after a failure nobody can judge, changes nothing.

use crate::{day::Day, money, money::MicroUsd, usage::Usage, who::ModelCall};
use exai_protocol::UnixMillis;
use rusqlite::{Connection, named_params};

/// How we learned what a call used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Its caller told us.
    Reported,
    /// Its caller went away without telling; counted as the most it may have been.
    Abandoned,
    /// The daemon died under it; counted the same.
    Interrupted,
}

impl Ended {
    fn as_str(self) -> &'static str {
        match self {
            Self::Reported => "reported",
            Self::Abandoned => "abandoned",
            Self::Interrupted => "interrupted",
        }
    }
}

/// Everything one row says.
pub(crate) struct Row<'a> {
    pub(crate) boot: &'a str,
    pub(crate) number: u64,
    pub(crate) settled_at: UnixMillis,
    pub(crate) day: Day,
    pub(crate) call: &'a ModelCall,
    pub(crate) usage: &'a Usage,
    pub(crate) counted: MicroUsd,
    pub(crate) ended: Ended,
}

/// Whether it was written now; false if it already stood there.
pub(crate) fn insert(db: &Connection, row: &Row<'_>) -> rusqlite::Result<bool> {
    let (call, who, usage) = (row.call, &row.call.who, row.usage);
    let mut statement = db.prepare_cached(
        "INSERT INTO usage (boot, number, settled_at, day, principal, client, session, request, \
         thread, endpoint, key_ref, model, tool, tokens_in, tokens_out, tokens_cached, \
         tokens_reasoning, searches, cost_micro, cost_unknown, counted_micro, estimated, ended) \
         VALUES (:boot, :number, :settled_at, :day, :principal, :client, :session, :request, \
         :thread, :endpoint, :key_ref, :model, :tool, :tokens_in, :tokens_out, :tokens_cached, \
         :tokens_reasoning, :searches, :cost_micro, :cost_unknown, :counted_micro, :estimated, \
         :ended) ON CONFLICT (boot, number) DO NOTHING",
    )?;
    let written = statement.execute(named_params! {
        ":boot": row.boot,
        ":number": money::sum_column(row.number),
        ":settled_at": money::sum_column(row.settled_at.0),
        ":day": row.day.0,
        ":principal": who.principal.as_str(),
        ":client": who.client.as_ref().map(|client| client.as_str()),
        ":session": who.session.as_str(),
        ":request": who.request.as_str(),
        ":thread": who.thread.as_deref(),
        ":endpoint": &*call.endpoint,
        ":key_ref": call.key_ref.as_deref(),
        ":model": &*call.model,
        ":tool": &*call.tool,
        ":tokens_in": money::column(usage.tokens.input),
        ":tokens_out": money::column(usage.tokens.output),
        ":tokens_cached": money::column(usage.tokens.cached),
        ":tokens_reasoning": money::column(usage.tokens.reasoning),
        ":searches": money::column(usage.searches),
        ":cost_micro": usage.cost.known().map(|amount| money::column(amount.0)),
        ":cost_unknown": usage.cost.unknown(),
        ":counted_micro": money::column(row.counted.0),
        ":estimated": usage.estimated,
        ":ended": row.ended.as_str(),
    })?;
    Ok(written == 1)
}
