//! What it costs that no call is ever lost: the same journaled tool, by two daemons that differ
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

/// A tool that takes a permit and a thread, and does nothing with them.
const TOOL: &str = "test_sleep";

pub(super) async fn measure(report: &mut Report, plan: Plan) -> Result<()> {
    let off = BenchDaemon::with_test_tools(&[("journal.enabled", "false")]).await?;
    let on = BenchDaemon::with_test_tools(&[]).await?;
    let (without, with) = (off.peer.calling(TOOL), on.peer.calling(TOOL));
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
        let (without, with) = in_turns(report, &with, &without, load, plan.rounds).await;
        let middle = |run: &Run| percentile(&run.latencies, 50.0);
        if sessions == 1 {
            let name = "journaled call, 1 session, p50 (bare: journal off)";
            report.push(Measure::pair(name, "µs", (middle(&without), middle(&with))));
            continue;
        }
        let name = format!("journaled calls, {sessions} sessions (bare: journal off)");
        let rates = (without.rate(), with.rate());
        report.push(Measure::pair(&name, "calls/s", rates).aiming(Goal::RatioAtLeast(0.75)));
    }
    on.stop().await;
    off.stop().await;
    Ok(())
}
