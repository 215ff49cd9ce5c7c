//! What the client gets for a call: the daemon's blocks as they came, or an error a model can
//! act on. Results travel through the MCP library as one ready piece of JSON, so they are
//! neither parsed nor written a second time.

use exai_protocol::{Code, RawValue, WireError, call::CallToolRes};
use rmcp::model::{CallToolResult, ErrorData, ListToolsResult, MetaObject, ServerResult};
use serde_json::{Value, json};

/// Marks a result whose JSON is ready. Never leaves the process.
const READY: &str = "exai-shim/ready";

/// Where a result of the new era says who made it.
const SERVER_INFO: &str = "io.modelcontextprotocol/serverInfo";

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

/// The result of a call, or the protocol error for a request that makes no sense.
pub(crate) fn of_call(result: CallToolRes, era: Era<'_>) -> Result<CallToolResult, ErrorData> {
    if let Some(error) = &result.error
        && error.code == Code::ToolNotFound
    {
        let data = json!({ "code": error.code.as_str() });
        return Err(ErrorData::invalid_params(error.message.clone(), Some(data)));
    }
    let mut body = Body::new(era);
    body.raw("content", &content(&result));
    if let Some(structured) = result
        .structured
        .as_deref()
        .filter(|_| result.error.is_none())
    {
        body.raw("structuredContent", structured.get());
    }
    if result.error.is_some() {
        body.raw("isError", "true");
    }
    body.raw("_meta", &meta(&result, era).to_string());
    let mut ready = CallToolResult::default();
    ready.meta = Some(body.finish());
    Ok(ready)
}

/// An error of the shim's own.
pub(crate) fn of_error(error: WireError, era: Era<'_>) -> Result<CallToolResult, ErrorData> {
    of_call(CallToolRes::failed("".into(), error), era)
}

/// The list of tools.
pub(crate) fn of_list(tools: &RawValue, era: Era<'_>) -> ListToolsResult {
    let mut body = Body::new(era);
    body.raw("tools", tools.get());
    if let Era::Modern { server } = era {
        body.raw("_meta", &json!({ SERVER_INFO: info(server) }).to_string());
        body.raw("ttlMs", "60000");
        body.raw("cacheScope", "\"private\"");
    }
    ListToolsResult {
        meta: Some(body.finish()),
        ..ListToolsResult::default()
    }
}

/// The JSON of a result made by this module.
pub(crate) fn ready(result: &mut ServerResult) -> Option<String> {
    let meta = match result {
        ServerResult::CallToolResult(result) => result.meta.as_mut()?,
        ServerResult::ListToolsResult(result) => result.meta.as_mut()?,
        _ => return None,
    };
    match meta.get_mut(READY)? {
        Value::String(text) => Some(std::mem::take(text)),
        _ => None,
    }
}

/// The blocks; an error's own words first.
fn content(result: &CallToolRes) -> String {
    let outputs = result.outputs.as_deref().map_or("[]", RawValue::get).trim();
    let blocks = outputs
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let blocks = blocks.map_or("", str::trim);
    match &result.error {
        None => format!("[{blocks}]"),
        Some(error) => {
            let text = json!({ "type": "text", "text": sentence(error) });
            if blocks.is_empty() {
                format!("[{text}]")
            } else {
                format!("[{text},{blocks}]")
            }
        }
    }
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
fn meta(result: &CallToolRes, era: Era<'_>) -> Value {
    let mut meta = serde_json::Map::new();
    let parsed = |raw: &RawValue| serde_json::from_str::<Value>(raw.get()).unwrap_or_default();
    if !result.request_id.as_str().is_empty() {
        meta.insert("exai/request_id".to_owned(), json!(result.request_id));
    }
    if let Some(error) = &result.error {
        meta.insert("exai/code".to_owned(), json!(error.code.as_str()));
        if let Some(ran) = error.ran {
            meta.insert("exai/ran".to_owned(), json!(ran));
        }
        if let Some(seconds) = error.retry_after {
            meta.insert("exai/retry_after".to_owned(), json!(seconds));
        }
        if let Some(facts) = &error.metadata {
            meta.insert("exai/error".to_owned(), parsed(facts));
        }
    }
    if let Some(timing) = result.timing {
        meta.insert("exai/timing".to_owned(), json!(timing));
    }
    if let Some(usage) = &result.usage {
        meta.insert("exai/usage".to_owned(), parsed(usage));
    }
    if let Era::Modern { server } = era {
        meta.insert(SERVER_INFO.to_owned(), info(server));
    }
    Value::Object(meta)
}

fn info(server: &str) -> Value {
    json!({ "name": server, "version": env!("CARGO_PKG_VERSION") })
}

struct Body(String);

impl Body {
    fn new(era: Era<'_>) -> Self {
        Self(match era {
            Era::Legacy => "{".to_owned(),
            Era::Modern { .. } => "{\"resultType\":\"complete\"".to_owned(),
        })
    }

    fn raw(&mut self, key: &str, json: &str) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.0.push('"');
        self.0.push_str(key);
        self.0.push_str("\":");
        self.0.push_str(json);
    }

    fn finish(mut self) -> MetaObject {
        self.0.push('}');
        let mut meta = MetaObject::default();
        meta.insert(READY.to_owned(), Value::String(self.0));
        meta
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(result: CallToolRes, era: Era<'_>) -> Value {
        let mut server = ServerResult::CallToolResult(of_call(result, era).unwrap());
        serde_json::from_str(&ready(&mut server).unwrap()).unwrap()
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
        let error = of_call(CallToolRes::failed("r".into(), error), Era::Legacy).unwrap_err();
        assert_eq!(error.code.0, -32602);
        assert!(error.message.contains("closest"));
    }

    #[test]
    fn outputs_that_are_no_list_become_none() {
        assert_eq!(text(ok("null"), Era::Legacy)["content"], json!([]));
    }
}
