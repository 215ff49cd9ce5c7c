//! Calls as a table, as a page and as JSON.

use crate::output;
use exai_protocol::UnixMillis;
use exai_store::CallRow;
use exai_telemetry::utc::Stamps;
use serde_json::{Value, json};

/// What became of a call, in a word. Without an end it is with a daemon that lives, or it was
/// left behind by one that died.
pub(super) fn state(call: &CallRow, lives: &impl Fn(&str) -> bool) -> String {
    match (call.state.as_str(), lives(&call.boot)) {
        ("finished", _) => call.outcome.clone().unwrap_or_default(),
        ("started", true) => "running".to_owned(),
        ("started", false) => "interrupted".to_owned(),
        (_, true) => "waiting".to_owned(),
        (_, false) => "never started".to_owned(),
    }
}

pub(super) fn rows(
    calls: &[CallRow],
    lives: &impl Fn(&str) -> bool,
    now: UnixMillis,
) -> Vec<Vec<String>> {
    let heading = [
        "call", "when", "tool", "client", "state", "took", "result", "request",
    ];
    let row = |call: &CallRow| {
        vec![
            call.id.to_string(),
            ago(now, call.accepted_at),
            output::tame(&call.tool),
            output::tame(&call.client_name),
            state(call, lives),
            took(call),
            result(call),
            output::tame(&call.request),
        ]
    };
    let first = heading.iter().map(|word| (*word).to_owned()).collect();
    std::iter::once(first)
        .chain(calls.iter().map(row))
        .collect()
}

pub(super) fn details(call: &CallRow, lives: &impl Fn(&str) -> bool) -> Vec<Vec<String>> {
    let moment = |at: Option<UnixMillis>| {
        at.map_or_else(
            || "-".to_owned(),
            |at| String::from_utf8_lossy(Stamps::default().at(at)).into_owned(),
        )
    };
    let said = call.said.as_ref();
    let said = said.map(|(at, stage, words)| format!("{} {stage}: {words}", moment(Some(*at))));
    let error = call.error.as_ref().map(ToString::to_string);
    let facts = [
        ("call", call.id.to_string()),
        ("request", output::tame(&call.request)),
        ("tool", output::tame(&call.tool)),
        (
            "client",
            output::tame(&format!("{} ({})", call.client_name, call.scope)),
        ),
        ("state", state(call, lives)),
        ("accepted", moment(Some(call.accepted_at))),
        ("started", moment(call.started_at)),
        ("runs", call.runs.to_string()),
        (
            "last progress",
            output::tame(&said.unwrap_or_else(|| "-".to_owned())),
        ),
        ("finished", moment(call.finished_at)),
        ("took", took(call)),
        (
            "error",
            output::tame(&error.unwrap_or_else(|| "-".to_owned())),
        ),
        ("result", result(call)),
        (
            "arguments",
            format!("{} bytes, sha256 {}", call.args_bytes, call.args_hash),
        ),
        (
            "may run twice",
            if call.repeatable { "yes" } else { "no" }.to_owned(),
        ),
        (
            "nobody took it",
            if call.left { "yes" } else { "no" }.to_owned(),
        ),
        ("daemon", format!("{} call {}", call.boot, call.number)),
    ];
    let row = |(name, value): (&str, String)| vec![name.to_owned(), value];
    facts.into_iter().map(row).collect()
}

pub(super) fn json(call: &CallRow, lives: &impl Fn(&str) -> bool) -> Value {
    let seconds = |at: Option<UnixMillis>| at.map(UnixMillis::as_secs_f64);
    let said = call.said.as_ref().map(
        |(at, stage, words)| json!({"at": at.as_secs_f64(), "stage": stage, "message": words}),
    );
    json!({
        "id": call.id,
        "request_id": call.request,
        "principal": call.principal,
        "scope": call.scope,
        "session_id": call.session,
        "client": call.client_name,
        "tool": call.tool,
        "args_bytes": call.args_bytes,
        "args_sha256": call.args_hash,
        "repeatable": call.repeatable,
        "state": call.state,
        "now": state(call, lives),
        "runs": call.runs,
        "boot": call.boot,
        "number": call.number,
        "accepted_at": call.accepted_at.as_secs_f64(),
        "started_at": seconds(call.started_at),
        "finished_at": seconds(call.finished_at),
        "last_progress": said,
        "outcome": call.outcome,
        "error": call.error,
        "queue_us": call.queue_us,
        "run_us": call.run_us,
        "result_bytes": call.result_bytes,
        "kept": call.kept,
        "left": call.left,
    })
}

/// The texts of the blocks; other blocks are named.
pub(super) fn text(outputs: &str) -> String {
    let blocks: Vec<Value> = serde_json::from_str(outputs).unwrap_or_default();
    let mut text = String::new();
    for block in &blocks {
        match block["text"].as_str() {
            Some(words) => text.push_str(words),
            None => text.push_str(&format!("({})", block["type"].as_str().unwrap_or("block"))),
        }
        text.push('\n');
    }
    text
}

fn took(call: &CallRow) -> String {
    match (call.run_us, call.queue_us) {
        (Some(run), _) => time(run),
        // Its daemon died over it: it ran, and nobody knows for how long.
        (None, Some(_)) if call.started_at.is_some() => "unknown".to_owned(),
        (None, Some(_)) => "not run".to_owned(),
        (None, None) => "-".to_owned(),
    }
}

fn result(call: &CallRow) -> String {
    match call.result_bytes {
        None | Some(0) => "-".to_owned(),
        Some(bytes) if call.kept => format!("{bytes} B"),
        Some(bytes) => format!("{bytes} B, gone"),
    }
}

fn time(micros: u64) -> String {
    match micros {
        0..10_000 => format!("{:.1} ms", UnixMillis(micros).as_secs_f64()),
        10_000..10_000_000 => format!("{} ms", micros / 1000),
        _ => format!("{} s", micros / 1_000_000),
    }
}

fn ago(now: UnixMillis, at: UnixMillis) -> String {
    match now.0.saturating_sub(at.0) / 1000 {
        seconds @ 0..90 => format!("{seconds}s ago"),
        seconds @ 90..5400 => format!("{}m ago", seconds / 60),
        seconds @ 5400..172_800 => format!("{}h ago", seconds / 3600),
        seconds => format!("{}d ago", seconds / 86_400),
    }
}
