//! `status`: is it well, in words; and on request its tools, its faults and its log. It answers
//! while every permit is taken and nothing can be written, and a log that cannot be read is a line
//! of it.

use crate::{
    Ports,
    args::Args,
    kind::{self, Answer},
    log_lines, self_check,
    spec::{self, Words},
};
use exai_engine::{
    ports::{models::Listing, vitals::Identity},
    tool::{Tool, ToolCall, ToolOutput, ToolSpec},
};
use exai_protocol::health::{Health, LimitsHealth};
use std::{fmt::Write as _, sync::Arc};

pub(crate) fn spec() -> ToolSpec {
    spec::glance(&Words {
        name: "status",
        title: "Status",
        description: "State of the exai daemon in a few lines: running or draining, load, \
             providers, warnings and the end of its log.",
        schema: r#"{"type":"object","properties":{"tail_lines":{"type":"integer","minimum":0,"maximum":500,"default":30,"description":"Log lines to show."},"include_tools":{"type":"boolean","default":false,"description":"List tool names."},"doctor":{"type":"boolean","default":false,"description":"Check the set-up; name faults and remedies."},"probe":{"type":"boolean","default":false,"description":"Ask the providers whether they answer."}}}"#,
    })
}

pub(crate) fn tool(ports: &Ports) -> Arc<dyn Tool> {
    kind::with(spec(), ports.clone(), answer)
}

async fn answer(ports: Ports, call: ToolCall) -> Answer {
    let args = Args::of(&call)?;
    let tail = args.number("tail_lines", 30, 0..=500)?;
    let (doctor, probe) = (args.flag("doctor", false)?, args.flag("probe", false)?);
    let include_tools = args.flag("include_tools", false)?;

    let health = ports.vitals.health();
    let listing = ports.models.listing();
    let mut text = summary(&health, ports.vitals.identity(), &listing);
    if include_tools {
        let names: Vec<String> = ports
            .vitals
            .tools()
            .into_iter()
            .map(|tool| tool.name)
            .collect();
        let _ = write!(text, "\ntools: {}", names.join(", "));
    }
    if probe {
        // A real question costs money: it is asked where a person says which model.
        text.push_str("\nprobe: `exai-daemon models test NAME` asks a model one tiny question");
    }
    if doctor {
        text.push('\n');
        let mut found = ports.logs.self_check(&health);
        found.extend(self_check::models(&listing));
        text.push_str(&faults(&found));
    }
    if tail > 0 {
        text.push('\n');
        text.push_str(&log_lines::of_the_daemon(&ports, &call, tail).await);
    }
    Ok(ToolOutput::text(&text))
}

fn summary(health: &Health, identity: &Identity, listing: &Listing) -> String {
    let Health {
        state,
        host,
        port,
        pid,
        uptime_human,
        boot_id,
        ..
    } = health;
    let mut text = format!(
        "exai-daemon {} (build {}, protocol {}): {state} | ws://{host}:{port} | pid={pid} | up {uptime_human}\n\
         sessions={} connections={} inflight={}/{} queued={} tools={} boot={boot_id}\n\
         home: {}\nproviders: {}",
        identity.version,
        identity.build,
        identity.protocol,
        health.sessions,
        health.connections,
        health.global_inflight,
        health.global_capacity,
        health.queued,
        health.tool_count,
        identity.home.display(),
        providers(listing),
    );
    if identity.test_tools {
        text.push_str(
            "\ntest tools: registered, because EXAI_TEST_TOOLS=1 is set; restart without it for real work",
        );
    }
    if let Some(limits) = &health.limits {
        text.push_str(&limits_line(limits));
    }
    for past in health.watchdog.iter().filter(|at| at.until.is_some()) {
        let _ = write!(text, "\nwatchdog, lately: {}", past.what);
    }
    for warning in &health.warnings {
        let _ = write!(text, "\nwarning: {warning}");
    }
    text
}

/// How much may be asked for; one line.
fn limits_line(at: &LimitsHealth) -> String {
    let mut text = format!(
        "\nlimits: {} calls may wait, {} of one client; {} bytes of one client under way",
        at.queue_calls, at.client_queue, at.client_bytes
    );
    if let Some(rate) = &at.principal_rate {
        let _ = write!(text, "; all clients {rate}");
    }
    for (tool, rate) in &at.tool_rates {
        let _ = write!(text, "; {tool} {rate}");
    }
    for (limit, count) in &at.refused {
        let _ = write!(text, "; {count} refused for {limit}");
    }
    text
}

/// Who can be asked; one line.
fn providers(listing: &Listing) -> String {
    let ready: Vec<String> = listing
        .endpoints
        .iter()
        .filter(|row| row.ready)
        .map(|row| match row.breaker.as_str() {
            "open" => format!("{} (resting)", row.name),
            _ => row.name.clone(),
        })
        .collect();
    if ready.is_empty() {
        return "none is ready; `listmodels` says what to set".to_owned();
    }
    let models = listing.models.iter().filter(|row| row.ready).count();
    format!("{} ready, {models} models known", ready.join(", "))
}

/// The doctor's findings; also `self-check`'s.
pub(crate) fn faults(faults: &[String]) -> String {
    if faults.is_empty() {
        return "doctor: no faults found".to_owned();
    }
    let mut text = format!("doctor: {} found", faults.len());
    for fault in faults {
        let _ = write!(text, "\n- {fault}");
    }
    text
}
