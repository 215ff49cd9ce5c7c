//! `logs`: the end of a log, its growth, and the offline proof that every call ended.

use super::Interrupts;
use crate::{
    cli::{LogName, Logs},
    context::Context,
    exit::{self, Code},
    lifecycle::alive,
    output::{self, Tone, paint},
};
use anyhow::{Context as _, Result};
use exai_config::Home;
use exai_telemetry::{
    check::{self, OpenCall, Report},
    follow::Follower,
    tail::tail,
};
use std::{path::PathBuf, time::Duration};

/// Between two looks at a growing log.
const LOOK: Duration = Duration::from_millis(200);

pub(super) async fn run(context: &Context, options: &Logs) -> Result<Code> {
    let path = path(&context.home, options.file);
    let cannot = || format!("cannot read {}", path.display());
    // Opened before the tail is read: a line in between is then shown twice rather than never.
    let mut follower = Follower::at_end(&path).with_context(cannot)?;
    let lines = tail(&path, options.lines).with_context(cannot)?;
    if lines.is_empty() {
        output::hint(format!("{} is empty or not there yet", path.display()));
    }
    for line in lines {
        show(&line)?;
    }
    if !options.follow {
        return Ok(exit::OK);
    }
    let mut interrupts = Interrupts::new();
    loop {
        for line in follower.lines().with_context(cannot)? {
            show(&line)?;
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = interrupts.next() => return Ok(exit::OK),
        }
    }
}

fn show(line: &str) -> std::io::Result<()> {
    if !output::data_is_watched() {
        return output::line(line);
    }
    let tamed = output::tame(line);
    output::line(match level(&tamed) {
        Some(tone) => paint(tone, &tamed),
        None => tamed,
    })
}

/// `YYYY-MM-DD HH:MM:SS LEVEL …`
fn level(line: &str) -> Option<Tone> {
    match line.split_whitespace().nth(2)? {
        "ERROR" | "CRITICAL" => Some(Tone::Bad),
        "WARN" | "WARNING" => Some(Tone::Warning),
        "DEBUG" | "TRACE" => Some(Tone::Quiet),
        _ => None,
    }
}

fn path(home: &Home, log: LogName) -> PathBuf {
    match log {
        LogName::Daemon => home.daemon_log(),
        LogName::Shim => home.shim_log(),
        LogName::Calls => home.calls_file(),
        LogName::Failures => home.failures_file(),
        LogName::Progress => home.progress_log(),
        LogName::Metrics => home.metrics_file(),
    }
}

/// The proof; needs no daemon.
pub(super) fn check(context: &Context, json: bool) -> Result<Code> {
    let report = check::check(&context.home.daemon_log(), alive::with_work(&context.home))?;
    if json {
        output::json(&report.to_json())?;
    } else {
        for line in words(&report) {
            output::line(line)?;
        }
    }
    Ok(if report.is_clean() {
        exit::OK
    } else {
        exit::FAILURE
    })
}

fn words(report: &Report) -> Vec<String> {
    let mut lines: Vec<String> = report
        .violations
        .iter()
        .map(|wrong| {
            format!(
                "FAIL {} ({}:{}): {}",
                wrong.fault,
                wrong.file.display(),
                wrong.line,
                wrong.call
            )
        })
        .collect();
    let open_call = |word: &str, call: &OpenCall| {
        let OpenCall {
            received_at,
            number,
            session,
            request_id,
            tool,
            ..
        } = call;
        format!("{word} {tool} (call {number}, {session}/{request_id}), received {received_at}")
    };
    lines.extend(
        report
            .interrupted
            .iter()
            .map(|call| open_call("interrupted", call)),
    );
    lines.extend(report.open.iter().map(|call| open_call("open", call)));
    let verdict = if report.is_clean() {
        "OK every received call has one end, but for those interrupted by a daemon's death and \
         those still open"
    } else {
        "FAIL some calls do not have exactly one end"
    };
    lines.push(format!(
        "boots={} received={} finished={} interrupted={} open={} violations={}",
        report.boots,
        report.received,
        report.finished,
        report.interrupted.len(),
        report.open.len(),
        report.violations.len()
    ));
    lines.push(verdict.to_owned());
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_has_a_colour_only_where_it_stands() {
        assert_eq!(
            level("2025-01-01 00:00:00 ERROR ws_daemon: x"),
            Some(Tone::Bad)
        );
        assert_eq!(level("2025-01-01 00:00:00 INFO ws_daemon: ERROR"), None);
        assert_eq!(level("short"), None);
    }

    #[test]
    fn r40_a_broken_promise_is_said_first() {
        let mut report = Report {
            received: 2,
            finished: 1,
            boots: 1,
            ..Report::default()
        };
        assert!(words(&report).last().unwrap().starts_with("OK"));
        report.violations.push(check::Violation {
            fault: "ended twice",
            file: "log".into(),
            line: 7,
            call: "1 s/r".into(),
        });
        let lines = words(&report);
        assert_eq!(lines[0], "FAIL ended twice (log:7): 1 s/r");
        assert!(lines.last().unwrap().starts_with("FAIL"));
    }
}
