//! The frames a client sends, written once as text; payloads go in as the bytes they are.

use exai_protocol::{
    RequestId,
    request::{CancelMode, Subscribe},
};
use tokio_tungstenite::tungstenite::Utf8Bytes;

/// A frame being written.
pub(crate) struct Frame(String);

impl Frame {
    pub(crate) fn new(op: &str, id: &RequestId) -> Self {
        Self::with_capacity(op, id, 96)
    }

    pub(crate) fn with_capacity(op: &str, id: &RequestId, room: usize) -> Self {
        let mut text = String::with_capacity(room);
        text.push_str("{\"op\":\"");
        text.push_str(op);
        text.push('"');
        Self(text).text("request_id", id.as_str())
    }

    pub(crate) fn text(self, key: &str, value: &str) -> Self {
        // Strings always serialize; an empty one stands in for the impossible.
        let quoted = serde_json::to_string(value).unwrap_or_else(|_| "\"\"".to_owned());
        self.raw(key, &quoted)
    }

    /// Another client's calls are meant, where one is named.
    pub(crate) fn scope(self, scope: Option<&str>) -> Self {
        match scope {
            Some(scope) => self.text("scope", scope),
            None => self,
        }
    }

    pub(crate) fn number(self, key: &str, value: u64) -> Self {
        self.raw(key, &value.to_string())
    }

    pub(crate) fn list(self, key: &str, values: &[String]) -> Self {
        let list = serde_json::to_string(values).unwrap_or_else(|_| "[]".to_owned());
        self.raw(key, &list)
    }

    /// `json` must be JSON.
    pub(crate) fn raw(mut self, key: &str, json: &str) -> Self {
        self.0.push_str(",\"");
        self.0.push_str(key);
        self.0.push_str("\":");
        self.0.push_str(json);
        self
    }

    pub(crate) fn done(mut self) -> Utf8Bytes {
        self.0.push('}');
        Utf8Bytes::from(self.0)
    }
}

/// `op` is `call_tool`, or `operate` for tools that are not listed.
pub(crate) fn call(op: &str, spec: &crate::CallSpec) -> Utf8Bytes {
    let arguments = spec.arguments.as_deref().map_or("{}", |raw| raw.get());
    let room = arguments.len() + spec.name.len() + 128;
    let mut frame = Frame::with_capacity(op, &spec.request_id, room)
        .text("name", &spec.name)
        .raw("arguments", arguments);
    if let Some(timeout) = spec.timeout_ms {
        frame = frame.number("timeout_ms", timeout);
    }
    if let Some(roots) = &spec.roots {
        frame = frame.list("roots", roots);
    }
    frame.done()
}

pub(crate) fn attach(id: &RequestId, scope: Option<&str>) -> Utf8Bytes {
    Frame::new("attach", id).scope(scope).done()
}

pub(crate) fn cancel(
    id: &RequestId,
    scope: Option<&str>,
    mode: CancelMode,
    reason: &str,
) -> Utf8Bytes {
    let mode = match mode {
        CancelMode::Stop => "stop",
        CancelMode::Detach => "detach",
    };
    Frame::new("cancel", id)
        .scope(scope)
        .text("mode", mode)
        .text("reason", reason)
        .done()
}

pub(crate) fn subscribe(id: &RequestId, wanted: &Subscribe) -> Utf8Bytes {
    let mut frame = Frame::new("subscribe", id).list("topics", &wanted.topics);
    if let Some(since) = wanted.since {
        frame = frame.number("since", since);
    }
    if let Some(boot) = &wanted.boot_id {
        frame = frame.text("boot_id", boot);
    }
    frame.done()
}
