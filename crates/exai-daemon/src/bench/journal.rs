//! What it costs that no call is ever lost: the same journaled tool, by two daemons that differ
//! in nothing but the journal, in turns. Each turn of one is compared with the turn of the other
//! beside it, and the middle one of these ratios counts, so that what else the machine does in
//! between is in none of them or in one that is not asked.

use super::{
    Plan,
    daemon::BenchDaemon,
    drive::{self, Load, Run},
    measure::{Goal, Measure, percentile},
    process,
    report::Report,
};
use anyhow::Result;

/// A tool that takes a permit and a thread, and does nothing with them.
const TOOL: &str = "test_sleep";

pub(super) async fn measure(report: &mut Report, plan: Plan) -> Result<()> {
    let off = BenchDaemon::with_test_tools(&[("journal.enabled", "false")]).await?;
    let on = BenchDaemon::with_test_tools(&[]).await?;
    // An odd number has a middle.
    let rounds = 2 * plan.rounds - 1;
    for sessions in [1, plan.sessions] {
        let calls = if sessions == 1 {
            plan.single_calls / 4
        } else {
            plan.calls
        };
        let load = Load {
            sessions,
            calls,
            warm_up: calls / 10,
        };
        let pairs = in_pairs(report, &off, &on, load, rounds).await;
        let compared = |name: &str, unit, value: fn(&Turn) -> Option<f64>| {
            Measure::of_pairs(
                name,
                unit,
                pairs.iter().map(|pair| pair.each_ref().map(value)),
            )
        };
        let [rate, latency, cpu] = ["", ", p50", ", its processor time"].map(|what| {
            let crowd = if sessions == 1 { "session" } else { "sessions" };
            format!("journaled call, {sessions} {crowd}{what} (bare: journal off)")
        });
        report.push(compared(&latency, "µs", Turn::p50));
        report.push(compared(&cpu, "µs", |turn| turn.cpu_us));
        if sessions > 1 {
            let rates = compared(&rate, "calls/s", |turn| turn.run.rate());
            report.push(rates.aiming(Goal::RatioAtLeast(0.75)));
        }
    }
    on.stop().await;
    off.stop().await;
    Ok(())
}

/// One daemon's share of a round.
struct Turn {
    run: Run,
    /// Of its process, for a call: what a machine that does other things besides does not change.
    cpu_us: Option<f64>,
}

impl Turn {
    async fn of(daemon: &BenchDaemon, load: Load) -> Self {
        let before = process::load(daemon.pid);
        let run = drive::run(&daemon.peer.calling(TOOL), load).await;
        let used = process::load(daemon.pid).zip(before);
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52 calls")]
        let calls = ((load.calls + load.warm_up) * load.sessions) as f64;
        let cpu_us = used.map(|(after, before)| after.since(&before).cpu_secs() * 1e6 / calls);
        Self { run, cpu_us }
    }

    fn p50(&self) -> Option<f64> {
        percentile(&self.run.latencies, 50.0)
    }
}

/// Turns without and with, who begins changing from round to round.
async fn in_pairs(
    report: &mut Report,
    off: &BenchDaemon,
    on: &BenchDaemon,
    load: Load,
    rounds: usize,
) -> Vec<[Turn; 2]> {
    let mut pairs = Vec::with_capacity(rounds);
    for round in 0..rounds {
        let pair = if round % 2 == 0 {
            let without = Turn::of(off, load).await;
            [without, Turn::of(on, load).await]
        } else {
            let with = Turn::of(on, load).await;
            [Turn::of(off, load).await, with]
        };
        let [without, with] = &pair;
        report.note_errors("without a journal", &without.run);
        report.note_errors("with a journal", &with.run);
        pairs.push(pair);
    }
    pairs
}
