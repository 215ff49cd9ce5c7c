//! `activity`: what the daemon has been doing: its calls, or its own log, by time and by
//! words. The words are plain text, not patterns, so that no filter can run away.

use crate::{
    Ports,
    args::Args,
    kind::{self, Answer},
    log_lines, moment,
    spec::{self, Words},
};
use exai_engine::{
    ports::logs::LogFile,
    tool::{Tool, ToolCall, ToolError, ToolOutput, ToolSpec},
};
use serde_json::{Value, json};
use std::sync::Arc;

/// Lines searched when there is something to search for.
const SEARCHED: usize = 5000;

pub(crate) fn spec() -> ToolSpec {
    spec::glance(&Words {
        name: "activity",
        title: "Activity",
        description: "Recent tool calls, or the daemon's log lines, filtered by words and time; \
             oldest first.",
        schema: r#"{"type":"object","properties":{"lines":{"type":"integer","minimum":10,"maximum":5000,"default":200,"description":"Most lines."},"filter":{"type":"string","description":"Text to look for, any case; a|b means either."},"source":{"type":"string","enum":["auto","activity","server"],"default":"auto","description":"activity: calls; server: log."},"since":{"type":"string","description":"Time (UTC, Unix) or age such as 15m."},"until":{"type":"string","description":"As since."},"structured":{"type":"boolean","default":false,"description":"Answer as JSON."}}}"#,
    })
}

pub(crate) fn tool(ports: &Ports) -> Arc<dyn Tool> {
    let ports = ports.clone();
    kind::from_files(spec(), move |call| answer(&ports, call))
}

/// What was asked for.
struct Wanted {
    lines: usize,
    needles: Vec<String>,
    source: &'static str,
    since: Option<f64>,
    until: Option<f64>,
    structured: bool,
}

impl Wanted {
    fn of(call: &ToolCall, now: f64) -> Result<Self, ToolError> {
        let args = Args::of(call)?;
        let filter = args.text("filter")?.unwrap_or_default().to_lowercase();
        Ok(Self {
            lines: usize::try_from(args.number("lines", 200, 10..=5000)?).unwrap_or(SEARCHED),
            needles: filter
                .split('|')
                .filter(|part| !part.is_empty())
                .map(str::to_owned)
                .collect(),
            source: args.choice("source", &["auto", "activity", "server"], "auto")?,
            since: time(&args, "since", now)?,
            until: time(&args, "until", now)?,
            structured: args.flag("structured", false)?,
        })
    }

    fn narrows(&self) -> bool {
        !self.needles.is_empty() || self.since.is_some() || self.until.is_some()
    }
}

fn time(args: &Args, field: &str, now: f64) -> Result<Option<f64>, ToolError> {
    let Some(text) = args.text(field)?.filter(|text| !text.trim().is_empty()) else {
        return Ok(None);
    };
    moment::parse(text, now).map(Some).ok_or_else(|| {
        ToolError::invalid(format!(
            "'{field}' must be a time such as 2026-03-01T10:00:00Z, Unix seconds, or an age such \
             as 15m or 2h; got {text:?}"
        ))
    })
}

fn answer(ports: &Ports, call: &ToolCall) -> Answer {
    let wanted = Wanted::of(call, ports.vitals.health().t)?;
    let read = if wanted.narrows() {
        SEARCHED
    } else {
        wanted.lines
    };
    let tail = |file| ports.logs.tail(file, read).map_err(ToolError::failed);
    let (source, lines) = match wanted.source {
        "server" => ("server", tail(LogFile::Daemon)?),
        "activity" => ("activity", tail(LogFile::Calls)?),
        _ => match tail(LogFile::Calls)? {
            calls if calls.is_empty() => ("server", tail(LogFile::Daemon)?),
            calls => ("activity", calls),
        },
    };
    let kept = matching(lines, &wanted);
    let shown = |line: &String| {
        log_lines::cut(&if source == "activity" {
            readable(line)
        } else {
            line.clone()
        })
    };
    if wanted.structured {
        let (lines, left_out) = log_lines::newest(kept);
        let lines: Vec<Value> = lines
            .into_iter()
            .map(|line| serde_json::from_str(&line).unwrap_or(Value::String(line)))
            .collect();
        let count = lines.len();
        return ToolOutput::json(
            &json!({ "source": source, "count": count, "left_out": left_out, "lines": lines }),
        );
    }
    let heading = format!("{source}, {} lines, oldest first:", kept.len());
    Ok(ToolOutput::text(&log_lines::block(
        &heading,
        kept.iter().map(shown).collect(),
    )))
}

/// The newest lines that fit time and words. A line without a time of its own belongs to
/// the one before it.
fn matching(lines: Vec<String>, wanted: &Wanted) -> Vec<String> {
    let mut time = None;
    let mut kept: Vec<String> = lines
        .into_iter()
        .filter(|line| {
            if wanted.since.is_some() || wanted.until.is_some() {
                time = moment::of_line(line).or(time);
            }
            let late_enough = wanted
                .since
                .is_none_or(|since| time.is_some_and(|time| time >= since));
            let early_enough = wanted
                .until
                .is_none_or(|until| time.is_some_and(|time| time <= until));
            let lower = if wanted.needles.is_empty() {
                String::new()
            } else {
                line.to_lowercase()
            };
            let named = wanted.needles.is_empty()
                || wanted.needles.iter().any(|needle| lower.contains(needle));
            late_enough && early_enough && named
        })
        .collect();
    let excess = kept.len().saturating_sub(wanted.lines);
    kept.split_off(excess)
}

/// A call's record in a person's words; a line that is none stays as it is.
fn readable(line: &str) -> String {
    let Ok(Value::Object(record)) = serde_json::from_str(line) else {
        return line.to_owned();
    };
    let text = |key: &str| record.get(key).and_then(Value::as_str).unwrap_or("?");
    let Some(time) = moment::of_line(line) else {
        return line.to_owned();
    };
    let outcome = match record.get("success").and_then(Value::as_bool) {
        Some(true) => "ok",
        _ => text("outcome"),
    };
    let took = record
        .get("duration")
        .and_then(Value::as_f64)
        .unwrap_or_default();
    let mut said = format!(
        "{} {} {outcome} {took:.3}s",
        moment::show(time),
        text("tool")
    );
    if let Some(error) = record.get("error").and_then(Value::as_str) {
        said.push_str(" | ");
        said.push_str(error);
    }
    said
}

#[cfg(test)]
mod tests;
