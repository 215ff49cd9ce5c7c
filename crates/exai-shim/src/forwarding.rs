//! Requests that are the daemon's business and no tool calls: prompts, resources, completion.
//! The shim carries them as they are and answers with what comes back, so that what MCP learns
//! next there needs no new shim.

use crate::{
    answer::{self, Era},
    calling::{Calling, Twice},
    shelf,
};
use exai_protocol::RawValue;
use rmcp::model::{ErrorCode, ErrorData, ProtocolVersion, RequestId, RequestMetaObject};
use std::sync::Arc;

/// What begins so is carried.
const CARRIED: [&str; 3] = ["prompts/", "resources/", "completion/"];
/// What changes seldom enough for a client to keep for a moment.
const MOMENT_MS: u64 = 5_000;

/// One such request.
#[derive(Debug)]
pub struct Forward {
    /// What the client knows it by.
    pub id: RequestId,
    /// The method.
    pub method: String,
    /// An object, as the client wrote it.
    pub params: Option<Box<RawValue>>,
    /// `_meta`.
    pub meta: RequestMetaObject,
}

/// Whether a method is the daemon's business.
pub(crate) fn is_carried(method: &str) -> bool {
    CARRIED.iter().any(|start| method.starts_with(start))
}

impl Calling {
    /// Carries a request of a client that speaks this revision.
    pub(crate) fn forward(
        self: &Arc<Self>,
        asked: Forward,
        version: &ProtocolVersion,
    ) -> Result<(), Twice> {
        let mut ticket = self.tickets.open(&asked.id).ok_or(Twice)?;
        let (calling, is_modern) = (Arc::clone(self), !version.has_initialize());
        self.running.spawn(async move {
            let listed = calling.listeners.version();
            let answer = tokio::select! {
                _ = ticket.let_go() => return,
                answer = calling.carried(&asked) => answer,
            };
            if !calling.tickets.close(&asked.id, &mut ticket) {
                return;
            }
            let server = &calling.name;
            let era = if is_modern {
                Era::Modern { server }
            } else {
                Era::Legacy
            };
            if answer.is_ok() && !is_modern && asked.method == "prompts/list" {
                calling.listeners.prompts_listed(listed);
            }
            if let Ok(result) = &answer
                && asked.method == shelf::LIST
            {
                calling.shelf.listed(result);
            }
            let ttl = asked.method.ends_with("/list").then_some(MOMENT_MS);
            let line = match answer {
                Ok(result) => answer::of_carried(&asked.id, &result, era, ttl),
                Err(error) => answer::of_error(&asked.id, error),
            };
            // A closed stdout ends the process elsewhere.
            let _ = calling.output.send(line).await;
        });
        Ok(())
    }

    async fn carried(&self, asked: &Forward) -> Result<Box<RawValue>, ErrorData> {
        let failed = |words: String| ErrorData::new(ErrorCode::INTERNAL_ERROR, words, None);
        let client = self.bridge.client(|| asked.meta.client_info());
        let Some(client) = client else {
            return Err(ErrorData::new(
                ErrorCode::METHOD_NOT_FOUND,
                "exai runs this agent as a model; it has nothing to offer here",
                None,
            ));
        };
        match client.mcp(&asked.method, asked.params.as_deref()).await {
            Ok(answer) => match (answer.result, answer.error) {
                (Some(result), None) => Ok(result),
                (_, Some(error)) => {
                    let code = ErrorCode(error.code);
                    Err(ErrorData::new(code, error.message, None))
                }
                (None, None) => Err(failed("the daemon's answer is empty".to_owned())),
            },
            Err(error) => Err(failed(format!(
                "{} needs the exai daemon: {error}. Tools that are called wait for it; ask again \
                 in a moment",
                asked.method
            ))),
        }
    }
}
