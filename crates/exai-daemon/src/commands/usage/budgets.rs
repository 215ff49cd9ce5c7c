//! What is left of each budget, as the settings of this command have them: the day's, and of
//! threads and clients those that used most.

use anyhow::Result;
use exai_store::{Ceiling, Day, Reader, Scope, Standing, Sums};

/// How many threads and clients are shown.
const MOST: usize = 3;

/// One budget.
pub(super) struct Row {
    /// Whose: a day, a thread, a client; `None` for a rule about calls, which keep no sum
    /// that anybody could still use.
    pub(super) name: Option<String>,
    pub(super) standing: Standing,
}

pub(super) fn rows(reader: Option<&Reader>, ceilings: &[Ceiling], today: Day) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for ceiling in ceilings {
        for (name, sums) in used(reader, ceiling.scope, today)? {
            let standing = Standing {
                ceiling: *ceiling,
                sums,
            };
            rows.push(Row { name, standing });
        }
    }
    Ok(rows)
}

fn used(reader: Option<&Reader>, scope: Scope, today: Day) -> Result<Vec<(Option<String>, Sums)>> {
    let unused = || vec![(None, Sums::default())];
    let Some(reader) = reader.filter(|_| scope != Scope::Call) else {
        return Ok(unused());
    };
    if scope == Scope::Day {
        return Ok(vec![(Some("today (UTC)".to_owned()), reader.day(today)?)]);
    }
    let dearest = reader.dearest(scope, MOST)?;
    if dearest.is_empty() {
        return Ok(unused());
    }
    Ok(dearest
        .into_iter()
        .map(|(name, sums)| (Some(name), sums))
        .collect())
}
