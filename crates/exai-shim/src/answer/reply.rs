//! Everything a call, or a question about a task, may be answered with.

use super::{
    ENVELOPE, Era, Object, SERVER_INFO, blocks, body, content, info, meta, of_error, result_line,
    write,
};
use crate::{goes_on::GoesOn, parts::Place, tasks};
use exai_protocol::{Code, RawValue, call::CallToolRes};
use rmcp::model::{ErrorData, RequestId};
use serde_json::json;
use tasks::Task;

/// What leaves for a call.
pub(crate) enum Reply {
    /// Its end, with what programs are told beside it.
    Result(CallToolRes, Beside),
    /// It is still at work.
    GoesOn(GoesOn),
    /// The same, for a client that follows tasks: from now on it is one.
    Task(GoesOn),
    /// A task is still at work.
    TaskAt(GoesOn),
    /// A task has ended.
    TaskEnd(String, Box<CallToolRes>),
    /// What was said of a task was heard.
    TaskAck,
    /// The request makes no sense, or cannot be served.
    Error(ErrorData),
}

/// What programs are told beside a result.
#[derive(Debug, Default)]
pub(crate) struct Beside {
    /// The call in one word, where there is more to be had.
    pub(crate) handle: Option<String>,
    /// Which part of the answer this is.
    pub(crate) place: Option<Place>,
}

impl From<CallToolRes> for Reply {
    fn from(result: CallToolRes) -> Self {
        Self::Result(result, Beside::default())
    }
}

/// The line that answers a call: its result, or the protocol error for a request that makes no
/// sense.
pub(crate) fn of_call(id: &RequestId, reply: &Reply, era: Era<'_>) -> Vec<u8> {
    match reply {
        Reply::Result(result, _) if not_found(result).is_some() => of_error(
            id,
            not_found(result).unwrap_or_else(|| ErrorData::internal_error("", None)),
        ),
        Reply::Result(result, beside) => result_line(id, room(result), |out| {
            call_result(out, result, beside, era)
        }),
        Reply::GoesOn(call) => result_line(id, ENVELOPE, |out| {
            let mut body = body(out, era);
            let result = call.result();
            content(body.key("content"), None, blocks(&result));
            let mut meta = Object::open(body.key("_meta"));
            if let Some(facts) = call.facts() {
                meta.raw("exai/continue", facts.get());
            }
            signed(meta, era);
            body.close();
        }),
        Reply::Task(call) => task_line(id, "task", &Task::working(call), era, |_| {}),
        Reply::TaskAt(call) => task_line(id, "complete", &Task::working(call), era, |_| {}),
        Reply::TaskEnd(handle, result) => {
            let task = Task::ended(handle, result);
            task_line(id, "complete", &task, era, |members| match task.status {
                "completed" => {
                    call_result(members.key("result"), result, &Beside::default(), era);
                }
                "failed" => {
                    let error = not_found(result);
                    write(members.key("error"), &error);
                }
                _ => {}
            })
        }
        Reply::TaskAck => result_line(id, ENVELOPE, |out| {
            let mut body = body(out, era);
            signed(Object::open(body.key("_meta")), era);
            body.close();
        }),
        Reply::Error(error) => of_error(id, error.clone()),
    }
}

fn room(result: &CallToolRes) -> usize {
    let structured = result.structured.as_deref().map_or("", RawValue::get);
    blocks(result).len() + structured.len() + ENVELOPE
}

/// The error of a call that names no tool: the request's, not the tool's.
fn not_found(result: &CallToolRes) -> Option<ErrorData> {
    let error = result.error.as_ref()?;
    let data = json!({ "code": error.code.as_str() });
    (error.code == Code::ToolNotFound)
        .then(|| ErrorData::invalid_params(error.message.clone(), Some(data)))
}

/// The result of a call, as one object.
fn call_result(out: &mut Vec<u8>, result: &CallToolRes, beside: &Beside, era: Era<'_>) {
    let structured = result.structured.as_deref().map_or("", RawValue::get);
    let mut body = body(out, era);
    content(body.key("content"), result.error.as_ref(), blocks(result));
    if result.error.is_some() {
        body.value("isError", &true);
    } else if !structured.is_empty() {
        body.raw("structuredContent", structured);
    }
    meta(body.key("_meta"), result, beside, era);
    body.close();
}

fn task_line(
    id: &RequestId,
    kind: &str,
    task: &Task<'_>,
    era: Era<'_>,
    more: impl FnOnce(&mut Object<'_>),
) -> Vec<u8> {
    result_line(id, ENVELOPE, |out| {
        let mut body = Object::open(out);
        body.value("resultType", &kind);
        body.members(&tasks::members(task));
        more(&mut body);
        signed(Object::open(body.key("_meta")), era);
        body.close();
    })
}

/// Closes the facts of a result, saying who made it.
fn signed(mut meta: Object<'_>, era: Era<'_>) {
    if let Era::Modern { server } = era {
        meta.value(SERVER_INFO, &info(server));
    }
    meta.close();
}
