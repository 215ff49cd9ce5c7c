//! `status`: one line and an exit code. A handshake decides; files only say what was.

use super::{Interrupts, next_step};
use crate::{
    cli::Status,
    compose,
    context::Context,
    dial::{self, Connection},
    exit::{self, Code},
    lifecycle::identity::lock_is_held,
    output::{self, Tone, paint},
    probe::{Answer, probe},
};
use anyhow::Result;
use exai_client::Target;
use exai_config::rendezvous::{self, Stopped};
use exai_protocol::{
    endpoint::Endpoint,
    event::WatchdogStatus,
    health::{Health, LimitsHealth, ProviderHealth},
    hello::ServerInfo,
};
use serde::Serialize;
use std::time::Duration;

/// Everything that is known at one moment.
#[derive(Serialize)]
struct Report {
    /// A daemon of this home answers and serves us; see `state` for the other cases.
    running: bool,
    state: State,
    line: String,
    url: String,
    home: String,
    /// What the handshake met, when it met no daemon of ours.
    answer: Option<String>,
    identity: Option<ServerInfo>,
    health: Option<Health>,
    /// Age of the health file, where only that is left.
    health_file_age_secs: Option<f64>,
    endpoint: Option<Endpoint>,
    stopped: Option<Stopped>,
    lock_held: bool,
}

/// In one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    /// It answers and serves us.
    Running,
    /// It runs and does not let us in.
    Refused,
    /// Nobody answers; a health file says that somebody should.
    Stale,
    /// Nobody answers, and nobody should.
    NotRunning,
}

pub(super) async fn run(context: &Context, options: &Status) -> Result<Code> {
    if options.watch {
        return watch(context, Duration::from_secs_f64(options.interval.max(0.1))).await;
    }
    let connection = Connection::open(context).await.ok();
    let report = look(context, connection.as_ref()).await?;
    if let Some(connection) = connection {
        connection.close().await;
    }
    if options.json {
        output::json(&report)?;
    } else {
        output::line(&report.line)?;
        advise(context, &report);
    }
    Ok(match report.state {
        State::Running => exit::OK,
        State::Refused => exit::REFUSED,
        State::Stale | State::NotRunning => exit::FAILURE,
    })
}

async fn watch(context: &Context, interval: Duration) -> Result<Code> {
    let mut connection = None;
    let mut interrupts = Interrupts::new();
    loop {
        if connection.is_none() {
            connection = Connection::open(context).await.ok();
        }
        let report = look(context, connection.as_ref()).await?;
        if !report.running {
            connection = None;
        }
        output::fresh_screen()?;
        let tone = if report.running {
            Tone::Good
        } else {
            Tone::Bad
        };
        output::line(paint(tone, &report.line))?;
        if let Some(health) = report.health.as_ref().filter(|_| output::data_is_watched()) {
            for line in details(health) {
                output::line(line)?;
            }
        }
        tokio::select! {
            () = tokio::time::sleep(interval) => {}
            () = interrupts.next() => return Ok(exit::OK),
        }
    }
}

fn details(health: &Health) -> Vec<String> {
    let outcomes: Vec<String> = health
        .outcomes
        .iter()
        .map(|(outcome, count)| format!("{outcome}={count}"))
        .collect();
    let lag = health
        .loop_lag_ms
        .map_or_else(|| "unknown".to_owned(), |lag| format!("{lag:.1} ms"));
    let mut lines = vec![
        format!(
            "  version {}  up {}  state {}",
            health.version, health.uptime_human, health.state
        ),
        format!(
            "  connections {}  queued {}  tools {}  loop lag {lag}",
            health.connections, health.queued, health.tool_count
        ),
        format!(
            "  calls {}",
            if outcomes.is_empty() {
                "none yet".to_owned()
            } else {
                outcomes.join(" ")
            }
        ),
    ];
    lines.extend(health.limits.iter().map(limits));
    lines.extend(health.watchdog.iter().map(watchdog));
    lines.extend(health.providers.iter().map(provider));
    lines.extend(
        health
            .warnings
            .iter()
            .map(|warning| format!("  warning: {warning}")),
    );
    lines
}

fn watchdog(at: &WatchdogStatus) -> String {
    let fault = at.fault.as_str();
    match at.until {
        None => format!("  watchdog: {fault}: {}", at.what),
        Some(until) => format!(
            "  watchdog: {fault}, over after {:.1} s: {}",
            until - at.since,
            at.what
        ),
    }
}

fn limits(at: &LimitsHealth) -> String {
    let rates = at
        .principal_rate
        .iter()
        .map(|rate| format!("  all {rate}"))
        .chain(
            at.tool_rates
                .iter()
                .map(|(tool, rate)| format!("  {tool} {rate}")),
        );
    let rates: String = rates.collect();
    let refused: Vec<String> = at
        .refused
        .iter()
        .map(|(limit, count)| format!("{limit}={count}"))
        .collect();
    let refused = if refused.is_empty() {
        "none".to_owned()
    } else {
        refused.join(" ")
    };
    format!(
        "  limits: queue {} calls, {}/{} bytes  a client {} running, {} queued, {} bytes  unread {} bytes{rates}  refused {refused}",
        at.queue_calls,
        at.queued_bytes,
        at.queue_bytes,
        at.client_inflight,
        at.client_queue,
        at.client_bytes,
        at.unread_bytes
    )
}

fn provider(at: &ProviderHealth) -> String {
    let cause = at
        .cause
        .as_deref()
        .map_or_else(String::new, |cause| format!(" ({cause})"));
    format!(
        "  model endpoint {}  in flight {}/{}  queued {}  breaker {}{cause}",
        at.name, at.in_flight, at.concurrency, at.queued, at.breaker
    )
}

fn advise(context: &Context, report: &Report) {
    if let Some(health) = &report.health.as_ref().filter(|_| report.running) {
        health.warnings.iter().for_each(output::warning);
        return;
    }
    if report.state == State::Refused {
        report.answer.iter().for_each(|answer| next_step(answer));
        next_step(&dial::way_in(context));
    } else if report.stopped.is_some() {
        next_step("stopped by you; run `exai-daemon start`");
    } else if let Some(answer) = &report.answer {
        next_step(&format!("{answer}; `exai-daemon doctor` says more"));
    } else {
        next_step("run `exai-daemon start`");
    }
}

/// Looks through a good connection, or else at what is left.
async fn look(context: &Context, connection: Option<&Connection>) -> Result<Report> {
    let target = dial::place(context).await?;
    let mut report = Report {
        running: false,
        state: State::NotRunning,
        line: String::new(),
        url: format!("ws://{}", target.authority()),
        home: context.home.root().display().to_string(),
        answer: None,
        identity: None,
        health: None,
        health_file_age_secs: None,
        endpoint: rendezvous::read(&context.home).ok().flatten(),
        stopped: rendezvous::stopped(&context.home),
        lock_held: lock_is_held(&context.home),
    };
    if let Some(connection) = connection {
        report.identity = connection
            .client
            .session()
            .and_then(|session| session.server.clone());
        report.health = connection.client.health().await.ok();
    }
    report.running = report.health.is_some();
    if report.running {
        report.state = State::Running;
    } else {
        let answer = probe(&target, &context.home).await;
        report.answer = said(&answer, report.lock_held);
        report.health = health_file(context);
        report.health_file_age_secs = report.health.as_ref().map(age);
        // A daemon that ended in order left no doubt behind, as a stale file would.
        let in_doubt = |health: &Health| health.state != "stopped";
        if matches!(answer, Answer::Refused(_)) {
            report.state = State::Refused;
        } else if report.health.as_ref().is_some_and(in_doubt) {
            report.state = State::Stale;
        }
    }
    report.line = line(&report, &target);
    Ok(report)
}

fn said(answer: &Answer, lock_held: bool) -> Option<String> {
    match answer {
        Answer::Ours(_) => None,
        Answer::OtherHome(server) => Some(format!(
            "the port is held by the exai of another home, {}",
            server.home
        )),
        Answer::Refused(why) => Some(format!("a daemon answers and refuses us ({why})")),
        Answer::Foreign(how) => Some(format!("the port is held by another program ({how})")),
        Answer::Silent if !lock_held => Some(
            "the port is held by another program (it accepts connections and says nothing)"
                .to_owned(),
        ),
        Answer::Silent => {
            Some("a daemon of this home accepts connections and does not answer".to_owned())
        }
        Answer::Nobody(_) if lock_held => {
            Some("a daemon of this home is starting or going down".to_owned())
        }
        Answer::Nobody(_) => None,
    }
}

fn health_file(context: &Context) -> Option<Health> {
    exai_telemetry::health_file::read(&context.home.health_file())
        .ok()
        .flatten()
}

fn age(health: &Health) -> f64 {
    exai_telemetry::health_file::age(health, (compose::system_clock())())
}

/// The predecessor's line, which scripts read.
fn line(report: &Report, target: &Target) -> String {
    let at = target.authority();
    let (health, state) = match (report.state, &report.health) {
        (State::Refused, _) => {
            let pid = report.endpoint.as_ref().map(|record| record.pid);
            let pid = pid.map_or_else(String::new, |pid| format!(" | pid={pid}"));
            return format!("ws_status: running, but refuses our token | ws://{at}{pid}");
        }
        (State::NotRunning, _) | (_, None) => {
            return format!("ws_status: not running | ws://{at}");
        }
        (_, Some(health)) => match report.health_file_age_secs {
            None => (health, "running".to_owned()),
            Some(age) => (health, format!("stale ({age:.0}s old)")),
        },
    };
    let at = if report.running {
        report.url.clone()
    } else {
        format!("ws://{}:{}", health.host, health.port)
    };
    // The look itself is a session; nobody asks about that one.
    let sessions = health.sessions.saturating_sub(u64::from(report.running));
    format!(
        "ws_status: {state} | {at} | pid={} | sessions={sessions} inflight={}/{}",
        health.pid, health.global_inflight, health.global_capacity
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use exai_protocol::Secret;

    fn health() -> Health {
        Health {
            t: 1000.0,
            pid: 123,
            host: "127.0.0.1".into(),
            port: 8765,
            started_at: 1.0,
            sessions: 2,
            global_capacity: 24,
            global_inflight: 0,
            uptime_human: "0:00:01".into(),
            tool_count: 9,
            boot_id: "b".into(),
            version: "0".into(),
            state: "running".into(),
            queued: 0,
            connections: 2,
            tasks: Some(20),
            loop_lag_ms: None,
            outcomes: [("ok".to_owned(), 3)].into(),
            providers: Vec::new(),
            limits: None,
            watchdog: Vec::new(),
            warnings: vec!["look".to_owned()],
        }
    }

    fn report(health: Option<Health>, age: Option<f64>) -> Report {
        Report {
            running: health.is_some() && age.is_none(),
            state: match (&health, age) {
                (None, _) => State::NotRunning,
                (Some(_), None) => State::Running,
                (Some(_), Some(_)) => State::Stale,
            },
            line: String::new(),
            url: "ws://127.0.0.1:8765".into(),
            home: "/h".into(),
            answer: None,
            identity: None,
            health,
            health_file_age_secs: age,
            endpoint: None,
            stopped: None,
            lock_held: false,
        }
    }

    #[test]
    fn the_line_is_the_predecessors_letter_for_letter() {
        let target = Target {
            host: "127.0.0.1".into(),
            port: 8765,
            host_header: None,
            socket: None,
            plain: false,
            token: Secret::new(""),
        };
        let line = |health, age| line(&report(health, age), &target);
        let while_looking = Health {
            sessions: 3,
            ..health()
        };
        assert_eq!(
            line(Some(while_looking), None),
            "ws_status: running | ws://127.0.0.1:8765 | pid=123 | sessions=2 inflight=0/24"
        );
        assert_eq!(
            line(Some(health()), Some(37.4)),
            "ws_status: stale (37s old) | ws://127.0.0.1:8765 | pid=123 | sessions=2 inflight=0/24"
        );
        assert_eq!(
            line(None, None),
            "ws_status: not running | ws://127.0.0.1:8765"
        );
    }

    #[test]
    fn the_details_say_unknown_and_not_zero() {
        let lines = details(&health()).join("\n");
        assert!(
            lines.contains("loop lag unknown") && lines.contains("ok=3"),
            "{lines}"
        );
        assert!(lines.contains("warning: look"), "{lines}");
    }
}
