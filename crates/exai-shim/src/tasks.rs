//! MCP tasks (the extension of 2026-07-28): a call that outlasts a moment becomes a task, for a
//! client that declared with the request that it can follow one. A task is nothing but the call
//! and its handle; what is known of it is asked of the daemon each time.

use crate::{answer, goes_on::GoesOn};
use exai_protocol::{Code, UnixMillis, WireError, call::CallToolRes};
use exai_telemetry::utc::Stamps;
use rmcp::model::{
    ExtensionCapabilities, JsonObject, RequestId, RequestMetaObject, TASKS_EXTENSION_ID,
};
use serde::Serialize;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How often a client is asked to ask.
const POLL_MS: u64 = 2_000;

/// What may be asked of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// How it is, and its result once there is one.
    Get,
    /// Answers to what it asked; ours ask nothing.
    Update,
    /// That it ends.
    Cancel,
}

/// A request about a task.
#[derive(Debug)]
pub struct TaskAsk {
    /// What the client knows the request by.
    pub id: RequestId,
    /// What is asked.
    pub verb: Verb,
    /// The task: the handle of its call.
    pub task: String,
    /// `_meta`.
    pub meta: RequestMetaObject,
}

impl Verb {
    /// By the name of the method.
    pub(crate) fn of(method: &str) -> Option<Self> {
        Some(match method {
            "tasks/get" => Self::Get,
            "tasks/update" => Self::Update,
            "tasks/cancel" => Self::Cancel,
            _ => return None,
        })
    }

    /// The name of the method.
    pub(crate) fn method(self) -> &'static str {
        match self {
            Self::Get => "tasks/get",
            Self::Update => "tasks/update",
            Self::Cancel => "tasks/cancel",
        }
    }
}

/// What a server says that has tasks.
pub(crate) fn extension() -> ExtensionCapabilities {
    let mut all = ExtensionCapabilities::default();
    all.insert(TASKS_EXTENSION_ID.to_owned(), JsonObject::default());
    all
}

/// Whether the request says that its sender can follow a task.
pub(crate) fn are_declared(meta: &RequestMetaObject) -> bool {
    let declared = meta.client_capabilities();
    declared.is_some_and(|capabilities| capabilities.supports_tasks())
}

/// What every word about a task says.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Task<'a> {
    task_id: &'a str,
    pub(crate) status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_message: Option<String>,
    created_at: String,
    last_updated_at: String,
    ttl_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    poll_interval_ms: Option<u64>,
}

impl<'a> Task<'a> {
    /// A task whose call is at work. It may be discarded when nobody has asked for it for long
    /// enough, which no time from its creation says.
    pub(crate) fn working(call: &'a GoesOn) -> Self {
        let now = now();
        Self {
            task_id: &call.handle,
            status: "working",
            status_message: call.last.clone(),
            created_at: iso(ago(now, call.since)),
            last_updated_at: iso(now),
            ttl_ms: None,
            poll_interval_ms: Some(POLL_MS),
        }
    }

    /// A task whose call has ended so.
    pub(crate) fn ended(handle: &'a str, end: &CallToolRes) -> Self {
        let secs = |secs: Option<f64>| Duration::try_from_secs_f64(secs.unwrap_or(0.0));
        let ended = ago(now(), secs(end.age).unwrap_or_default());
        let took = end
            .timing
            .map(|timing| (timing.queue_ms + timing.run_ms) / 1000.0);
        let status = match &end.error {
            Some(error) if error.code == Code::Cancelled => "cancelled",
            Some(error) if error.code == Code::ToolNotFound => "failed",
            _ => "completed",
        };
        Self {
            task_id: handle,
            status,
            status_message: end.error.as_ref().map(|error| error.message.clone()),
            created_at: iso(ago(ended, secs(took).unwrap_or_default())),
            last_updated_at: iso(ended),
            ttl_ms: None,
            poll_interval_ms: None,
        }
    }
}

/// Whether the end of an attached call is no end of its own: nobody knows it, or nobody can be
/// asked.
pub(crate) fn is_unknown(error: &WireError) -> bool {
    error.code == Code::Expired
}

/// The members of a task, without the braces around them.
pub(crate) fn members(task: &Task<'_>) -> String {
    let mut json = Vec::new();
    answer::write(&mut json, task);
    let json = String::from_utf8(json).unwrap_or_default();
    json.trim_start_matches('{')
        .trim_end_matches('}')
        .to_owned()
}

fn now() -> UnixMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let millis = since.unwrap_or_default().as_millis();
    UnixMillis(u64::try_from(millis).unwrap_or(u64::MAX))
}

fn ago(now: UnixMillis, time: Duration) -> UnixMillis {
    let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    UnixMillis(now.0.saturating_sub(millis))
}

fn iso(at: UnixMillis) -> String {
    let mut stamps = Stamps::default();
    let text = String::from_utf8_lossy(stamps.at(at)).replace(' ', "T");
    format!("{text}Z")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rmcp::model::{DetailedTask, TaskStatus};
    use serde_json::Value;

    fn read(task: &Task<'_>) -> Value {
        serde_json::from_str(&format!("{{{}}}", members(task))).unwrap()
    }

    #[test]
    fn a_task_is_what_the_librarys_own_client_reads() {
        let call = GoesOn {
            heard: true,
            tool: None,
            handle: "ab-7".to_owned(),
            since: Duration::from_secs(60),
            last: Some("a} {word".to_owned()),
            unwatched: Duration::ZERO,
        };
        let task: DetailedTask = serde_json::from_value(read(&Task::working(&call))).unwrap();
        assert_eq!(task.status(), TaskStatus::Working);
        assert_eq!(task.task.task_id, "ab-7");
        assert_eq!(task.task.status_message.as_deref(), Some("a} {word"));
        assert!(task.task.created_at < task.task.last_updated_at);
        assert_eq!(iso(UnixMillis(1_000)), "1970-01-01T00:00:01Z");
    }

    #[test]
    fn an_end_is_one_of_three() {
        for (code, status) in [
            (Code::ExecError, "completed"),
            (Code::OutcomeUnknown, "completed"),
            (Code::Cancelled, "cancelled"),
            (Code::ToolNotFound, "failed"),
        ] {
            let end = CallToolRes::failed("r".into(), WireError::new(code, "words"));
            assert_eq!(read(&Task::ended("h", &end))["status"], status);
        }
    }
}
