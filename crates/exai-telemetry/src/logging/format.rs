//! One line a diagnostic: `YYYY-MM-DD HH:MM:SS LEVEL target: message field=value`, the
//! predecessor's form. Whatever a value holds, the line stays one.

use crate::{
    text::{MAX_TEXT, push_message, push_value},
    utc::Stamps,
};
use exai_protocol::UnixMillis;
use std::{
    fmt::{self, Write as _},
    time::{SystemTime, UNIX_EPOCH},
};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    registry::LookupSpan,
};

/// The format; with a pid where several processes share a file.
pub(super) struct Lines {
    pub(super) pid: Option<u32>,
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut parts = Parts::default();
        event.record(&mut parts);
        let mut line = Vec::with_capacity(160);
        line.extend_from_slice(Stamps::default().at(now()));
        let meta = event.metadata();
        line.push(b' ');
        line.extend_from_slice(level_name(*meta.level()).as_bytes());
        line.push(b' ');
        line.extend_from_slice(meta.target().as_bytes());
        if let Some(pid) = self.pid {
            line.extend_from_slice(format!("[{pid}]").as_bytes());
        }
        line.extend_from_slice(b": ");
        push_message(&mut line, &parts.message, MAX_TEXT);
        line.extend_from_slice(&parts.fields);
        line.push(b'\n');
        writer.write_str(&String::from_utf8_lossy(&line))
    }
}

#[derive(Default)]
struct Parts {
    message: String,
    fields: Vec<u8>,
}

impl Parts {
    fn add(&mut self, name: &str, text: &str) {
        if name == "message" {
            self.message.push_str(text);
            return;
        }
        self.fields.push(b' ');
        self.fields.extend_from_slice(name.as_bytes());
        self.fields.push(b'=');
        push_value(&mut self.fields, text, MAX_TEXT);
    }
}

impl Visit for Parts {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field.name(), value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut text = String::new();
        // Writing into a string cannot fail; a broken Debug leaves what it wrote.
        let _ = write!(text, "{value:?}");
        self.add(field.name(), &text);
    }
}

fn level_name(level: Level) -> &'static str {
    match level {
        Level::ERROR => "ERROR",
        Level::WARN => "WARNING",
        Level::INFO => "INFO",
        Level::DEBUG => "DEBUG",
        Level::TRACE => "TRACE",
    }
}

fn now() -> UnixMillis {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    UnixMillis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
