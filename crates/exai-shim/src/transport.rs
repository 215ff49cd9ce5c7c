//! stdio as the MCP library's transport. Stands between the two so that every bad line gets
//! its answer, nothing the library would die of reaches it, and arguments and results pass by
//! it as bytes.

use crate::{
    answer,
    envelope::{self, Call, Incoming, Refusal},
    stdin::{Line, Lines},
    stdout::{Broken, Output},
    tickets::Tickets,
};
use rmcp::{
    RoleServer,
    model::{
        CallToolRequest, CallToolRequestParams, ClientCapabilities, ClientJsonRpcMessage,
        ClientRequest, ErrorCode, ErrorData, GetExtensions, GetMeta, JsonRpcMessage,
        ProtocolVersion, RequestId, RequestMetaObject, ServerJsonRpcMessage, ServerResult,
    },
    transport::Transport,
};
use serde::Serialize;
use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::io::AsyncRead;
use tokio_util::sync::CancellationToken;

/// What the transport and the process around it tell each other.
#[derive(Debug, Default)]
pub(crate) struct Signals {
    /// The library serves; before that a notification would be the end of it.
    pub(crate) serving: AtomicBool,
    /// stdin has ended.
    pub(crate) closing: CancellationToken,
}

pub(crate) struct Stdio<R> {
    lines: Lines<R>,
    limit: usize,
    output: Output,
    tickets: Arc<Tickets>,
    signals: Arc<Signals>,
    /// An error answer that waits for room, kept here because receiving may be interrupted.
    owed: Option<Vec<u8>>,
    /// The revision of a handshake on a pipe that was opened without one.
    late_handshake: Option<ProtocolVersion>,
}

impl<R: AsyncRead + Unpin> Stdio<R> {
    pub(crate) fn new(
        input: R,
        limit: usize,
        output: Output,
        tickets: Arc<Tickets>,
        signals: Arc<Signals>,
    ) -> Self {
        Self {
            lines: Lines::new(input, limit),
            limit,
            output,
            tickets,
            signals,
            owed: None,
            late_handshake: None,
        }
    }

    /// The next message for the library; `None` at the end of stdin.
    async fn next(&mut self) -> Option<ClientJsonRpcMessage> {
        loop {
            self.settle_debt().await.ok()?;
            self.output.has_room().await;
            let line = match self.lines.next().await {
                Ok(Some(line)) => line,
                Ok(None) => return None,
                Err(error) => {
                    tracing::warn!(%error, "stdin broke");
                    return None;
                }
            };
            let incoming = match &line {
                Line::Text(text) => envelope::read(text),
                Line::Oversize(id) => Incoming::Refused(envelope::oversize(id.clone(), self.limit)),
            };
            if let Some(message) = self.sort(incoming) {
                return Some(message);
            }
        }
    }

    fn sort(&mut self, incoming: Incoming) -> Option<ClientJsonRpcMessage> {
        match incoming {
            Incoming::Message(message) => self.pass(*message),
            Incoming::Call(call) => self.call(*call),
            Incoming::Cancelled { params, message } => {
                if let Some(id) = &params.request_id {
                    self.tickets
                        .let_go(id, params.reason.as_deref().unwrap_or_default());
                }
                self.pass(*message)
            }
            Incoming::Refused(Refusal { id, code, message }) => {
                tracing::warn!(code = code.0, why = message, "a bad line");
                self.owe(ErrorData::new(code, message, None), id);
                None
            }
            Incoming::Ignored(why) => {
                tracing::debug!(why, "a line without meaning");
                None
            }
        }
    }

    fn call(&mut self, call: Call) -> Option<ClientJsonRpcMessage> {
        let Some(ticket) = self.tickets.open(&call.id, call.arguments) else {
            let message = "a call with this id is already in flight";
            let error = ErrorData::new(ErrorCode::INVALID_REQUEST, message, None);
            self.owe(error, Some(call.id));
            return None;
        };
        let mut request = CallToolRequest::new(CallToolRequestParams::new(call.name));
        let mut meta = call.meta;
        self.remember_handshake(&mut meta);
        request.extensions_mut().insert(meta);
        request.extensions_mut().insert(ticket);
        Some(JsonRpcMessage::request(
            ClientRequest::CallToolRequest(request),
            call.id,
        ))
    }

    /// Before the library serves, it takes a message that is no request for the end.
    fn pass(&self, mut message: ClientJsonRpcMessage) -> Option<ClientJsonRpcMessage> {
        let early = !self.signals.serving.load(Ordering::Relaxed);
        match &mut message {
            JsonRpcMessage::Request(asked)
                if !matches!(asked.request, ClientRequest::DiscoverRequest(_)) =>
            {
                self.remember_handshake(asked.request.get_meta_mut());
            }
            JsonRpcMessage::Request(_) => {}
            _ if early => {
                tracing::debug!("a message before the first request is ignored");
                return None;
            }
            _ => {}
        }
        Some(message)
    }

    /// The library takes the first request of a pipe for the era of all. A client that shook
    /// hands later need not say its revision again, so it is said here.
    fn remember_handshake(&self, meta: &mut RequestMetaObject) {
        if let Some(version) = &self.late_handshake
            && meta.protocol_version().is_none()
        {
            meta.set_protocol_version(version.clone());
            meta.set_client_capabilities(ClientCapabilities::default());
        }
    }

    fn owe(&mut self, error: ErrorData, id: Option<RequestId>) {
        let mut line = line_of(&ServerJsonRpcMessage::error(error, id.clone()));
        if id.is_none() {
            // JSON-RPC wants the id of an unreadable request to be null, not absent.
            line.pop();
            line.extend_from_slice(b",\"id\":null}");
        }
        self.owed = Some(line);
    }

    /// Cancel-safe: an interrupted debt is still owed.
    async fn settle_debt(&mut self) -> Result<(), Broken> {
        if let Some(line) = &self.owed {
            self.output.send(line.clone()).await?;
            self.owed = None;
        }
        Ok(())
    }
}

impl<R: AsyncRead + Unpin + Send + 'static> Transport<RoleServer> for Stdio<R> {
    type Error = Broken;

    fn send(
        &mut self,
        mut message: ServerJsonRpcMessage,
    ) -> impl Future<Output = Result<(), Broken>> + Send + 'static {
        let line = match &mut message {
            JsonRpcMessage::Response(response) => {
                self.tickets.close(&response.id);
                if let ServerResult::InitializeResult(result) = &response.result
                    && self.signals.serving.load(Ordering::Relaxed)
                {
                    self.late_handshake = Some(result.protocol_version.clone());
                }
                match answer::ready(&mut response.result) {
                    Some(result) => ready_line(&response.id, &result),
                    None => line_of(&message),
                }
            }
            JsonRpcMessage::Error(error) => {
                if let Some(id) = &error.id {
                    self.tickets.close(id);
                }
                line_of(&message)
            }
            _ => line_of(&message),
        };
        let output = self.output.clone();
        async move { output.send(line).await }
    }

    async fn receive(&mut self) -> Option<ClientJsonRpcMessage> {
        let message = self.next().await;
        if message.is_none() {
            self.signals.closing.cancel();
        }
        message
    }

    async fn close(&mut self) -> Result<(), Broken> {
        Ok(())
    }
}

fn ready_line(id: &RequestId, result: &str) -> Vec<u8> {
    let mut line = Vec::with_capacity(result.len() + 64);
    line.extend_from_slice(b"{\"jsonrpc\":\"2.0\",\"id\":");
    line.extend_from_slice(&json(id));
    line.extend_from_slice(b",\"result\":");
    let start = line.len();
    line.extend_from_slice(result.as_bytes());
    // A result may come from pretty-printed JSON; between values a space means the same.
    for byte in &mut line[start..] {
        if *byte == b'\n' || *byte == b'\r' {
            *byte = b' ';
        }
    }
    line.push(b'}');
    line
}

fn line_of(message: &ServerJsonRpcMessage) -> Vec<u8> {
    json(message)
}

fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_else(|error| {
        tracing::error!(%error, "a message that cannot be written");
        b"null".to_vec()
    })
}
