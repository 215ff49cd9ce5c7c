//! `bench models`: what the daemon costs between a model and its reader, beside a client that
//! asks the same server itself, in the same run, in turns. The server is a bare one of our own
//! that streams to the clock; what is measured is ours, not a provider's.

mod direct;
pub(crate) mod server;
mod through;

use super::{
    daemon::BenchDaemon,
    measure::{Goal, Measure, percentile},
    report::Report,
};
use crate::output;
use anyhow::Result;
use std::time::Duration;

/// Streams side by side.
const STREAMS: usize = 100;
/// Of each stream.
const DELTAS_A_SECOND: u32 = 100;
/// A piece that comes later than this after it was sent makes its stream a lagging one.
const LATE: Duration = Duration::from_millis(500);

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    pub(super) rounds: usize,
    pub(super) calls: usize,
    pub(super) seconds: u32,
}

impl Plan {
    pub(super) fn of(quick: bool) -> Self {
        let (rounds, calls, seconds) = if quick { (2, 50, 2) } else { (5, 200, 20) };
        Self {
            rounds,
            calls,
            seconds,
        }
    }
}

/// What came of streams.
#[derive(Debug, Default)]
pub(super) struct Streams {
    /// From the server's pen to the reader, a sample for each piece that was read.
    pub(super) lags: Vec<Duration>,
    /// Streams with a piece that was late, or that ended wrong.
    pub(super) lagging: usize,
    pub(super) first_error: Option<String>,
}

impl Streams {
    fn add(&mut self, other: Result<Vec<Duration>>, wanted: usize) {
        match other {
            Ok(lags) => {
                let late = lags.iter().any(|lag| *lag > LATE) || lags.len() != wanted;
                self.lagging += usize::from(late);
                self.lags.extend(lags);
            }
            Err(error) => {
                self.lagging += 1;
                self.first_error.get_or_insert_with(|| format!("{error:#}"));
            }
        }
    }
}

pub(super) async fn measure(plan: Plan) -> Result<Report> {
    let mut ticker = output::Ticker::new();
    let mut report = Report::new();
    ticker.show("starting a model server and a daemon …");
    let server = server::Server::start(&std::env::current_exe()?).await?;
    let settings = [
        ("limits.global_inflight", "256"),
        ("limits.client_inflight", "256"),
        ("budgets.confirm_above_usd", "never"),
    ];
    let providers = through::providers(server.port);
    let files = [("config/providers.toml", providers.as_str())];
    let daemon = BenchDaemon::start_with(&settings, &files).await?;
    ticker.show("the first delta …");
    first_delta(&mut report, server.port, &daemon, plan).await;
    ticker.show(&format!("{STREAMS} streams …"));
    streams(&mut report, server.port, &daemon, plan).await;
    daemon.stop().await;
    Ok(report)
}

async fn first_delta(report: &mut Report, port: u16, daemon: &BenchDaemon, plan: Plan) {
    let (mut bare, mut ours) = (Vec::new(), Vec::new());
    for round in 0..=plan.rounds {
        let parts = (
            direct::first_deltas(port, plan.calls).await,
            through::first_deltas(&daemon.peer, plan.calls).await,
        );
        match parts {
            // The first round warms both up.
            (Ok(_), Ok(_)) if round == 0 => {}
            (Ok(some), Ok(more)) => {
                bare.extend(some);
                ours.extend(more);
            }
            (bare, ours) => {
                for error in [bare.err(), ours.err()].into_iter().flatten() {
                    report.fail("first delta", &error);
                }
                break;
            }
        }
    }
    for percent in [50.0, 99.0] {
        let values = (percentile(&bare, percent), percentile(&ours, percent));
        let name = format!("first delta of a model, p{percent}");
        report.push(Measure::pair(&name, "µs", values));
        let added = values.0.zip(values.1).map(|(bare, ours)| ours - bare);
        let name = format!("first delta: what the daemon adds, p{percent}");
        let measure = Measure::alone(&name, "µs", added, "no call ended");
        report.push(if percent == 50.0 {
            measure.aiming(Goal::AtMost(1000.0))
        } else {
            measure
        });
    }
}

async fn streams(report: &mut Report, port: u16, daemon: &BenchDaemon, plan: Plan) {
    let model = server::Wish {
        deltas: DELTAS_A_SECOND * plan.seconds,
        every: Duration::from_secs(1) / DELTAS_A_SECOND,
    };
    let bare = direct::streams(port, STREAMS, model).await;
    let ours = through::streams(&daemon.peer, STREAMS, model).await;
    for percent in [50.0, 99.0, 100.0] {
        let values = (
            percentile(&bare.lags, percent),
            percentile(&ours.lags, percent),
        );
        let name =
            format!("{STREAMS} streams × {DELTAS_A_SECOND} deltas/s: a delta's lag, p{percent}");
        report.push(Measure::pair(&name, "µs", values));
    }
    #[expect(clippy::cast_precision_loss, reason = "a hundred")]
    let lagging = Some(ours.lagging as f64);
    let name = format!("{STREAMS} streams for {} s: lagging or lost", plan.seconds);
    report.push(Measure::alone(&name, "", lagging, "").aiming(Goal::AtMost(0.0)));
    for (whose, streams) in [("direct", &bare), ("daemon", &ours)] {
        if let Some(error) = &streams.first_error {
            report.fail(whose, &anyhow::anyhow!("{error}"));
        }
    }
}
