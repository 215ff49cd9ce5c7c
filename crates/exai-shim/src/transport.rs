//! stdio as the MCP library's transport. Stands between the two so that every bad line gets
//! its answer, nothing the library would die of reaches it, and tool calls pass it by.

use crate::{
    answer,
    calling::{Calling, Twice},
    envelope::{self, Call, Incoming, Refusal},
    forwarding::Forward,
    stdin::{Line, Lines},
    stdout::{Broken, Output},
    tasks::{self, TaskAsk},
};
use rmcp::{
    RoleServer,
    model::{
        ClientCapabilities, ClientJsonRpcMessage, ClientRequest, ErrorCode, ErrorData, GetMeta,
        JsonRpcMessage, ProtocolVersion, RequestId, RequestMetaObject, ServerJsonRpcMessage,
        ServerResult,
    },
    transport::Transport,
};
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
    calling: Arc<Calling>,
    signals: Arc<Signals>,
    /// An error answer that waits for room, kept here because receiving may be interrupted.
    owed: Option<Vec<u8>>,
    /// The revision of the last handshake.
    handshake: Option<ProtocolVersion>,
}

impl<R: AsyncRead + Unpin> Stdio<R> {
    pub(crate) fn new(
        input: R,
        limit: usize,
        output: Output,
        calling: Arc<Calling>,
        signals: Arc<Signals>,
    ) -> Self {
        Self {
            lines: Lines::new(input, limit),
            limit,
            output,
            calling,
            signals,
            owed: None,
            handshake: None,
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
            Incoming::Call(call) => {
                let id = call.id.clone();
                if let Err(error) = self.call(*call) {
                    self.owe(error, Some(id));
                }
                None
            }
            Incoming::Task(ask) => {
                let id = ask.id.clone();
                if let Err(error) = self.ask_task(*ask) {
                    self.owe(error, Some(id));
                }
                None
            }
            Incoming::Forward(asked) => {
                let id = asked.id.clone();
                if let Err(error) = self.forward(*asked) {
                    self.owe(error, Some(id));
                }
                None
            }
            Incoming::Cancelled { params, message } => {
                let reason = params.reason.as_deref().unwrap_or_default();
                match &params.request_id {
                    Some(id) if self.calling.let_go(id, reason) => None,
                    _ => self.pass(*message),
                }
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

    fn call(&self, call: Call) -> Result<(), ErrorData> {
        let version = self.version_of(&call.meta)?;
        self.calling.begin(call, &version).map_err(twice)
    }

    /// Only of the new era, and only for those who say that they follow tasks.
    fn ask_task(&self, ask: TaskAsk) -> Result<(), ErrorData> {
        let version = self.version_of(&ask.meta)?;
        if version.has_initialize() {
            let message = format!("{} is no method of this revision", ask.verb.method());
            return Err(ErrorData::new(ErrorCode::METHOD_NOT_FOUND, message, None));
        }
        if !tasks::are_declared(&ask.meta) {
            let missing = ClientCapabilities::builder().enable_tasks().build();
            return Err(ErrorData::missing_required_client_capability(missing));
        }
        self.calling.begin_task(ask).map_err(twice)
    }

    fn forward(&self, asked: Forward) -> Result<(), ErrorData> {
        let version = self.version_of(&asked.meta)?;
        self.calling.forward(asked, &version).map_err(twice)
    }

    /// The revision of a call, by the library's own rules: it is the handshake's, or the call
    /// says everything a request without one has to say.
    fn version_of(&self, meta: &RequestMetaObject) -> Result<ProtocolVersion, ErrorData> {
        let named = meta.protocol_version();
        if let Some(version) = &named
            && !ProtocolVersion::KNOWN_VERSIONS.contains(version)
        {
            let known = ProtocolVersion::KNOWN_VERSIONS;
            return Err(ErrorData::unsupported_protocol_version(
                version.clone(),
                known,
            ));
        }
        let version = named.or_else(|| self.handshake.clone());
        if let (Some(version), Some(_)) = (&version, &self.handshake)
            && version.has_initialize()
        {
            return Ok(version.clone());
        }
        let missing = meta.missing_required_keys(&ProtocolVersion::NO_INITIALIZE);
        match version {
            Some(version) if missing.is_empty() => Ok(version),
            _ => {
                let missing = missing.join(", ");
                let hint = match self.handshake {
                    Some(_) => "",
                    None => "; a client of a revision before that sends initialize first",
                };
                let message = format!(
                    "request _meta is missing or has malformed required fields: {missing}{hint}"
                );
                Err(ErrorData::invalid_params(message, None))
            }
        }
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
    /// hands need not say its revision again, so it is said here.
    fn remember_handshake(&self, meta: &mut RequestMetaObject) {
        if let Some(version) = &self.handshake
            && meta.protocol_version().is_none()
        {
            meta.set_protocol_version(version.clone());
            meta.set_client_capabilities(ClientCapabilities::default());
        }
    }

    fn owe(&mut self, error: ErrorData, id: Option<RequestId>) {
        let mut line = answer::line(&ServerJsonRpcMessage::error(error, id.clone()));
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

fn twice(Twice: Twice) -> ErrorData {
    let message = "a call with this id is already in flight";
    ErrorData::new(ErrorCode::INVALID_REQUEST, message, None)
}

impl<R: AsyncRead + Unpin + Send + 'static> Transport<RoleServer> for Stdio<R> {
    type Error = Broken;

    fn send(
        &mut self,
        mut message: ServerJsonRpcMessage,
    ) -> impl Future<Output = Result<(), Broken>> + Send + 'static {
        let mut ready = None;
        if let JsonRpcMessage::Response(response) = &mut message {
            if let ServerResult::InitializeResult(result) = &response.result {
                self.handshake = Some(result.protocol_version.clone());
            }
            let list = answer::ready(&mut response.result);
            ready = list.map(|list| answer::of_ready(&response.id, &list));
        }
        let line = ready.unwrap_or_else(|| answer::line(&message));
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
