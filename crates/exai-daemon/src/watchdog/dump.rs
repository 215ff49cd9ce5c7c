//! The calls that ran when something was found, a line of JSON a finding: which call, which tool,
//! whose, how old, how far, and when it last gave a sign. Never what it was asked or answered.
//! The file is rotated like every log.

use exai_engine::calls::CallNow;
use exai_protocol::{UnixMillis, event::WatchdogStatus};
use exai_telemetry::RotatingFile;
use serde::Serialize;

/// Its name in `logs/`.
pub(crate) const NAME: &str = "ws_watchdog.jsonl";
/// Calls in one dump, the oldest first; the rest are counted.
const MOST: usize = 200;
/// Names and stages come from outside.
const MOST_TEXT: usize = 128;

pub(super) struct Dump {
    file: RotatingFile,
}

#[derive(Serialize)]
struct Line<'a> {
    t: f64,
    found: &'a [WatchdogStatus],
    calls: Vec<Row<'a>>,
    calls_left_out: usize,
}

#[derive(Serialize)]
struct Row<'a> {
    call: u64,
    request_id: &'a str,
    session_id: &'a str,
    client: &'a str,
    tool: &'a str,
    state: &'static str,
    stage: &'a str,
    age_secs: f64,
    last_sign_secs: f64,
}

impl Dump {
    pub(super) fn new(file: RotatingFile) -> Self {
        Self { file }
    }

    pub(super) fn write(&mut self, now: UnixMillis, found: &[WatchdogStatus], calls: &[CallNow]) {
        let line = Line {
            t: now.as_secs_f64(),
            found,
            calls: calls.iter().take(MOST).map(row).collect(),
            calls_left_out: calls.len().saturating_sub(MOST),
        };
        self.append(&line);
    }

    pub(super) fn last_words(&mut self, now: UnixMillis, stalled: f64) {
        let t = now.as_secs_f64();
        self.append(&serde_json::json!({ "t": t, "ended": true, "stalled_secs": stalled }));
    }

    fn append(&mut self, line: &impl Serialize) {
        if let Ok(mut bytes) = serde_json::to_vec(line) {
            bytes.push(b'\n');
            self.file.append(&bytes);
        }
    }
}

fn row(call: &CallNow) -> Row<'_> {
    let facts = &call.facts;
    Row {
        call: facts.number,
        request_id: cut(facts.request_id.as_str()),
        session_id: cut(facts.session_id.as_str()),
        client: cut(&facts.client_name),
        tool: cut(&facts.tool),
        state: if call.running { "running" } else { "queued" },
        stage: cut(&call.stage),
        age_secs: call.age.as_secs_f64(),
        last_sign_secs: call.quiet.as_secs_f64(),
    }
}

fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(MOST_TEXT)]
}
