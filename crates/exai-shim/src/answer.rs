//! What the client gets for a call: the daemon's blocks as they came, or an error a model can
//! act on. The answer to a call is written once, as the line that leaves; a list travels
//! through the MCP library as one ready piece of JSON.

mod reply;

pub(crate) use reply::{Beside, Reply, of_call};

use crate::{continuing, ids, parts::Place};
use exai_protocol::{RawValue, WireError, call::CallToolRes, object::RawObject};
use rmcp::model::{
    ErrorData, ListToolsResult, MetaObject, RequestId, ServerJsonRpcMessage, ServerResult,
};
use serde::Serialize;
use serde_json::{Value, json};

/// Marks a list whose JSON is ready. Never leaves the process.
const READY: &str = "exai-shim/ready";

/// Where a result of the new era says who made it.
const SERVER_INFO: &str = "io.modelcontextprotocol/serverInfo";

/// Room for everything but the payload.
const ENVELOPE: usize = 512;

/// Which shape of results the client's protocol revision wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Era<'a> {
    /// Up to 2025-11-25.
    Legacy,
    /// From 2026-07-28 on, where every result says who made it.
    Modern {
        /// The name we go by.
        server: &'a str,
    },
}

/// The line that answers what the daemon answered: its result as it came, in the era's form.
/// `ttl_ms` is for what may be kept a moment.
pub(crate) fn of_carried(
    id: &RequestId,
    result: &RawValue,
    era: Era<'_>,
    ttl_ms: Option<u64>,
) -> Vec<u8> {
    let inner = result.get().trim();
    let inner = inner
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'));
    let inner = inner.unwrap_or_default().trim();
    let has_meta = RawObject::parse(result.get()).is_ok_and(|all| all.any("_meta").is_some());
    result_line(id, inner.len() + ENVELOPE, |out| {
        let mut body = body(out, era);
        if let Era::Modern { server } = era {
            body.value("ttlMs", &ttl_ms.unwrap_or(0));
            body.value("cacheScope", &"private");
            if !has_meta {
                let mut meta = Object::open(body.key("_meta"));
                meta.value(SERVER_INFO, &info(server));
                meta.close();
            }
        }
        if !inner.is_empty() {
            body.members(inner);
        }
        body.close();
    })
}

/// The line of a protocol error.
pub(crate) fn of_error(id: &RequestId, error: ErrorData) -> Vec<u8> {
    line(&ServerJsonRpcMessage::error(error, Some(id.clone())))
}

/// The line of a message of the MCP library's.
pub(crate) fn line(message: &impl Serialize) -> Vec<u8> {
    let mut line = Vec::new();
    write(&mut line, message);
    ids::restore(line)
}

/// The line of a list made by this module.
pub(crate) fn of_ready(id: &RequestId, result: &str) -> Vec<u8> {
    result_line(id, result.len() + ENVELOPE, |out| {
        out.extend_from_slice(result.as_bytes());
    })
}

/// The list of tools, with the one that is the shim's own where the client may need it.
pub(crate) fn of_list(tools: &RawValue, may_continue: bool, era: Era<'_>) -> ListToolsResult {
    let tools = tools.get();
    let mut out = Vec::with_capacity(tools.len() + continuing::ENTRY.len() + ENVELOPE);
    let mut body = body(&mut out, era);
    match tools.strip_suffix(']').map(str::trim_end) {
        Some(list) if may_continue => {
            let comma = if list.ends_with('[') { "" } else { "," };
            let entry = continuing::ENTRY;
            body.raw("tools", &format!("{list}{comma}{entry}]"));
        }
        _ => body.raw("tools", tools),
    }
    if let Era::Modern { server } = era {
        let mut meta = Object::open(body.key("_meta"));
        meta.value(SERVER_INFO, &info(server));
        meta.close();
        body.value("ttlMs", &60_000);
        body.value("cacheScope", &"private");
    }
    body.close();
    let mut meta = MetaObject::default();
    let ready = String::from_utf8_lossy(&out).into_owned();
    meta.insert(READY.to_owned(), Value::String(ready));
    ListToolsResult {
        meta: Some(meta),
        ..ListToolsResult::default()
    }
}

/// The JSON of a list made by this module.
pub(crate) fn ready(result: &mut ServerResult) -> Option<String> {
    let ServerResult::ListToolsResult(result) = result else {
        return None;
    };
    match result.meta.as_mut()?.get_mut(READY)? {
        Value::String(text) => Some(std::mem::take(text)),
        _ => None,
    }
}

fn result_line(id: &RequestId, room: usize, write_result: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut line = Vec::with_capacity(room);
    line.extend_from_slice(b"{\"jsonrpc\":\"2.0\",\"id\":");
    match id {
        RequestId::Number(id) => write(&mut line, id),
        RequestId::String(id) => line.append(&mut self::line(id)),
    }
    line.extend_from_slice(b",\"result\":");
    let start = line.len();
    write_result(&mut line);
    // A result may come from pretty-printed JSON; between values a space means the same.
    for byte in &mut line[start..] {
        *byte = if matches!(*byte, b'\n' | b'\r') {
            b' '
        } else {
            *byte
        };
    }
    line.push(b'}');
    line
}

/// A result of this era, so far without anything in it.
fn body<'a>(out: &'a mut Vec<u8>, era: Era<'_>) -> Object<'a> {
    let mut body = Object::open(out);
    if era != Era::Legacy {
        body.value("resultType", &"complete");
    }
    body
}

/// What stands between the brackets of the daemon's list of blocks.
fn blocks(result: &CallToolRes) -> &str {
    let outputs = result.outputs.as_deref().map_or("", RawValue::get).trim();
    let blocks = outputs
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    blocks.map_or("", str::trim)
}

/// The blocks; an error's own words first.
fn content(out: &mut Vec<u8>, error: Option<&WireError>, blocks: &str) {
    out.push(b'[');
    if let Some(error) = error {
        write(out, &json!({ "type": "text", "text": sentence(error) }));
        if !blocks.is_empty() {
            out.push(b',');
        }
    }
    out.extend_from_slice(blocks.as_bytes());
    out.push(b']');
}

/// What happened, and what to do: the hint to wait is told in words, because models read words.
fn sentence(error: &WireError) -> String {
    let message = match error.message.trim() {
        "" => format!("The call failed ({}).", error.code.as_str()),
        message => message.to_owned(),
    };
    match error.retry_after {
        Some(seconds) if !message.contains(&seconds.to_string()) => {
            format!("{message}\nTry again in {seconds} s.")
        }
        _ => message,
    }
}

/// Facts for programs; models are not shown these.
fn meta(out: &mut Vec<u8>, result: &CallToolRes, beside: &Beside, era: Era<'_>) {
    let mut meta = Object::open(out);
    if !result.request_id.as_str().is_empty() {
        meta.value("exai/request_id", &result.request_id);
    }
    if let Some(error) = &result.error {
        meta.value("exai/code", &error.code.as_str());
        if let Some(ran) = error.ran {
            meta.value("exai/ran", &ran);
        }
        if let Some(seconds) = error.retry_after {
            meta.value("exai/retry_after", &seconds);
        }
        if let Some(facts) = &error.metadata {
            meta.raw("exai/error", facts.get());
        }
    }
    if result.replayed == Some(true) {
        meta.value("exai/replayed", &true);
        meta.value("exai/age", &result.age.unwrap_or_default());
    }
    if let Some(place) = beside.place {
        let (handle, Place { part, of }) = (&beside.handle, place);
        let facts = json!({ "page": part, "of": of, "handle": handle });
        meta.value("exai/page", &facts);
    }
    if let Some(timing) = result.timing {
        meta.value("exai/timing", &timing);
    }
    if let Some(usage) = &result.usage {
        meta.raw("exai/usage", usage.get());
    }
    if let Era::Modern { server } = era {
        meta.value(SERVER_INFO, &info(server));
    }
    meta.close();
}

fn info(server: &str) -> Value {
    json!({ "name": server, "version": env!("CARGO_PKG_VERSION") })
}

/// An object being written. Its keys are our own and need no escapes.
struct Object<'a> {
    out: &'a mut Vec<u8>,
    next: u8,
}

impl<'a> Object<'a> {
    fn open(out: &'a mut Vec<u8>) -> Self {
        Self { out, next: b'{' }
    }

    /// Where the value of this key is to be written.
    fn key(&mut self, key: &str) -> &mut Vec<u8> {
        self.out.push(std::mem::replace(&mut self.next, b','));
        self.out.push(b'"');
        self.out.extend_from_slice(key.as_bytes());
        self.out.extend_from_slice(b"\":");
        self.out
    }

    /// Members that are written already.
    fn members(&mut self, members: &str) {
        self.out.push(std::mem::replace(&mut self.next, b','));
        self.out.extend_from_slice(members.as_bytes());
    }

    fn raw(&mut self, key: &str, json: &str) {
        self.key(key).extend_from_slice(json.as_bytes());
    }

    fn value(&mut self, key: &str, value: &impl Serialize) {
        write(self.key(key), value);
    }

    fn close(self) {
        if self.next == b'{' {
            self.out.push(b'{');
        }
        self.out.push(b'}');
    }
}

pub(crate) fn write(out: &mut Vec<u8>, value: &impl Serialize) {
    let start = out.len();
    if let Err(error) = serde_json::to_writer(&mut *out, value) {
        tracing::error!(%error, "a message that cannot be written");
        out.truncate(start);
        out.extend_from_slice(b"null");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use exai_protocol::Code;

    fn answer(result: CallToolRes, era: Era<'_>) -> Value {
        let line = of_call(&RequestId::Number(7), &result.into(), era);
        assert!(!line.contains(&b'\n'), "a line is one line");
        let answer: Value = serde_json::from_slice(&line).unwrap();
        assert_eq!(
            (&answer["jsonrpc"], &answer["id"]),
            (&json!("2.0"), &json!(7))
        );
        answer
    }

    fn text(result: CallToolRes, era: Era<'_>) -> Value {
        answer(result, era)["result"].take()
    }

    fn ok(outputs: &str) -> CallToolRes {
        let mut result = CallToolRes::failed("r".into(), WireError::new(Code::Internal, ""));
        result.error = None;
        result.outputs = Some(RawValue::from_string(outputs.to_owned()).unwrap());
        result
    }

    #[test]
    fn blocks_pass_through_whole() {
        let outputs = r#"[{"type":"text","text":"a"},{"type":"odd","x":1.50}]"#;
        let got = text(ok(outputs), Era::Legacy);
        assert_eq!(
            got["content"],
            serde_json::from_str::<Value>(outputs).unwrap()
        );
        assert!(got.get("isError").is_none() && got.get("resultType").is_none());
        assert_eq!(got["_meta"]["exai/request_id"], "r");
        let got = text(ok(outputs), Era::Modern { server: "me" });
        assert_eq!(got["resultType"], "complete");
        assert_eq!(
            got["_meta"]["io.modelcontextprotocol/serverInfo"]["name"],
            "me"
        );
    }

    #[test]
    fn an_error_is_text_only_with_its_code_beside_it() {
        let error = WireError::new(Code::OverCapacity, "The daemon is full.").retry_after(3);
        let mut result = CallToolRes::failed("r".into(), error);
        result.structured = Some(RawValue::from_string("{}".to_owned()).unwrap());
        let got = text(result, Era::Legacy);
        assert_eq!(got["isError"], true);
        assert_eq!(
            got["content"][0]["text"],
            "The daemon is full.\nTry again in 3 s."
        );
        assert!(got.get("structuredContent").is_none());
        assert_eq!(got["_meta"]["exai/code"], "OVER_CAPACITY");
    }

    #[test]
    fn an_error_beside_outputs_keeps_both() {
        let mut result = ok(r#" [ {"type":"text","text":"part"} ] "#);
        result.error = Some(WireError::new(Code::ExecError, "broke"));
        let got = text(result, Era::Legacy);
        assert_eq!(got["content"][0]["text"], "broke");
        assert_eq!(got["content"][1]["text"], "part");
    }

    #[test]
    fn an_unknown_tool_is_a_protocol_error() {
        let error = WireError::new(Code::ToolNotFound, "no tool 'x'; closest: 'y'");
        let answer = answer(CallToolRes::failed("r".into(), error), Era::Legacy);
        assert_eq!(answer["error"]["code"], -32602);
        let message = answer["error"]["message"].as_str().unwrap();
        assert!(message.contains("closest") && answer.get("result").is_none());
    }

    #[test]
    fn a_result_written_in_many_lines_leaves_in_one() {
        let got = text(
            ok("[\r\n {\"type\":\"text\",\n\"text\":\"a\\nb\"}\n]"),
            Era::Legacy,
        );
        assert_eq!(got["content"], json!([{ "type": "text", "text": "a\nb" }]));
    }

    #[test]
    fn a_list_travels_ready_made() {
        let tools = RawValue::from_string(r#"[{"name":"a"}]"#.to_owned()).unwrap();
        for era in [Era::Legacy, Era::Modern { server: "me" }] {
            let mut result = ServerResult::ListToolsResult(of_list(&tools, false, era));
            let line = of_ready(&RequestId::Number(1), &ready(&mut result).unwrap());
            let answer: Value = serde_json::from_slice(&line).unwrap();
            assert_eq!(answer["result"]["tools"], json!([{ "name": "a" }]));
            assert_eq!(answer["result"].get("ttlMs").is_some(), era != Era::Legacy);
        }
    }

    #[test]
    fn outputs_that_are_no_list_become_none() {
        assert_eq!(text(ok("null"), Era::Legacy)["content"], json!([]));
    }
}
