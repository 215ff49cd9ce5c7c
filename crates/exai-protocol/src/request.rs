//! What a client may ask after the handshake. Decoding names the field that is wrong in
//! V1's words; the arguments of a call stay the sender's bytes.

use crate::{
    ClientId, RequestId, Secret,
    limits::MAX_REQUEST_ID_BYTES,
    object::{RawObject, string_of},
};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// One frame from a client.
pub struct Request<'a> {
    /// Echoed in the reply, where the client sent one.
    pub request_id: Option<RequestId>,
    /// What it asks.
    pub op: Op<'a>,
}

/// The ops of V1, then the additions.
pub enum Op<'a> {
    /// The tools this client sees.
    ListTools,
    /// Run a tool, or attach to the same call.
    CallTool(CallTool<'a>),
    /// The same, for whoever runs the daemon: tools that are not listed are found too.
    Operate(CallTool<'a>),
    /// Replace the token.
    RotateToken {
        /// The current one.
        old: Secret,
        /// The next one.
        new: Secret,
    },
    /// The daemon's vital signs.
    Health,
    /// Let go of a call.
    Cancel {
        /// Stop it, or leave it to finish.
        mode: CancelMode,
        /// Why, for the record.
        reason: String,
        /// Whose call it is, where it is not the asker's own.
        scope: Option<String>,
        /// By which named key it was made, where that is not the asker's; for the owner alone.
        key: Option<String>,
    },
    /// Watch a call again by its id.
    Attach {
        /// Whose call it is, where it is not the asker's own.
        scope: Option<String>,
    },
    /// Read a finished call's result in pages.
    Collect {
        /// First byte wanted.
        offset: u64,
        /// Most bytes wanted.
        limit: u64,
        /// Whose call it is, where it is not the asker's own.
        scope: Option<String>,
    },
    /// Receive events.
    Subscribe(Subscribe),
    /// No more events.
    Unsubscribe,
    /// Are you there.
    Ping,
    /// Who else is connected.
    Sessions,
    /// Tell other clients something.
    Notify {
        /// One client, or all.
        to: Option<ClientId>,
        /// `info`, `warning` or `error`.
        level: String,
        /// For a person.
        message: String,
    },
    /// An MCP method carried to the daemon.
    Mcp {
        /// Its name.
        method: String,
        /// Its parameters, untouched.
        params: Option<&'a RawValue>,
    },
    /// Drain and exit.
    Shutdown {
        /// How long running calls may go on.
        drain_ms: u64,
        /// Why, for the record.
        reason: String,
    },
}

/// `call_tool`.
pub struct CallTool<'a> {
    /// The tool's name as the client knows it.
    pub name: Cow<'a, str>,
    /// Its arguments, untouched; absent means `{}`.
    pub arguments: Option<&'a RawValue>,
    /// How long the client will wait, where it says so.
    pub timeout_ms: Option<u64>,
    /// The folders its user has open now, where it says so.
    pub roots: Option<Vec<String>>,
}

/// The two ways to let go of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancelMode {
    /// End it.
    Stop,
    /// Nobody waits; it finishes and can be collected.
    Detach,
}

/// `subscribe`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Subscribe {
    /// Topics wanted; empty means all.
    pub topics: Vec<String>,
    /// Replay what came after this sequence number.
    pub since: Option<u64>,
    /// The boot that number belongs to.
    pub boot_id: Option<String>,
}

/// A frame that cannot be served, and the id to answer under where there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRequest {
    /// V1's message, for the `error` frame.
    pub message: String,
    /// Present whenever it could be read.
    pub request_id: Option<RequestId>,
}

impl<'a> Request<'a> {
    /// Reads one frame.
    ///
    /// # Errors
    /// [`BadRequest`] with V1's wording; the connection stays open.
    pub fn decode(text: &'a str) -> Result<Self, BadRequest> {
        let object = RawObject::parse(text)
            .map_err(|error| bad(Remains::of(text).request_id, not_an_object(text, &error)))?;
        let request_id = request_id(&object)?;
        let op = match object.string("op") {
            Ok(Some(op)) => op,
            _ => {
                return Err(bad(
                    request_id,
                    invalid("missing or invalid 'op' field (must be string)"),
                ));
            }
        };
        match op_of(&op, &object) {
            Ok(Some(op)) => Ok(Self { request_id, op }),
            Ok(None) => Err(bad(request_id, format!("Unknown op: {op}"))),
            Err(message) => Err(bad(request_id, message)),
        }
    }
}

/// What can be read of a frame that cannot be served as a whole (too deep, a key twice), so that
/// even its refusal reaches whoever waits for it and is recorded. Only what stands there once
/// counts: which of two is nobody's guess.
#[derive(Debug, Default)]
pub struct Remains<'a> {
    /// Its id.
    pub request_id: Option<RequestId>,
    /// Whether a call was meant.
    pub is_call: bool,
    /// The tool's name.
    pub name: Option<Cow<'a, str>>,
    /// What stands where arguments should.
    pub arguments: Option<&'a RawValue>,
}

impl<'a> Remains<'a> {
    /// Looks over a frame without recursion; garbage leaves nothing.
    #[must_use]
    pub fn of(text: &'a str) -> Self {
        let Ok(fields) = serde_json::from_str::<Fields<'a>>(text) else {
            return Self::default();
        };
        let only = |values: &[&'a RawValue]| match values {
            [value] => Some(*value),
            _ => None,
        };
        let is_call = fields
            .op
            .iter()
            .any(|op| matches!(string_of(op).as_deref(), Ok("call_tool" | "operate")));
        let request_id = only(&fields.request_id)
            .and_then(|id| string_of(id).ok())
            .filter(|id| !id.is_empty() && id.len() <= MAX_REQUEST_ID_BYTES);
        Self {
            request_id: request_id.map(|id| RequestId::new(&*id)),
            is_call,
            name: only(&fields.name)
                .and_then(|name| string_of(name).ok())
                .filter(|name| !name.is_empty()),
            arguments: only(&fields.arguments),
        }
    }
}

/// The values of the fields that tell what a frame was.
#[derive(Default)]
struct Fields<'a> {
    op: Vec<&'a RawValue>,
    request_id: Vec<&'a RawValue>,
    name: Vec<&'a RawValue>,
    arguments: Vec<&'a RawValue>,
}

impl<'de: 'a, 'a> serde::Deserialize<'de> for Fields<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Walk;
        impl<'de> serde::de::Visitor<'de> for Walk {
            type Value = Fields<'de>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a JSON object")
            }
            fn visit_map<M: serde::de::MapAccess<'de>>(
                self,
                mut map: M,
            ) -> Result<Fields<'de>, M::Error> {
                let mut fields = Fields::default();
                while let Some(key) = map.next_key::<Cow<'de, str>>()? {
                    let values = match &*key {
                        "op" => &mut fields.op,
                        "request_id" => &mut fields.request_id,
                        "name" => &mut fields.name,
                        "arguments" => &mut fields.arguments,
                        _ => {
                            map.next_value::<serde::de::IgnoredAny>()?;
                            continue;
                        }
                    };
                    let value = map.next_value()?;
                    // A third tells no more than a second.
                    if values.len() < 2 {
                        values.push(value);
                    }
                }
                Ok(fields)
            }
        }
        deserializer.deserialize_map(Walk)
    }
}

fn op_of<'a>(op: &str, object: &RawObject<'a>) -> Result<Option<Op<'a>>, String> {
    Ok(Some(match op {
        "call_tool" => Op::CallTool(call_tool(object)?),
        "operate" => Op::Operate(call_tool(object)?),
        "list_tools" => Op::ListTools,
        "health" => Op::Health,
        "rotate_token" => rotate_token(object)?,
        "cancel" => Op::Cancel {
            mode: cancel_mode(object)?,
            reason: text(object, "reason")?,
            scope: scope(object)?,
            key: Some(text(object, "key")?).filter(|key| !key.is_empty()),
        },
        "attach" => Op::Attach {
            scope: scope(object)?,
        },
        "collect" => Op::Collect {
            offset: number(object, "offset")?.unwrap_or(0),
            limit: number(object, "limit")?.unwrap_or(u64::MAX),
            scope: scope(object)?,
        },
        "subscribe" => Op::Subscribe(subscribe(object)?),
        "unsubscribe" => Op::Unsubscribe,
        "ping" => Op::Ping,
        "sessions" => Op::Sessions,
        "notify" => Op::Notify {
            to: Some(text(object, "to")?)
                .filter(|to| !to.is_empty())
                .map(ClientId::new),
            level: text(object, "level")?,
            message: text(object, "message")?,
        },
        "mcp" => Op::Mcp {
            method: text(object, "method")?,
            params: object.raw("params"),
        },
        "shutdown" => Op::Shutdown {
            drain_ms: number(object, "drain_ms")?.unwrap_or(30_000),
            reason: text(object, "reason")?,
        },
        _ => return Ok(None),
    }))
}

/// Another client of the same principal, as the journal names it.
fn scope(object: &RawObject<'_>) -> Result<Option<String>, String> {
    Ok(Some(text(object, "scope")?).filter(|scope| !scope.is_empty()))
}

fn call_tool<'a>(object: &RawObject<'a>) -> Result<CallTool<'a>, String> {
    let name = match object.string("name") {
        Ok(Some(name)) if !name.is_empty() => name,
        _ => return Err(invalid("call_tool requires 'name' (non-empty string)")),
    };
    let arguments = object.raw("arguments");
    if arguments.is_some_and(|raw| !raw.get().starts_with('{')) {
        return Err(invalid("arguments must be a JSON object"));
    }
    let roots = object
        .typed("roots")
        .map_err(|error| invalid(&format!("roots: {error}")))?;
    Ok(CallTool {
        name,
        arguments,
        timeout_ms: number(object, "timeout_ms")?,
        roots,
    })
}

fn rotate_token<'a>(object: &RawObject<'a>) -> Result<Op<'a>, String> {
    let field = |key| {
        object
            .string(key)
            .map(|text| Secret::new(text.unwrap_or_default()))
            .map_err(|_| invalid("rotate_token requires 'old' and 'new' (strings)"))
    };
    Ok(Op::RotateToken {
        old: field("old")?,
        new: field("new")?,
    })
}

fn cancel_mode(object: &RawObject<'_>) -> Result<CancelMode, String> {
    match text(object, "mode")?.as_str() {
        "" | "stop" => Ok(CancelMode::Stop),
        "detach" => Ok(CancelMode::Detach),
        other => Err(invalid(&format!(
            "mode must be 'stop' or 'detach', not {other:?}"
        ))),
    }
}

fn subscribe(object: &RawObject<'_>) -> Result<Subscribe, String> {
    let topics = object
        .typed("topics")
        .map_err(|error| invalid(&format!("topics: {error}")))?;
    let boot_id = Some(text(object, "boot_id")?).filter(|id| !id.is_empty());
    Ok(Subscribe {
        topics: topics.unwrap_or_default(),
        since: number(object, "since")?,
        boot_id,
    })
}

fn request_id(object: &RawObject<'_>) -> Result<Option<RequestId>, BadRequest> {
    match object.string("request_id") {
        Ok(Some(id)) if id.len() > MAX_REQUEST_ID_BYTES => {
            let length = id.len();
            let limit = MAX_REQUEST_ID_BYTES;
            Err(bad(
                None,
                invalid(&format!(
                    "request_id is {length} bytes; the limit is {limit}"
                )),
            ))
        }
        Ok(id) => Ok(id
            .filter(|id| !id.is_empty())
            .map(|id| RequestId::new(&*id))),
        Err(_) => Err(bad(None, invalid("request_id must be a string"))),
    }
}

fn text(object: &RawObject<'_>, key: &str) -> Result<String, String> {
    object
        .string(key)
        .map(|text| text.unwrap_or_default().into_owned())
        .map_err(|_| invalid(&format!("{key} must be a string")))
}

fn number(object: &RawObject<'_>, key: &str) -> Result<Option<u64>, String> {
    object
        .typed(key)
        .map_err(|_| invalid(&format!("{key} must be a whole number, 0 or more")))
}

fn not_an_object(text: &str, error: &serde_json::Error) -> String {
    let duplicate = error.to_string();
    if duplicate.starts_with("duplicate key") {
        return invalid(&duplicate);
    }
    match serde_json::from_str::<serde::de::IgnoredAny>(text) {
        Ok(_) => invalid("message must be a JSON object"),
        Err(_) => "invalid_json".to_owned(),
    }
}

fn invalid(what: &str) -> String {
    format!("invalid_message: {what}")
}

fn bad(request_id: Option<RequestId>, message: String) -> BadRequest {
    BadRequest {
        message,
        request_id,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remains(text: &str) -> (Option<String>, bool, Option<String>, Option<String>) {
        let Remains {
            request_id,
            is_call,
            name,
            arguments,
        } = Remains::of(text);
        (
            request_id.map(|id| id.as_str().to_owned()),
            is_call,
            name.map(Cow::into_owned),
            arguments.map(|raw| raw.get().to_owned()),
        )
    }

    #[test]
    fn what_remains_of_a_broken_call() {
        let some = |text: &str| Some(text.to_owned());
        let whole = r#"{"op":"call_tool","request_id":"r","name":"n","arguments":[1]}"#;
        assert_eq!(remains(whole), (some("r"), true, some("n"), some("[1]")));
        let twins = r#"{"op":"ping","op":"call_tool","request_id":"r","request_id":"r","name":"a","name":"b"}"#;
        assert_eq!(remains(twins), (None, true, None, None), "nobody's guess");
        let odd = r#"{"op":"operate","request_id":7,"name":"","arguments":null}"#;
        assert_eq!(remains(odd), (None, true, None, some("null")));
        for none in [
            "",
            "[]",
            "{",
            r#"{"op":"call_tool""#,
            r#"{"op":7}"#,
            "\"call_tool\"",
        ] {
            assert_eq!(remains(none), (None, false, None, None), "{none}");
        }
        let other = r#"{"op":"cancel","request_id":"r","mode":1}"#;
        assert_eq!(remains(other), (some("r"), false, None, None));
    }

    #[test]
    fn s10_what_remains_is_read_without_recursion() {
        let (open, close) = ("[".repeat(1_000_000), "]".repeat(1_000_000));
        let deep = format!(
            r#"{{"x":{open}{close},"arguments":{open}{close},"op":"call_tool","request_id":"r"}}"#
        );
        let remains = Remains::of(&deep);
        assert!(remains.is_call);
        assert_eq!(remains.request_id, Some("r".into()));
        assert_eq!(
            remains.arguments.map(|raw| raw.get().len()),
            Some(2_000_000)
        );
    }
}
