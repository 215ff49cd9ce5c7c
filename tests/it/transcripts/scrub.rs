//! What differs from run to run is written as what it is: which id, when, how long, where.

use exai_testkit::Sandbox;
use serde_json::Value;

/// Fields whose values are this run's alone.
const FLEETING: [&str; 30] = [
    "args_hash",
    "boot_id",
    "bytes",
    "client_id",
    "duration",
    "first_delta_ms",
    "global_capacity",
    "host",
    "loop_lag_ms",
    "number",
    "outcomes",
    "pid",
    "port",
    "queue_ms",
    "queued_ms",
    "received_at",
    "request_id",
    "run_ms",
    "session",
    "started_at",
    "t",
    "tasks",
    "timestamp",
    "took_ms",
    "tool_count",
    "total_ms",
    "uptime_human",
    "uptime_seconds",
    "version",
    "watchers",
];

/// A text as it was said; JSON without what is fleeting.
pub(super) fn text(text: &str) -> String {
    if let Ok(mut value @ (Value::Object(_) | Value::Array(_))) = serde_json::from_str(text) {
        steady(&mut value);
        return serde_json::to_string_pretty(&value).unwrap_or_default();
    }
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        let line = match serde_json::from_str(line) {
            Ok(mut value @ Value::Object(_)) => {
                steady(&mut value);
                value.to_string()
            }
            _ if is_logged(line) => "(lines of the log)".to_owned(),
            _ => line.to_owned(),
        };
        let is_more = line.starts_with("(lines") && lines.last() == Some(&line);
        if !is_more {
            lines.push(line);
        }
    }
    lines.join("\n")
}

/// Facts for a program, without what is fleeting.
pub(super) fn facts(facts: &Value) -> String {
    let mut facts = facts.clone();
    steady(&mut facts);
    facts.to_string()
}

fn steady(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                if FLEETING.contains(&name.as_str()) {
                    *field = Value::from("…");
                } else {
                    steady(field);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(steady),
        _ => {}
    }
}

fn is_logged(line: &str) -> bool {
    line.contains(" INFO ") || line.contains(" WARNING ")
}

/// Words with nothing in them of this run alone.
pub(super) fn words(told: &str, sandbox: &Sandbox) -> String {
    let mut told = told.to_owned();
    for (path, name) in [
        (sandbox.work(), "(project)"),
        (sandbox.home(), "(home)"),
        (sandbox.user(), "(user)"),
    ] {
        told = told.replace(&path.display().to_string(), name);
    }
    let mut ids: Vec<String> = Vec::new();
    let told = runs(
        &told,
        |c| c.is_ascii_alphanumeric() || c == '-',
        |_, run, _| {
            let parts: Vec<&str> = run.split('-').collect();
            let is_hex = |part: &&str| part.bytes().all(|byte| byte.is_ascii_hexdigit());
            let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
            if lengths == [8, 4, 4, 4, 12] && parts.iter().all(is_hex) {
                if !ids.iter().any(|id| id == run) {
                    ids.push(run.to_owned());
                }
                let at = ids.iter().position(|id| id == run).unwrap_or_default();
                return Some(format!("(id {})", at + 1));
            }
            let is_code = |part: &&&str| matches!(part.len(), 16 | 32) && is_hex(part);
            parts
                .iter()
                .any(|part| is_code(&part))
                .then(|| "(code)".to_owned())
        },
    );
    runs(
        &told,
        |c| c.is_ascii_digit() || "-.:".contains(c),
        |before, run, rest| {
            if before.ends_with("pid=") {
                return Some("(pid)".to_owned());
            }
            if before.ends_with("still at work, for ") || before.ends_with(" at work, for ") {
                return Some("(time)".to_owned());
            }
            let digits = run.bytes().filter(u8::is_ascii_digit).count();
            let dashes = run.matches('-').count();
            if digits == 8 && dashes == 2 {
                return Some("(day)".to_owned());
            }
            if run.starts_with("127.0.0.1:") {
                return Some("127.0.0.1:(port)".to_owned());
            }
            let is_clock = run.len() >= 5 && run.split(':').count() > 1 && digits >= 4;
            let is_long = run.contains('.') && (rest.starts_with(" s") || rest.starts_with('s'));
            if is_clock && run.split(':').all(|part| matches!(part.len(), 1 | 2)) || is_long {
                return Some("(time)".to_owned());
            }
            None
        },
    )
}

/// Each longest run of such characters as something else, by itself and by what is around it.
fn runs(
    text: &str,
    is_in: impl Fn(char) -> bool,
    mut instead: impl FnMut(&str, &str, &str) -> Option<String>,
) -> String {
    let (mut told, mut rest) = (String::new(), text);
    while let Some(at) = rest.find(&is_in) {
        let (before, from) = rest.split_at(at);
        let end = from.find(|c| !is_in(c)).unwrap_or(from.len());
        let (run, after) = from.split_at(end);
        told.push_str(before);
        told.push_str(&instead(before, run, after).unwrap_or_else(|| run.to_owned()));
        rest = after;
    }
    told.push_str(rest);
    told
}
