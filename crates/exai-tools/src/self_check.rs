//! `self-check`: does the daemon's own set-up hold: home, files, limits, log. The answer is
//! either that nothing is wrong or a list of faults, each with its remedy.

use crate::{
    Ports,
    args::Args,
    kind::{self, Answer},
    log_lines,
    spec::{self, Words},
    status,
};
use exai_engine::{
    ports::models::Listing,
    tool::{Tool, ToolCall, ToolOutput, ToolSpec},
};
use std::sync::Arc;

pub(crate) fn spec() -> ToolSpec {
    spec::glance(&Words {
        name: "self-check",
        title: "Self-check",
        description: "Checks the daemon's own set-up and names every fault with its remedy; \
             can add the end of its log.",
        schema: r#"{"type":"object","properties":{"log_lines":{"type":"integer","minimum":0,"maximum":500,"default":0,"description":"Log lines to add."}}}"#,
    })
}

pub(crate) fn tool(ports: &Ports) -> Arc<dyn Tool> {
    kind::with(spec(), ports.clone(), answer)
}

async fn answer(ports: Ports, call: ToolCall) -> Answer {
    let wanted = Args::of(&call)?.number("log_lines", 0, 0..=500)?;
    let health = ports.vitals.health();
    let mut found = ports.logs.self_check(&health);
    let warnings = health.warnings.into_iter();
    let more: Vec<String> = warnings.filter(|at| !found.contains(at)).collect();
    found.extend(more);
    found.extend(models(&ports.models.listing()));
    let mut text = status::faults(&found);
    if wanted > 0 {
        text.push('\n');
        text.push_str(&log_lines::of_the_daemon(&ports, &call, wanted).await);
    }
    Ok(ToolOutput::text(&text))
}

/// What keeps models from being asked.
pub(crate) fn models(listing: &Listing) -> Vec<String> {
    let mut found = Vec::new();
    if !listing.advice.is_empty() {
        let advice = listing.advice.join(" ");
        found.push(format!("no model can be asked. {advice}"));
    }
    let open = listing.endpoints.iter().filter(|row| row.breaker == "open");
    found.extend(open.map(|row| {
        let cause = row.breaker_cause.as_deref().unwrap_or("failures");
        format!(
            "the endpoint '{}' rests after {cause}; it is tried again by itself",
            row.name
        )
    }));
    found
}
