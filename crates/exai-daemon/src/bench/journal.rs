//! What it costs that no call is ever lost: the same journaled tools, by two daemons that differ
//! in nothing but the journal, in turns.

use super::{
    Plan,
    daemon::BenchDaemon,
    drive::{Load, Run},
    in_turns,
    measure::{Goal, Measure, percentile},
    report::Report,
};
use anyhow::Result;

/// A tool, what it stands for, and how much of the speed without a journal is to be left.
struct Case {
    tool: &'static str,
    what: &'static str,
    goal: Option<Goal>,
}

/// The goal is of a tool that waits, the shortest there is: every journaled tool of ours asks a
/// provider, a process or a disk. What does nothing at all is answered at once and needs no
/// journal, so the other one is told without a goal: it is the price of the two commits alone.
const CASES: [Case; 2] = [
    Case {
        tool: "test_sleep",
        what: "waits 1 ms",
        goal: Some(Goal::RatioAtLeast(0.75)),
    },
    Case {
        tool: "test_bulk",
        what: "does nothing",
        goal: None,
    },
];

pub(super) async fn measure(report: &mut Report, plan: Plan) -> Result<()> {
    let off = BenchDaemon::with_test_tools(&[("journal.enabled", "false")]).await?;
    let on = BenchDaemon::with_test_tools(&[]).await?;
    for case in CASES {
        let (without, with) = (off.peer.calling(case.tool), on.peer.calling(case.tool));
        for sessions in [1, plan.sessions] {
            let calls = if sessions == 1 {
                plan.single_calls / 2
            } else {
                plan.calls
            };
            let load = Load {
                sessions,
                calls,
                warm_up: calls / 10,
            };
            let runs = in_turns(report, &with, &without, load, plan.rounds).await;
            report.push(measured(&case, sessions, &runs));
        }
    }
    on.stop().await;
    off.stop().await;
    Ok(())
}

fn measured(case: &Case, sessions: usize, (without, with): &(Run, Run)) -> Measure {
    let what = case.what;
    if sessions == 1 {
        let middle = |run: &Run| percentile(&run.latencies, 50.0);
        let name = format!("journaled tool that {what}, 1 session, p50 (bare: journal off)");
        return Measure::pair(&name, "µs", (middle(without), middle(with)));
    }
    let name = format!("journaled tool that {what}, {sessions} sessions (bare: journal off)");
    let measure = Measure::pair(&name, "calls/s", (without.rate(), with.rate()));
    match case.goal {
        Some(goal) => measure.aiming(goal),
        None => measure,
    }
}
