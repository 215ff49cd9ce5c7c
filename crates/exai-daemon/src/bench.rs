//! `bench`: what the daemon and the shim cost, measured beside bare servers by the same client
//! in the same run, so that a slow machine makes both slow. Everything is measured; what cannot
//! be is null, with the reason.

mod daemon;
mod drive;
pub(crate) mod echo;
mod journal;
mod lists;
mod measure;
pub(crate) mod models;
mod process;
mod report;
pub(crate) mod responder;
mod stdio;

use crate::{
    cli::{Bench, BenchPart},
    exit::{self, Code},
    os, output,
};
use anyhow::{Context as _, Result};
use daemon::BenchDaemon;
use drive::{Load, Peer, Run};
use measure::{Goal, Measure, percentile};
use report::Report;
use std::time::Duration;

/// Sessions of the crowd test.
const CROWD: usize = 1000;
/// Sessions attached to weigh one.
const WEIGHED: usize = 200;

/// What a single session's call takes; others are compared with it.
const SINGLE: &str = "WebSocket call, 1 session, p50";

/// How much is measured.
#[derive(Debug, Clone, Copy)]
struct Plan {
    rounds: usize,
    single_calls: usize,
    sessions: usize,
    calls: usize,
    crowd_calls: usize,
    stdio_calls: usize,
    shim_starts: usize,
    idle: Duration,
}

impl Plan {
    fn of(options: &Bench) -> Self {
        let count = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        let (sessions, calls) = (count(options.sessions), count(options.calls));
        if options.quick {
            return Self {
                rounds: 3,
                single_calls: 500,
                sessions,
                calls: calls.min(40),
                crowd_calls: 2,
                stdio_calls: 300,
                shim_starts: 5,
                idle: Duration::from_secs(3),
            };
        }
        Self {
            rounds: 5,
            single_calls: 2000,
            sessions,
            calls,
            crowd_calls: 10,
            stdio_calls: 1000,
            shim_starts: 20,
            idle: Duration::from_secs(10),
        }
    }
}

/// Measures everything and prints it.
pub(crate) fn run(options: &Bench) -> Result<Code> {
    let descriptors = os::raise_descriptor_limit();
    // Beside the servers' own: a client that is starved would blame them.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(std::thread::available_parallelism().map_or(2, |n| n.get().clamp(2, 8)))
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let report = runtime.block_on(async {
        tokio::select! {
            report = measure(options, descriptors) => report,
            _ = tokio::signal::ctrl_c() => Err(exit::CANCELLED.because("stopped; nothing is left running")),
        }
    })?;
    if options.json {
        output::json(&report)?;
    } else {
        for line in report.lines() {
            output::line(line)?;
        }
    }
    Ok(if report.errors == 0 {
        exit::OK
    } else {
        exit::FAILURE
    })
}

async fn measure(options: &Bench, descriptors: Option<u64>) -> Result<Report> {
    match options.part {
        None => measure_all(Plan::of(options), descriptors).await,
        Some(BenchPart::Models) => models::measure(models::Plan::of(options.quick)).await,
        Some(BenchPart::Journal) => {
            let mut report = Report::new();
            journal::measure(&mut report, Plan::of(options)).await?;
            Ok(report)
        }
    }
}

async fn measure_all(plan: Plan, descriptors: Option<u64>) -> Result<Report> {
    let mut ticker = output::Ticker::new();
    let mut report = Report::new();
    ticker.show("starting a daemon in a temporary home …");
    let daemon = BenchDaemon::start().await?;
    ticker.show("the daemon at rest …");
    idle(&mut report, &daemon, plan).await?;
    ticker.show("the memory of a session …");
    weigh(&mut report, &daemon).await?;
    let program = std::env::current_exe()?;
    let echo = echo::Echo::start(&program, &drive::sample(&daemon.peer).await?).await?;
    ticker.show("one session …");
    single(&mut report, &daemon.peer, &echo.peer, plan).await;
    ticker.show(&format!("{} sessions …", plan.sessions));
    many(&mut report, &daemon.peer, &echo.peer, plan).await;
    ticker.show(&format!("{CROWD} sessions …"));
    crowd(&mut report, &daemon.peer, plan, descriptors).await;
    drop(echo);
    ticker.show("the stdio way …");
    stdio::measure(&mut report, &daemon, plan.stdio_calls, plan.shim_starts).await;
    daemon.stop().await;
    ticker.show("the journal …");
    journal::measure(&mut report, plan).await?;
    Ok(report)
}

async fn idle(report: &mut Report, daemon: &BenchDaemon, plan: Plan) -> Result<()> {
    // The first second still belongs to the start.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = process::load(daemon.pid);
    tokio::time::sleep(plan.idle).await;
    let after = process::load(daemon.pid);
    let seconds = plan.idle.as_secs_f64();
    let used = after
        .zip(before)
        .map(|(after, before)| after.since(&before));
    let share = |total: fn(&process::Load) -> f64| Some(total(used.as_ref()?) / seconds);
    let unknown = process::UNKNOWN;
    report.push(
        Measure::alone(
            "daemon: idle memory",
            "MB",
            process::rss_mb(daemon.pid),
            unknown,
        )
        .aiming(Goal::AtMost(25.0)),
    );
    report.push(
        Measure::alone(
            "daemon: idle CPU",
            "%",
            share(|load| load.cpu_secs() * 100.0),
            unknown,
        )
        .aiming(Goal::AtMost(0.1)),
    );
    report.push(Measure::alone(
        "daemon: idle wake-ups",
        "/s",
        share(process::Load::wakeups),
        unknown,
    ));
    Ok(())
}

async fn weigh(report: &mut Report, daemon: &BenchDaemon) -> Result<()> {
    let before = process::rss_mb(daemon.pid);
    let attached = drive::attach(&daemon.peer, WEIGHED).await;
    // The daemon is told of the last one a moment after we are.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let after = process::rss_mb(daemon.pid);
    report.errors += attached.errors;
    #[expect(clippy::cast_precision_loss, reason = "a few hundred")]
    let each = after
        .zip(before)
        .map(|(after, before)| (after - before) * 1000.0 / WEIGHED as f64);
    let name = "daemon: memory of an attached session";
    report.push(Measure::alone(name, "kB", each, process::UNKNOWN).aiming(Goal::AtMost(50.0)));
    drop(attached);
    Ok(())
}

/// Rounds of both in turns, so that what else the machine does meets both.
async fn in_turns(
    report: &mut Report,
    ours: &Peer,
    echo: &Peer,
    load: Load,
    rounds: usize,
) -> (Run, Run) {
    let (mut of_echo, mut of_ours) = (Run::default(), Run::default());
    for _ in 0..rounds {
        of_echo.add(drive::run(echo, load).await);
        of_ours.add(drive::run(ours, load).await);
    }
    report.note_errors("echo", &of_echo);
    report.note_errors("daemon", &of_ours);
    (of_echo, of_ours)
}

async fn single(report: &mut Report, ours: &Peer, echo: &Peer, plan: Plan) {
    // Many short turns, a connection each: which processors one connection's two ends get is
    // decided when it begins, and makes a factor of two.
    const TURNS: usize = 20;
    let calls = plan.single_calls * plan.rounds / TURNS;
    let load = Load {
        sessions: 1,
        calls,
        warm_up: calls / 10,
    };
    let (of_echo, of_ours) = in_turns(report, ours, echo, load, TURNS).await;
    let at = |percent| {
        (
            percentile(&of_echo.latencies, percent),
            percentile(&of_ours.latencies, percent),
        )
    };
    report.push(Measure::pair(SINGLE, "µs", at(50.0)).aiming(Goal::RatioAtMost(2.5)));
    report.push(Measure::pair(
        "WebSocket call, 1 session, p99",
        "µs",
        at(99.0),
    ));
}

async fn many(report: &mut Report, ours: &Peer, echo: &Peer, plan: Plan) {
    let load = Load {
        sessions: plan.sessions,
        calls: plan.calls,
        warm_up: plan.calls / 10,
    };
    let (of_echo, of_ours) = in_turns(report, ours, echo, load, plan.rounds).await;
    let sessions = plan.sessions;
    let at = |percent| {
        (
            percentile(&of_echo.latencies, percent),
            percentile(&of_ours.latencies, percent),
        )
    };
    let rates = (of_echo.rate(), of_ours.rate());
    report.push(
        Measure::pair(
            &format!("throughput, {sessions} sessions"),
            "calls/s",
            rates,
        )
        .aiming(Goal::RatioAtLeast(0.5)),
    );
    report.push(Measure::pair(
        &format!("WebSocket call, {sessions} sessions, p50"),
        "µs",
        at(50.0),
    ));
    report.push(Measure::pair(
        &format!("WebSocket call, {sessions} sessions, p99"),
        "µs",
        at(99.0),
    ));
}

async fn crowd(report: &mut Report, ours: &Peer, plan: Plan, descriptors: Option<u64>) {
    let name = format!("{CROWD} sessions: calls refused or failed");
    if descriptors.is_some_and(|limit| limit < (CROWD as u64) + 64) {
        let why = "this process may not open enough descriptors (ulimit -n)";
        report.push(Measure::alone(&name, "calls", None, why));
        return;
    }
    let run = drive::run(
        ours,
        Load {
            sessions: CROWD,
            calls: plan.crowd_calls,
            warm_up: 0,
        },
    )
    .await;
    report.note_errors("crowd", &run);
    #[expect(clippy::cast_precision_loss, reason = "thousands")]
    let errors = run.errors as f64;
    report.push(Measure::alone(&name, "calls", Some(errors), "").aiming(Goal::AtMost(0.0)));
    report.push(Measure::alone(
        &format!("{CROWD} sessions: throughput"),
        "calls/s",
        run.rate(),
        "no call ended",
    ));
}
