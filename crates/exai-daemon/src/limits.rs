//! The limits as they are told: in the vital signs, in words, and where a setting means nothing.

use exai_engine::Engine;
use exai_protocol::{event::LimitStatus, health::LimitsHealth};

/// What may be asked for at once, and which of it is reached.
pub(crate) fn health(engine: &Engine) -> LimitsHealth {
    let (limits, quotas) = (&engine.config().limits, &engine.config().quotas);
    let (refused, shedding) = engine.refused();
    LimitsHealth {
        client_inflight: limits.client as u64,
        queue_calls: limits.queue_calls as u64,
        client_queue: limits.client_queue as u64,
        queue_bytes: limits.queue_bytes as u64,
        queued_bytes: engine.admission().depth().queued_bytes as u64,
        client_bytes: limits.client_bytes as u64,
        unread_bytes: engine.sessions().unread() as u64,
        principal_rate: quotas.principal.map(|rate| rate.to_string()),
        tool_rates: quotas
            .tools
            .iter()
            .map(|(tool, rate)| (tool.clone(), rate.to_string()))
            .collect(),
        refused,
        shedding,
    }
}

/// A limit that refuses calls now, for an owner.
pub(crate) fn trouble(at: &LimitStatus) -> String {
    let whose = match at.subject.as_str() {
        "" => String::new(),
        subject => format!(" of {subject}"),
    };
    format!(
        "calls are refused: the limit {}{whose} ({}) is reached, {} times so far; they were told to \
         come back in {}s",
        at.limit.as_str(),
        at.bound,
        at.refused,
        at.retry_after
    )
}

/// Rates for tools that there are not.
pub(crate) fn without_effect(engine: &Engine) -> Vec<String> {
    let snapshot = engine.registry().snapshot();
    let tools = engine.config().quotas.tools.keys();
    tools
        .filter(|tool| *tool != "*" && snapshot.find(tool, true).is_none())
        .map(|tool| {
            format!("limits.tool_rates has a rate for '{tool}', and no tool is called that: `exai-daemon tools` lists them")
        })
        .collect()
}
