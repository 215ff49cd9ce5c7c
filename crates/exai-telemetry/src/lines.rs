//! The lines of every log, made from the one record. Pure: a buffer and a record in, bytes out.
//! The predecessor's names come first and keep their meaning; ours follow. Times stand in both
//! spellings (`t`, `timestamp`), because its readers use both.

use crate::{
    text::{
        MAX_TEXT, bounded, push_decimal, push_hex, push_json, push_message, push_number,
        push_raw_json, push_value,
    },
    utc::Stamps,
};
use exai_protocol::{
    BootId, Outcome, RawValue, UnixMillis,
    record::{CallFacts, FinishedRecord, ProgressRecord},
};

/// Under which name the record's lines stand in the readable log.
pub const TARGET: &str = "calls";
/// Longest argument text in a line, where the owner asked for arguments at all.
const MAX_ARGUMENTS: usize = 64 * 1024;
/// Longest name in a line; names come from clients.
const MAX_NAME: usize = 256;

/// Which run of the daemon the lines belong to.
#[derive(Debug, Clone)]
pub struct Boot {
    /// Its id.
    pub boot_id: BootId,
    /// Its process.
    pub pid: u32,
    /// Its version.
    pub version: String,
    /// The run that gave its home to this one, and may still finish calls beside it.
    pub after: Option<BootId>,
}

/// `ws_daemon.log`: a daemon began.
pub fn boot(out: &mut Vec<u8>, stamps: &mut Stamps, at: UnixMillis, boot: &Boot) {
    head(out, stamps, at, "INFO", "boot");
    value(out, "boot", boot.boot_id.as_str());
    number(out, "pid", u64::from(boot.pid), "");
    value(out, "version", &boot.version);
    if let Some(after) = &boot.after {
        value(out, "after", after.as_str());
    }
    out.push(b'\n');
}

/// `ws_daemon.log`: a daemon ended in order, with every call answered.
pub fn shutdown(out: &mut Vec<u8>, stamps: &mut Stamps, at: UnixMillis, boot: &Boot) {
    head(out, stamps, at, "INFO", "shutdown");
    value(out, "boot", boot.boot_id.as_str());
    out.push(b'\n');
}

/// `ws_daemon.log`: a call came in.
pub fn received(out: &mut Vec<u8>, stamps: &mut Stamps, boot: &Boot, call: &CallFacts) {
    head(out, stamps, call.received_at, "INFO", "received");
    who(out, call);
    number(out, "args", call.args_bytes, "B");
    out.extend_from_slice(b" sha=");
    push_hex(out, call.args_hash);
    value(out, "boot", boot.boot_id.as_str());
    if let Some(arguments) = &call.arguments {
        out.extend_from_slice(b" arguments=");
        push_json(out, arguments.get(), MAX_ARGUMENTS);
    }
    out.push(b'\n');
}

/// `ws_daemon.log`: a call ended.
pub fn finished(out: &mut Vec<u8>, stamps: &mut Stamps, boot: &Boot, end: &FinishedRecord) {
    let level = match end.outcome {
        Outcome::Ok => "INFO",
        Outcome::Internal => "ERROR",
        _ => "WARNING",
    };
    head(out, stamps, end.finished_at, level, "finished");
    who(out, &end.call);
    value(out, "outcome", end.outcome.as_str());
    out.extend_from_slice(b" queue=");
    push_decimal(out, end.queue_us, 3);
    out.extend_from_slice(b"ms run=");
    match end.run_us {
        Some(run) => {
            push_decimal(out, run, 3);
            out.extend_from_slice(b"ms");
        }
        None => out.push(b'-'),
    }
    number(out, "bytes", end.result_bytes, "");
    value(out, "boot", boot.boot_id.as_str());
    if let Some(error) = &end.error {
        value(out, "code", error.code.as_str());
        out.extend_from_slice(b" error=");
        push_json(out, &error.message, MAX_TEXT);
    }
    out.push(b'\n');
}

/// `ws_daemon.metrics.jsonl`: one line a finished call, whatever its outcome.
pub fn metrics(out: &mut Vec<u8>, boot: &Boot, end: &FinishedRecord) {
    let call = &end.call;
    out.extend_from_slice(b"{\"t\":");
    push_decimal(out, end.finished_at.0, 3);
    out.extend_from_slice(b",\"op\":\"call_tool\",\"lat\":");
    push_decimal(out, total_us(end), 6);
    string(out, "sess", call.session_id.as_str());
    string(out, "name", &call.tool);
    string(out, "prov", &call.provider.to_ascii_uppercase());
    seconds(out, "timestamp", end.finished_at);
    identity(out, boot, end);
    out.extend_from_slice(b"}\n");
}

/// `tool_calls_all.jsonl`: one line a finished call, complete.
pub fn calls(out: &mut Vec<u8>, boot: &Boot, end: &FinishedRecord) {
    let call = &end.call;
    out.extend_from_slice(b"{\"timestamp\":");
    push_decimal(out, end.finished_at.0, 3);
    seconds(out, "t", end.finished_at);
    string(out, "tool", &call.tool);
    out.extend_from_slice(b",\"duration\":");
    push_decimal(out, total_us(end), 6);
    let ok = end.outcome == Outcome::Ok;
    out.extend_from_slice(if ok {
        b",\"success\":true"
    } else {
        b",\"success\":false"
    });
    error(out, end);
    string(out, "session", call.session_id.as_str());
    identity(out, boot, end);
    seconds(out, "received_at", call.received_at);
    string(out, "provider", &call.provider);
    count(out, "args_bytes", call.args_bytes);
    field(out, "args_hash");
    out.push(b'"');
    push_hex(out, call.args_hash);
    out.push(b'"');
    count(out, "number", call.number);
    count(out, "progress", end.progress);
    count(out, "watchers", end.watchers);
    attached(out, "usage", end.usage.as_deref());
    facts(out, end);
    if let Some(arguments) = &call.arguments {
        let text = arguments.get();
        if text.len() <= MAX_ARGUMENTS {
            out.extend_from_slice(b",\"arguments\":");
            push_raw_json(out, text);
        } else {
            out.extend_from_slice(b",\"arguments_start\":");
            push_json(out, bounded(text, MAX_ARGUMENTS).0, MAX_ARGUMENTS);
        }
    }
    out.extend_from_slice(b"}\n");
}

/// `tool_failures.jsonl`: one line a call that did not end well, for whatever reason.
pub fn failures(out: &mut Vec<u8>, boot: &Boot, end: &FinishedRecord) {
    let call = &end.call;
    out.extend_from_slice(b"{\"t\":");
    push_decimal(out, end.finished_at.0, 3);
    string(out, "tool", &call.tool);
    error(out, end);
    out.extend_from_slice(b",\"duration\":");
    push_decimal(out, total_us(end), 6);
    string(out, "session", call.session_id.as_str());
    seconds(out, "timestamp", end.finished_at);
    identity(out, boot, end);
    facts(out, end);
    out.extend_from_slice(b"}\n");
}

/// `progress.log`: one line a message, `<unix seconds>: <message> (…)`.
pub fn progress(out: &mut Vec<u8>, said: &ProgressRecord) {
    push_decimal(out, said.at.0, 3);
    out.extend_from_slice(b": ");
    push_message(out, &said.message, MAX_TEXT);
    out.extend_from_slice(b" (tool=");
    push_value(out, &said.call.tool, MAX_NAME);
    value(out, "id", said.call.request_id.as_str());
    value(out, "stage", &said.stage);
    number(out, "seq", said.seq, "");
    out.extend_from_slice(b")\n");
}

/// `progress.log`: what the bound of one call kept out, under its last messages.
pub fn left_out(out: &mut Vec<u8>, end: &FinishedRecord) {
    push_decimal(out, end.finished_at.0, 3);
    out.extend_from_slice(b": ");
    push_number(out, end.progress_left_out);
    out.extend_from_slice(b" more messages were left out (tool=");
    push_value(out, &end.call.tool, MAX_NAME);
    value(out, "id", end.call.request_id.as_str());
    out.extend_from_slice(b" stage=finished)\n");
}

/// What all lines of a finished call share beyond the predecessor's fields.
fn identity(out: &mut Vec<u8>, boot: &Boot, end: &FinishedRecord) {
    let call = &end.call;
    string(out, "request_id", call.request_id.as_str());
    string(out, "client", &call.client_name);
    if let Some(client_id) = &call.client_id {
        string(out, "client_id", client_id.as_str());
    }
    string(out, "outcome", end.outcome.as_str());
    match &end.error {
        Some(error) => string(out, "code", error.code.as_str()),
        None => out.extend_from_slice(b",\"code\":null"),
    }
    out.extend_from_slice(b",\"queue_ms\":");
    push_decimal(out, end.queue_us, 3);
    out.extend_from_slice(b",\"run_ms\":");
    match end.run_us {
        Some(run) => push_decimal(out, run, 3),
        None => out.extend_from_slice(b"null"),
    }
    count(out, "bytes", end.result_bytes);
    string(out, "boot_id", boot.boot_id.as_str());
}

/// The number first: it is what [`crate::check`] goes by.
fn who(out: &mut Vec<u8>, call: &CallFacts) {
    number(out, "call", call.number, "");
    value(out, "id", call.request_id.as_str());
    value(out, "session", call.session_id.as_str());
    value(out, "client", &call.client_name);
    value(out, "tool", &call.tool);
}

fn head(out: &mut Vec<u8>, stamps: &mut Stamps, at: UnixMillis, level: &str, event: &str) {
    out.extend_from_slice(stamps.at(at));
    out.push(b' ');
    for word in [level, " ", TARGET, ": ", event] {
        out.extend_from_slice(word.as_bytes());
    }
}

fn value(out: &mut Vec<u8>, name: &str, text: &str) {
    out.push(b' ');
    out.extend_from_slice(name.as_bytes());
    out.push(b'=');
    push_value(out, text, MAX_NAME);
}

fn number(out: &mut Vec<u8>, name: &str, number: u64, unit: &str) {
    out.push(b' ');
    out.extend_from_slice(name.as_bytes());
    out.push(b'=');
    push_number(out, number);
    out.extend_from_slice(unit.as_bytes());
}

fn field(out: &mut Vec<u8>, name: &str) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

fn string(out: &mut Vec<u8>, name: &str, text: &str) {
    field(out, name);
    push_json(out, text, MAX_NAME);
}

fn count(out: &mut Vec<u8>, name: &str, number: u64) {
    field(out, name);
    push_number(out, number);
}

fn seconds(out: &mut Vec<u8>, name: &str, at: UnixMillis) {
    field(out, name);
    push_decimal(out, at.0, 3);
}

fn error(out: &mut Vec<u8>, end: &FinishedRecord) {
    field(out, "error");
    match &end.error {
        Some(error) => push_json(out, &error.message, MAX_TEXT),
        None => out.extend_from_slice(b"null"),
    }
}

/// The tool's own facts about its failure: which endpoint, which model, which attempt.
fn facts(out: &mut Vec<u8>, end: &FinishedRecord) {
    let facts = end
        .error
        .as_ref()
        .and_then(|error| error.metadata.as_deref());
    attached(out, "metadata", facts);
}

/// Raw JSON under a name, where there is any and it is no novel.
fn attached(out: &mut Vec<u8>, name: &str, json: Option<&RawValue>) {
    if let Some(json) = json
        .map(RawValue::get)
        .filter(|json| json.len() <= MAX_ARGUMENTS)
    {
        field(out, name);
        push_raw_json(out, json);
    }
}

fn total_us(end: &FinishedRecord) -> u64 {
    end.queue_us.saturating_add(end.run_us.unwrap_or(0))
}

#[cfg(test)]
#[path = "lines_tests.rs"]
mod tests;
