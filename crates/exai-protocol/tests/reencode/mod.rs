//! Writes a decoded request as a client would have: the match is exhaustive, so an op without
//! a golden file does not go unnoticed.

use exai_protocol::{
    RawValue,
    request::{CallTool, CancelMode, Op, Request},
};
use serde_json::{Map, Value, json};

/// The frame again, absent fields left out.
pub(crate) fn request(request: &Request<'_>) -> Value {
    let mut frame = Map::new();
    frame.insert("op".into(), op_name(&request.op).into());
    if let Some(id) = &request.request_id {
        frame.insert("request_id".into(), id.as_str().into());
    }
    let mut put = |key: &str, value: Value| {
        if !value.is_null() && value != json!([]) {
            frame.insert(key.into(), value);
        }
    };
    match &request.op {
        Op::ListTools | Op::Health | Op::Unsubscribe | Op::Ping | Op::Sessions => {}
        Op::CallTool(call) | Op::Operate(call) => call_tool(call, &mut put),
        Op::RotateToken { old, new } => {
            put("old", old.expose().into());
            put("new", new.expose().into());
        }
        Op::Cancel {
            mode,
            reason,
            scope,
            key,
        } => {
            for (name, said) in [("scope", scope), ("key", key)] {
                if let Some(said) = said {
                    put(name, said.as_str().into());
                }
            }
            put(
                "mode",
                if *mode == CancelMode::Stop {
                    "stop"
                } else {
                    "detach"
                }
                .into(),
            );
            put("reason", reason.as_str().into());
        }
        Op::Attach { scope } => put("scope", json!(scope)),
        Op::Collect {
            offset,
            limit,
            scope,
        } => {
            put("offset", (*offset).into());
            put("limit", (*limit).into());
            put("scope", json!(scope));
        }
        Op::Subscribe(subscribe) => {
            put("topics", json!(subscribe.topics));
            put("since", json!(subscribe.since));
            put("boot_id", json!(subscribe.boot_id));
        }
        Op::Notify { to, level, message } => {
            put("to", json!(to.as_ref().map(|to| to.as_str())));
            put("level", level.as_str().into());
            put("message", message.as_str().into());
        }
        Op::Mcp { method, params } => {
            put("method", method.as_str().into());
            put("params", raw(*params));
        }
        Op::Shutdown { drain_ms, reason } => {
            put("drain_ms", (*drain_ms).into());
            put("reason", reason.as_str().into());
        }
    }
    Value::Object(frame)
}

fn call_tool(call: &CallTool<'_>, put: &mut impl FnMut(&str, Value)) {
    put("name", (&*call.name).into());
    put("arguments", raw(call.arguments));
    put("timeout_ms", json!(call.timeout_ms));
    put("roots", json!(call.roots));
}

fn raw(value: Option<&RawValue>) -> Value {
    value.map_or(Value::Null, |value| {
        serde_json::from_str(value.get()).unwrap()
    })
}

fn op_name(op: &Op<'_>) -> &'static str {
    match op {
        Op::ListTools => "list_tools",
        Op::CallTool(_) => "call_tool",
        Op::Operate(_) => "operate",
        Op::RotateToken { .. } => "rotate_token",
        Op::Health => "health",
        Op::Cancel { .. } => "cancel",
        Op::Attach { .. } => "attach",
        Op::Collect { .. } => "collect",
        Op::Subscribe(_) => "subscribe",
        Op::Unsubscribe => "unsubscribe",
        Op::Ping => "ping",
        Op::Sessions => "sessions",
        Op::Notify { .. } => "notify",
        Op::Mcp { .. } => "mcp",
        Op::Shutdown { .. } => "shutdown",
    }
}
