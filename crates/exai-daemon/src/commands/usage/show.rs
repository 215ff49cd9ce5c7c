//! Sums as a table and as JSON. What nobody knows is said to be unknown and never shown as
//! nothing.

use super::Report;
use crate::output;
use exai_store::{MicroUsd, UsageTotal};
use serde_json::{Value, json};

const HEADING: [&str; 7] = [
    "requests", "read", "cached", "written", "thought", "searches", "cost",
];

pub(super) fn lines(report: &Report) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(total) = report.total.as_ref().filter(|_| !report.rows.is_empty()) {
        let mut rows = vec![heading(report.by)];
        rows.extend(report.rows.iter().map(|row| cells(&name(row), row)));
        rows.push(cells("total", total));
        lines.extend(output::columns(&rows));
    }
    if !report.budgets.is_empty() {
        if !lines.is_empty() {
            lines.push(String::new());
        }
        lines.extend(output::columns(&budgets(report)));
    }
    lines
}

fn heading(by: &str) -> Vec<String> {
    std::iter::once(by)
        .chain(HEADING)
        .map(str::to_owned)
        .collect()
}

fn name(row: &UsageTotal) -> String {
    output::tame(row.name.as_deref().unwrap_or("(none)"))
}

fn cells(name: &str, row: &UsageTotal) -> Vec<String> {
    let tokens = row.tokens;
    let numbers = [
        row.calls,
        tokens.input,
        tokens.cached,
        tokens.output,
        tokens.reasoning,
        row.searches,
    ];
    let mut cells = vec![name.to_owned()];
    cells.extend(numbers.map(|number| number.to_string()));
    cells.push(cost(row));
    cells
}

/// `$0.12`, `unknown`, or both; and how much of it we counted ourselves.
fn cost(row: &UsageTotal) -> String {
    let known = match row.unpriced {
        0 => row.cost.to_string(),
        all if all == row.calls => "unknown".to_owned(),
        some => format!("{} and {some} of unknown cost", row.cost),
    };
    match row.estimated {
        0 => known,
        some => format!("{known} ({some} estimated)"),
    }
}

fn budgets(report: &Report) -> Vec<Vec<String>> {
    let words = |cells: [&str; 6]| cells.map(str::to_owned).to_vec();
    let mut rows = vec![words(["budget", "limit", "spent", "held", "left", ""])];
    rows.extend(report.budgets.iter().map(|row| {
        let (standing, sums) = (&row.standing, row.standing.sums);
        let scope = format!("per {}", standing.ceiling.scope.as_str());
        let limit = standing.ceiling.limit.to_string();
        let Some(name) = &row.name else {
            return words([&scope, &limit, "-", "-", "-", ""]);
        };
        let money = [sums.spent, sums.held, standing.left()].map(|amount| amount.to_string());
        let name = output::tame(name);
        let warning = if standing.warns() {
            "nearly used up"
        } else {
            ""
        };
        words([
            &scope,
            &limit,
            &money[0],
            &money[1],
            &money[2],
            format!("{name}  {warning}").trim(),
        ])
    }));
    rows
}

pub(super) fn json(report: &Report) -> Value {
    let budgets: Vec<Value> = report
        .budgets
        .iter()
        .map(|row| {
            let (standing, sums) = (&row.standing, row.standing.sums);
            json!({
                "scope": standing.ceiling.scope.as_str(),
                "of": row.name,
                "limit_usd": usd(standing.ceiling.limit),
                "warn_percent": standing.ceiling.warn_percent,
                "spent_usd": row.name.as_ref().map(|_| usd(sums.spent)),
                "held_usd": row.name.as_ref().map(|_| usd(sums.held)),
                "left_usd": row.name.as_ref().map(|_| usd(standing.left())),
            })
        })
        .collect();
    let seconds =
        |at: Option<exai_protocol::UnixMillis>| at.map(exai_protocol::UnixMillis::as_secs_f64);
    json!({
        "by": report.by,
        "since": seconds(report.query.since),
        "until": seconds(report.query.until),
        "rows": report.rows.iter().map(row).collect::<Vec<_>>(),
        "total": report.total.as_ref().map(row),
        "budgets": budgets,
    })
}

/// `usd` is null where no part of it is known; `unpriced` says how many requests it lacks.
fn row(row: &UsageTotal) -> Value {
    let known = row.unpriced < row.calls || row.calls == 0;
    json!({
        "name": row.name,
        "requests": row.calls,
        "tokens": {
            "input": row.tokens.input,
            "cached": row.tokens.cached,
            "output": row.tokens.output,
            "reasoning": row.tokens.reasoning,
        },
        "searches": row.searches,
        "usd": known.then(|| usd(row.cost)),
        "unpriced": row.unpriced,
        "estimated": row.estimated,
        "counted_usd": usd(row.counted),
    })
}

#[expect(
    clippy::cast_precision_loss,
    reason = "for showing; sums are kept as whole numbers"
)]
fn usd(amount: MicroUsd) -> f64 {
    amount.0 as f64 / 1e6
}
