//! `usage`: what models used and cost, and what budgets have left. Read from the database
//! itself, so that it works with and without a running daemon.

mod budgets;
mod show;

use super::{moment_of, next_step};
use crate::{
    cli, compose,
    context::Context,
    exit::{self, Code},
    funds, output,
};
use anyhow::{Result, bail};
use exai_protocol::UnixMillis;
use exai_store::{By, Day, Reader, UsageQuery, UsageTotal};

/// Everything that is shown.
struct Report {
    by: &'static str,
    query: UsageQuery,
    rows: Vec<UsageTotal>,
    total: Option<UsageTotal>,
    budgets: Vec<budgets::Row>,
}

pub(super) fn run(context: &Context, options: &cli::Usage) -> Result<Code> {
    let now = (compose::system_clock())();
    let query = query(options, now)?;
    let file = context.home.database();
    let reader = file.exists().then(|| Reader::open(&file)).transpose()?;
    let report = report(context, options, query, reader.as_ref(), now)?;
    if options.json {
        output::json(&show::json(&report))?;
        return Ok(exit::OK);
    }
    for line in show::lines(&report) {
        output::line(line)?;
    }
    if report.rows.is_empty() {
        next_step("nothing is recorded for this time: no model was asked");
    }
    if report.budgets.is_empty() {
        next_step(
            "no budget is set; EXAI_BUDGET_DAY, EXAI_BUDGET_CALL and others set one (config/README.md)",
        );
    }
    Ok(exit::OK)
}

fn report(
    context: &Context,
    options: &cli::Usage,
    query: UsageQuery,
    reader: Option<&Reader>,
    now: UnixMillis,
) -> Result<Report> {
    let all = UsageQuery { by: None, ..query };
    let ceilings = funds::ceilings(&context.loaded.settings.budgets);
    let (mut rows, mut total) = (Vec::new(), None);
    if let Some(reader) = reader {
        rows = reader.usage(&query)?;
        total = reader.usage(&all)?.pop();
    }
    Ok(Report {
        by: options.by.word(),
        query,
        rows,
        total,
        budgets: budgets::rows(reader, &ceilings, Day::of(now))?,
    })
}

fn query(options: &cli::Usage, now: UnixMillis) -> Result<UsageQuery> {
    let since = options
        .since
        .as_deref()
        .map(|text| moment_of("--since", text, now, false));
    let until = options
        .until
        .as_deref()
        .map(|text| moment_of("--until", text, now, true));
    let (since, until) = (since.transpose()?, until.transpose()?);
    if let (Some(since), Some(until)) = (since, until)
        && since >= until
    {
        bail!(exit::USAGE.because("--since is not before --until, so there is nothing to show"));
    }
    Ok(UsageQuery {
        by: Some(options.by.of_store()),
        since,
        until,
    })
}

impl cli::UsageBy {
    fn of_store(self) -> By {
        match self {
            Self::Model => By::Model,
            Self::Client => By::Client,
            Self::Day => By::Day,
            Self::Thread => By::Thread,
            Self::Provider => By::Provider,
            Self::Key => By::Key,
            Self::Tool => By::Tool,
        }
    }

    fn word(self) -> &'static str {
        let by = self.of_store();
        let found = By::ALL.iter().find(|(_, one)| *one == by);
        found.map_or("", |(word, _)| *word)
    }
}

#[cfg(test)]
#[path = "usage/tests.rs"]
mod tests;
