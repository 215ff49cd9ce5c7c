//! Sums over the rows, by whatever a person asks: `usage --by … --since …`.

use crate::{money, money::MicroUsd, usage::Tokens};
use exai_protocol::UnixMillis;
use rusqlite::{Connection, Row, params};

/// What to tell sums apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The model.
    Model,
    /// The window that asked.
    Client,
    /// The UTC day, as `2026-01-31`.
    Day,
    /// The conversation.
    Thread,
    /// The provider's endpoint.
    Provider,
    /// The name of the provider's key.
    Key,
    /// The tool that asked.
    Tool,
}

impl By {
    /// As people write it, in the order help lists them.
    pub const ALL: [(&'static str, Self); 7] = [
        ("model", Self::Model),
        ("client", Self::Client),
        ("day", Self::Day),
        ("thread", Self::Thread),
        ("provider", Self::Provider),
        ("key", Self::Key),
        ("tool", Self::Tool),
    ];

    fn column(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Client => "client",
            Self::Day => "date(day * 86400, 'unixepoch')",
            Self::Thread => "thread",
            Self::Provider => "endpoint",
            Self::Key => "key_ref",
            Self::Tool => "tool",
        }
    }
}

/// Which rows, and how they are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UsageQuery {
    /// `None`: one sum of all.
    pub by: Option<By>,
    /// Settled then or later.
    pub since: Option<UnixMillis>,
    /// Settled before.
    pub until: Option<UnixMillis>,
}

/// One sum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageTotal {
    /// What it is of; `None` for calls that have none, and for the sum of all.
    pub name: Option<String>,
    /// Requests to providers.
    pub calls: u64,
    /// Their tokens.
    pub tokens: Tokens,
    /// Their web searches.
    pub searches: u64,
    /// Their cost, as far as it is known.
    pub cost: MicroUsd,
    /// How many of them have no known cost.
    pub unpriced: u64,
    /// What budgets were charged for them.
    pub counted: MicroUsd,
    /// How many of them were counted by us, not by the provider.
    pub estimated: u64,
}

/// The sums, dearest first; days in their order.
pub(crate) fn read(db: &Connection, query: &UsageQuery) -> rusqlite::Result<Vec<UsageTotal>> {
    let name = query.by.map_or("NULL", By::column);
    let order = if query.by == Some(By::Day) {
        "1"
    } else {
        "7 DESC, 2 DESC, 1"
    };
    let mut statement = db.prepare_cached(&format!(
        "SELECT {name}, COUNT(*), SUM(tokens_in), SUM(tokens_out), SUM(tokens_cached), \
         SUM(tokens_reasoning), COALESCE(SUM(cost_micro), 0), SUM(cost_micro IS NULL), \
         SUM(counted_micro), SUM(estimated), SUM(searches) \
         FROM usage WHERE settled_at >= ?1 AND settled_at < ?2 GROUP BY 1 ORDER BY {order}"
    ))?;
    let since = money::sum_column(query.since.unwrap_or_default().0);
    let until = query
        .until
        .map_or(i64::MAX, |until| money::sum_column(until.0));
    statement.query_map(params![since, until], total)?.collect()
}

fn total(row: &Row<'_>) -> rusqlite::Result<UsageTotal> {
    let sum = |at: usize| row.get(at).map(money::count);
    Ok(UsageTotal {
        name: row.get(0)?,
        calls: sum(1)?,
        tokens: Tokens {
            input: sum(2)?,
            output: sum(3)?,
            cached: sum(4)?,
            reasoning: sum(5)?,
        },
        cost: MicroUsd(sum(6)?),
        unpriced: sum(7)?,
        counted: MicroUsd(sum(8)?),
        estimated: sum(9)?,
        searches: sum(10)?,
    })
}
