//! One line as a JSON-RPC message, or the answer it gets instead. The arguments of a call are
//! cut out before the MCP library sees the message, and stay the client's bytes.

use crate::{
    answer,
    forwarding::{self, Forward},
    id_scan::IdScan,
    ids,
    tasks::{TaskAsk, Verb},
};
use exai_protocol::{RawValue, limits::MAX_DEPTH, object::RawObject, scan};
use rmcp::model::{
    CancelledNotificationParam, ClientJsonRpcMessage, ClientRequest, ErrorCode, JsonObject,
    JsonRpcMessage, MetaObject, RequestId, RequestMetaObject,
};

/// What a line turned out to be.
#[derive(Debug)]
pub enum Incoming {
    /// For the MCP library.
    Message(Box<ClientJsonRpcMessage>),
    /// A tool call, taken apart.
    Call(Box<Call>),
    /// A question about a task, taken apart.
    Task(Box<TaskAsk>),
    /// Another request for the daemon.
    Forward(Box<Forward>),
    /// The client lets go of a request; also for the library.
    Cancelled {
        /// What it says.
        params: CancelledNotificationParam,
        /// The notification.
        message: Box<ClientJsonRpcMessage>,
    },
    /// To be answered with an error at once.
    Refused(Refusal),
    /// A notification or response that makes no sense: nobody waits for an answer.
    Ignored(String),
}

/// An error answer.
#[derive(Debug)]
pub struct Refusal {
    /// The request's id, where it can be told.
    pub id: Option<RequestId>,
    /// The code of JSON-RPC.
    pub code: ErrorCode,
    /// What is wrong.
    pub message: String,
}

impl Refusal {
    /// The id as it leaves: the JSON the client wrote.
    pub fn id_json(&self) -> Option<Vec<u8>> {
        self.id.as_ref().map(answer::line)
    }
}

/// `tools/call`.
#[derive(Debug)]
pub struct Call {
    /// What the client knows it by.
    pub id: RequestId,
    /// The tool, as the client decorates it.
    pub name: String,
    /// An object, as the client wrote it.
    pub arguments: Option<Box<RawValue>>,
    /// `_meta`.
    pub meta: RequestMetaObject,
    /// The token for progress, as the client wrote it.
    pub progress: Option<Box<RawValue>>,
}

/// Methods that are served; what the library cannot read of their parameters is a fault of the
/// parameters. Of any other method it is told that there is none, whatever its parameters.
const SERVED: [&str; 5] = [
    "initialize",
    "server/discover",
    "ping",
    "tools/list",
    "subscriptions/listen",
];

/// The answer to a line over the limit.
pub fn oversize(id: Option<RequestId>, limit: usize) -> Refusal {
    let message = format!(
        "the message is longer than {limit} bytes and was discarded; pass large content as a \
         file path"
    );
    invalid_request(id, message)
}

/// What a line is; it never fails, for a bad line has its answer too.
pub fn read(line: &[u8]) -> Incoming {
    match parse(line) {
        Ok(incoming) => incoming,
        Err(refusal) => Incoming::Refused(refusal),
    }
}

fn parse(line: &[u8]) -> Result<Incoming, Refusal> {
    let text = std::str::from_utf8(line).map_err(|_| parse_error(line, "it is not UTF-8"))?;
    scan::check(line, MAX_DEPTH).map_err(|fault| match fault {
        scan::ScanError::TooDeep { .. } => invalid_request(IdScan::of(line), fault.to_string()),
        scan::ScanError::ZeroByte { .. } => parse_error(line, &fault.to_string()),
    })?;
    let object = RawObject::parse(text).map_err(|error| not_an_object(line, &error))?;
    let raw_id = object.any("id");
    let id = raw_id.map(id_of).transpose()?;
    let refuse = |message: &str| invalid_request(id.clone(), message.to_owned());
    if !matches!(object.string("jsonrpc"), Ok(Some(version)) if version == "2.0") {
        return Err(refuse("\"jsonrpc\" must be \"2.0\""));
    }
    let is_reply = object.any("result").is_some() || object.any("error").is_some();
    let method = match object.any("method") {
        None if is_reply => return Ok(library(text)),
        None => return Err(refuse("neither \"method\" nor \"result\" nor \"error\"")),
        Some(_) if is_reply => return Err(refuse("a request with a result or an error")),
        Some(_) => object
            .string("method")
            .ok()
            .flatten()
            .ok_or_else(|| refuse("\"method\" must be a string"))?,
    };
    match (id, method.as_ref()) {
        (Some(id), "tools/call") => call(&object, id),
        (Some(id), method) if let Some(verb) = Verb::of(method) => task(&object, id, verb),
        (Some(id), method) if forwarding::is_carried(method) => forward(&object, id, method),
        (Some(id), method) => {
            let text = raw_id.map_or(text.into(), |raw| ids::readable(text, raw, &id));
            request(&text, &object, id, method)
        }
        (None, "notifications/cancelled") => Ok(cancelled(text, &object)),
        (None, _) => Ok(library(text)),
    }
}

/// A message whose id cannot be read cannot be answered by id.
fn id_of(raw: &RawValue) -> Result<RequestId, Refusal> {
    ids::read(raw.get()).ok_or_else(|| {
        let message = "\"id\" must be a string of text or a number";
        invalid_request(None, message.to_owned())
    })
}

fn call(object: &RawObject<'_>, id: RequestId) -> Result<Incoming, Refusal> {
    let refuse = |message: String| invalid_params(id.clone(), message);
    let params = object.raw("params").map(RawValue::get).unwrap_or("{}");
    let params = RawObject::parse(params)
        .map_err(|error| refuse(format!("params of tools/call must be an object: {error}")))?;
    let name = match params.string("name") {
        Ok(Some(name)) if !name.is_empty() => name.into_owned(),
        _ => {
            return Err(refuse(
                "params.name of tools/call must be a non-empty string".to_owned(),
            ));
        }
    };
    let arguments = params.raw("arguments");
    if arguments.is_some_and(|raw| !raw.get().starts_with('{')) {
        return Err(refuse(
            "params.arguments of tools/call must be an object".to_owned(),
        ));
    }
    let meta = meta(&params).map_err(refuse)?;
    let progress = params.raw("_meta").and_then(progress_token);
    Ok(Incoming::Call(Box::new(Call {
        id,
        name,
        arguments: arguments.map(RawValue::to_owned),
        meta,
        progress,
    })))
}

/// `tasks/…`, about one task.
fn task(object: &RawObject<'_>, id: RequestId, verb: Verb) -> Result<Incoming, Refusal> {
    let refuse = |what: &str| {
        let message = format!("params{what}");
        invalid_params(id.clone(), format!("{message} ({})", verb.method()))
    };
    let params = object.raw("params").map(RawValue::get).unwrap_or("{}");
    let params = RawObject::parse(params).map_err(|_| refuse(" must be an object"))?;
    let task = match params.string("taskId") {
        Ok(Some(task)) if !task.is_empty() => task.into_owned(),
        _ => return Err(refuse(".taskId must be a non-empty string")),
    };
    let meta: Option<JsonObject> = params
        .typed("_meta")
        .map_err(|_| refuse("._meta must be an object"))?;
    Ok(Incoming::Task(Box::new(TaskAsk {
        id,
        verb,
        task,
        meta: RequestMetaObject(MetaObject(meta.unwrap_or_default())),
    })))
}

fn meta(params: &RawObject<'_>) -> Result<RequestMetaObject, String> {
    let meta: Option<JsonObject> = params
        .typed("_meta")
        .map_err(|_| "params._meta must be an object".to_owned())?;
    Ok(RequestMetaObject(MetaObject(meta.unwrap_or_default())))
}

fn forward(object: &RawObject<'_>, id: RequestId, method: &str) -> Result<Incoming, Refusal> {
    let refuse = |message: String| invalid_params(id.clone(), message);
    let params = object.raw("params");
    let read = RawObject::parse(params.map_or("{}", RawValue::get))
        .map_err(|error| refuse(format!("params of {method} must be an object: {error}")))?;
    let meta = meta(&read).map_err(refuse)?;
    Ok(Incoming::Forward(Box::new(Forward {
        id,
        method: method.to_owned(),
        params: params.map(RawValue::to_owned),
        meta,
    })))
}

/// A token is what an id may be; of anything else nobody could say whose progress it is.
fn progress_token(meta: &RawValue) -> Option<Box<RawValue>> {
    let meta = RawObject::parse(meta.get()).ok()?;
    let token = meta.raw("progressToken")?;
    ids::read(token.get()).map(|_| token.to_owned())
}

fn request(
    text: &str,
    object: &RawObject<'_>,
    id: RequestId,
    method: &str,
) -> Result<Incoming, Refusal> {
    let params = object.raw("params").map_or("{}", RawValue::get);
    if !params.starts_with('{') {
        return Err(invalid_params(
            id,
            format!("params of {method} must be an object"),
        ));
    }
    // The library takes a cursor that is no text for none, and the client for told.
    let paged = (method == "tools/list").then(|| RawObject::parse(params));
    if paged.is_some_and(|params| params.is_ok_and(|params| params.string("cursor").is_err())) {
        let message = format!("params.cursor of {method} must be a string");
        return Err(invalid_params(id, message));
    }
    match serde_json::from_str::<ClientJsonRpcMessage>(text) {
        Ok(JsonRpcMessage::Request(request))
            if matches!(request.request, ClientRequest::CustomRequest(_))
                && SERVED.contains(&method) =>
        {
            Err(invalid_params(
                id,
                format!("the params do not fit {method}"),
            ))
        }
        Ok(message) => Ok(Incoming::Message(Box::new(message))),
        Err(error) => Err(invalid_params(
            id,
            format!("the params do not fit {method}: {error}"),
        )),
    }
}

fn cancelled(text: &str, object: &RawObject<'_>) -> Incoming {
    let params = object.raw("params").map_or("null", RawValue::get);
    let raw_id = RawObject::parse(params)
        .ok()
        .and_then(|params| params.any("requestId"));
    let id = raw_id.and_then(|raw| Some((raw, ids::read(raw.get())?)));
    // Also the library is told of the request by the id it knows.
    let readable = |text: &str| match &id {
        Some((raw, id)) => ids::readable(text, raw, id).into_owned(),
        None => text.to_owned(),
    };
    let params = serde_json::from_str::<CancelledNotificationParam>(&readable(params));
    match (params.ok(), serde_json::from_str(&readable(text))) {
        (Some(params), Ok(message)) => Incoming::Cancelled {
            params,
            message: Box::new(message),
        },
        _ => Incoming::Ignored("notifications/cancelled without a usable requestId".to_owned()),
    }
}

/// Notifications and responses: nobody may be told that they are wrong.
fn library(text: &str) -> Incoming {
    match serde_json::from_str::<ClientJsonRpcMessage>(text) {
        Ok(message) => Incoming::Message(Box::new(message)),
        Err(error) => Incoming::Ignored(error.to_string()),
    }
}

fn not_an_object(line: &[u8], error: &serde_json::Error) -> Refusal {
    let id = || IdScan::of(line);
    if error.to_string().starts_with("duplicate key") {
        return invalid_request(id(), format!("the message holds a {error}"));
    }
    match (
        serde_json::from_slice::<serde::de::IgnoredAny>(line),
        line.first(),
    ) {
        (Ok(_), Some(b'[')) => invalid_request(
            None,
            "batches are not supported; send one message a line".to_owned(),
        ),
        (Ok(_), _) => invalid_request(None, "the message must be a JSON object".to_owned()),
        (Err(error), _) => parse_error(line, &error.to_string()),
    }
}

fn parse_error(line: &[u8], why: &str) -> Refusal {
    Refusal {
        id: IdScan::of(line),
        code: ErrorCode::PARSE_ERROR,
        message: format!("the line cannot be parsed: {why}"),
    }
}

fn invalid_request(id: Option<RequestId>, message: String) -> Refusal {
    Refusal {
        id,
        code: ErrorCode::INVALID_REQUEST,
        message,
    }
}

fn invalid_params(id: RequestId, message: String) -> Refusal {
    Refusal {
        id: Some(id),
        code: ErrorCode::INVALID_PARAMS,
        message,
    }
}

#[cfg(test)]
#[path = "envelope_tests.rs"]
mod tests;
