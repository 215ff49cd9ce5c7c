//! MCP's requests that are no tool calls (prompts, resources, completion), carried here by a
//! shim that does not know them. They read what the daemon keeps, so they are answered from a
//! task, and of those only so many at once.

use crate::{Control, outbox::encode, wire_in::Desk};
use exai_protocol::{
    RawValue, RequestId,
    control::{McpError, McpRes},
};
use std::{future::Future, pin::Pin, sync::Arc};

/// Requests of one connection that may be under way.
pub(crate) const AT_ONCE: usize = 16;
/// JSON-RPC's codes, and one of our own for being busy.
const INVALID_REQUEST: i32 = -32600;
const METHOD_NOT_FOUND: i32 = -32601;
const BUSY: i32 = -32000;

/// The answer to one request.
pub type McpFuture = Pin<Box<dyn Future<Output = Result<Box<RawValue>, McpError>> + Send>>;

/// What is answered where nothing is known of MCP.
pub(crate) fn unknown(method: &str) -> McpFuture {
    let error = error(METHOD_NOT_FOUND, format!("method not found: {method}"));
    Box::pin(std::future::ready(Err(error)))
}

impl<C: Control> Desk<C> {
    pub(crate) fn mcp(
        &self,
        request_id: Option<RequestId>,
        method: &str,
        params: Option<&RawValue>,
    ) {
        if method.is_empty() {
            let words = "invalid request: mcp requires 'method' (non-empty string)";
            let refused = error(INVALID_REQUEST, words.to_owned());
            return self.reply(&frame(request_id, Err(refused)));
        }
        let Ok(place) = Arc::clone(&self.mcp_places).try_acquire_owned() else {
            let words = format!("{AT_ONCE} requests are under way on this connection; retry");
            return self.reply(&frame(request_id, Err(error(BUSY, words))));
        };
        let session = &self.member.session;
        let answer = self.shared.control.mcp(session, method, params);
        let (voice, closed) = (Arc::clone(&self.voice), self.closed.clone());
        self.tasks.spawn(async move {
            let _place = place;
            tokio::select! {
                () = closed.cancelled() => {}
                answer = answer => voice.outbox.answer(encode(&frame(request_id, answer))),
            }
        });
    }
}

fn frame(request_id: Option<RequestId>, answer: Result<Box<RawValue>, McpError>) -> McpRes {
    let (result, error) = match answer {
        Ok(result) => (Some(result), None),
        Err(error) => (None, Some(error)),
    };
    McpRes {
        request_id,
        result,
        error,
    }
}

fn error(code: i32, message: String) -> McpError {
    McpError { code, message }
}
