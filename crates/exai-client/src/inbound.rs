//! The daemon's frames as the driver sorts them. The envelope is read once; results stay raw.
//! Predecessors are met half-way: unknown error codes, missing text, errors that are strings.

use exai_protocol::{
    Code, RawValue, RequestId, WireError,
    call::{CallToolAck, CallToolRes, Partial, Progress},
    control::{EventFrame, Lagged, Notify, SubscribeRes, ToolsChanged},
    object::RawObject,
};
use serde_json::from_str;

/// One frame.
pub(crate) enum Inbound {
    Acknowledged(CallToolAck),
    Progress(Progress),
    Partial(Partial),
    Finished(Box<CallToolRes>),
    Subscribed(SubscribeRes),
    Event(Box<EventFrame>),
    Lagged(Lagged),
    Notify(Notify),
    ToolsChanged(ToolsChanged),
    ResourcesChanged,
    Error {
        id: Option<RequestId>,
        message: String,
    },
    /// A reply, to be read by whoever asked.
    Reply {
        op: String,
        id: Option<RequestId>,
    },
}

/// Why a frame means nothing to us.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreadable {
    #[error("not a JSON object: {0}")]
    NotAnObject(serde_json::Error),
    #[error("no op")]
    NoOp,
    #[error("{op}: {error}")]
    Fields {
        op: String,
        error: serde_json::Error,
    },
}

pub(crate) fn read(text: &str) -> Result<Inbound, Unreadable> {
    let object = RawObject::parse(text).map_err(Unreadable::NotAnObject)?;
    let Ok(Some(op)) = object.string("op") else {
        return Err(Unreadable::NoOp);
    };
    let fields = |error| Unreadable::Fields {
        op: op.as_ref().to_owned(),
        error,
    };
    Ok(match op.as_ref() {
        "call_tool_res" => Inbound::Finished(Box::new(finished(&object).ok_or(Unreadable::NoOp)?)),
        "progress" => Inbound::Progress(from_str(text).map_err(fields)?),
        "call_tool_ack" => Inbound::Acknowledged(from_str(text).map_err(fields)?),
        "partial" => Inbound::Partial(from_str(text).map_err(fields)?),
        "event" => Inbound::Event(from_str(text).map_err(fields)?),
        "lagged" => Inbound::Lagged(from_str(text).map_err(fields)?),
        "notify" => Inbound::Notify(from_str(text).map_err(fields)?),
        "tools_changed" => Inbound::ToolsChanged(from_str(text).map_err(fields)?),
        "resources_changed" => Inbound::ResourcesChanged,
        "subscribe_res" => Inbound::Subscribed(from_str(text).map_err(fields)?),
        "error" => Inbound::Error {
            id: id_of(&object),
            message: object
                .string("message")
                .ok()
                .flatten()
                .unwrap_or_default()
                .into_owned(),
        },
        _ => Inbound::Reply {
            id: id_of(&object),
            op: op.into_owned(),
        },
    })
}

fn id_of(object: &RawObject<'_>) -> Option<RequestId> {
    object
        .string("request_id")
        .ok()
        .flatten()
        .map(|id| RequestId::new(&*id))
}

fn finished(object: &RawObject<'_>) -> Option<CallToolRes> {
    let owned = |key| object.raw(key).map(RawValue::to_owned);
    let mut outputs = owned("outputs");
    if outputs.is_none()
        && let Ok(Some(text)) = object.string("text")
    {
        outputs = Some(crate::explain::text_block(&text));
    }
    Some(CallToolRes {
        request_id: id_of(object)?,
        outputs,
        text: None,
        error: object.raw("error").map(wire_error),
        structured: owned("structured"),
        usage: owned("usage"),
        timing: object.typed("timing").ok().flatten(),
        attached: object.typed("attached").ok().flatten(),
        replayed: object.typed("replayed").ok().flatten(),
        age: object.typed("age").ok().flatten(),
    })
}

/// An error as any daemon may write it.
fn wire_error(raw: &RawValue) -> WireError {
    if let Ok(mut error) = from_str::<WireError>(raw.get()) {
        if error.code == Code::Duplicate {
            error.message = "an equal call is already running; its answer goes to whoever made \
                             it. Try again in a few seconds."
                .to_owned();
            error.retry_after.get_or_insert(5);
        }
        if error.code == Code::ExecError
            && let Some(odd) = odd_code(raw)
        {
            error.message = format!("{odd}: {}", error.message);
        }
        return error;
    }
    let plain = |message: String| WireError::new(Code::ExecError, message);
    if let Ok(text) = from_str::<String>(raw.get()) {
        return plain(text);
    }
    let Ok(object) = from_str::<RawObject<'_>>(raw.get()) else {
        return plain(raw.get().to_owned());
    };
    let message = object.string("message").ok().flatten().unwrap_or_default();
    let mut error = match object.typed::<Code>("code") {
        Ok(Some(code)) => WireError::new(code, message),
        _ => plain(message.into_owned()),
    };
    error.retry_after = object.typed("retry_after").ok().flatten();
    error
}

/// A code we have no word for; it reads as `EXEC_ERROR` and must not be lost.
fn odd_code(raw: &RawValue) -> Option<String> {
    let object = from_str::<RawObject<'_>>(raw.get()).ok()?;
    let code = object.string("code").ok()??;
    (code != Code::ExecError.as_str()).then(|| code.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(text: &str) -> CallToolRes {
        match read(text).unwrap() {
            Inbound::Finished(result) => *result,
            _ => panic!("not a result: {text}"),
        }
    }

    #[test]
    fn outputs_stay_the_daemons_bytes() {
        let got =
            result(r#"{"op":"call_tool_res","request_id":"a","outputs":[ {"type":"text"} ]}"#);
        assert_eq!(got.outputs.unwrap().get(), r#"[ {"type":"text"} ]"#);
        assert!(got.error.is_none());
    }

    #[test]
    fn a_predecessors_text_becomes_a_block() {
        let got = result(r#"{"op":"call_tool_res","request_id":"a","text":"hi","error":null}"#);
        assert_eq!(
            got.outputs.unwrap().get(),
            r#"[{"type":"text","text":"hi"}]"#
        );
        assert!(got.error.is_none());
    }

    #[test]
    fn a_predecessors_errors_are_understood() {
        for (error, code, part) in [
            (r#""boom""#, Code::ExecError, "boom"),
            (r#"{"code":"TIMEOUT"}"#, Code::Timeout, ""),
            (r#"{"code":"ODD","message":"m"}"#, Code::ExecError, "ODD: m"),
            (
                r#"{"code":"DUPLICATE","message":"m"}"#,
                Code::Duplicate,
                "already running",
            ),
            (r"[1]", Code::ExecError, "[1]"),
        ] {
            let frame = format!(r#"{{"op":"call_tool_res","request_id":"a","error":{error}}}"#);
            let got = result(&frame).error.unwrap();
            assert_eq!(got.code, code, "{error}");
            assert!(got.message.contains(part), "{error}: {}", got.message);
        }
    }

    #[test]
    fn replies_are_left_to_who_asked() {
        let Ok(Inbound::Reply { op, id }) = read(r#"{"op":"list_tools_res","tools":[]}"#) else {
            panic!("not a reply");
        };
        assert_eq!((op.as_str(), id), ("list_tools_res", None));
        assert!(matches!(read("[]"), Err(Unreadable::NotAnObject(_))));
        assert!(matches!(read("{}"), Err(Unreadable::NoOp)));
    }
}
