//! One server: how it is asked, and what its refusals mean.

use super::{kind, known::Known, rows};
use crate::{
    dialect::{self, Dialect, Response},
    endpoint::Live,
    fault::{Fault, FaultClass},
    herald::Herald,
    http::{Ask, Flow, Whole},
};
use exai_engine::tool::ToolError;
use exai_protocol::{
    RawValue,
    event::{EventBody, OllamaError, OllamaLoaded, OllamaModel, OllamaModelUpdate, OllamaStatus},
};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// A list is read from memory.
const LIST_WITHIN: Duration = Duration::from_secs(10);
/// Of a refusal's body no more is read.
const MOST_REFUSAL: usize = 64 * 1024;
/// Whether it is there.
const LOOK_WITHIN: Duration = Duration::from_secs(3);

/// An endpoint that is an Ollama server.
pub(super) struct Server {
    pub(super) live: Arc<Live>,
    pub(super) herald: Herald,
    pub(super) known: Known,
}

impl Server {
    pub(super) fn name(&self) -> &str {
        &self.live.resolved().name
    }

    pub(super) fn url(&self) -> &str {
        self.live.resolved().base_url.as_deref().unwrap_or_default()
    }

    /// Whether it answers, and as what.
    pub(super) async fn status(&self) -> OllamaStatus {
        let looked = self.get("/api/version", LOOK_WITHIN).await;
        let version = |body: Value| Some(body.get("version")?.as_str()?.to_owned());
        let mut status = OllamaStatus {
            endpoint: self.name().to_owned(),
            url: self.url().to_owned(),
            ..OllamaStatus::default()
        };
        match looked.map(version) {
            Ok(Some(version)) => (status.reachable, status.version) = (true, Some(version)),
            Ok(None) => status.why = Some("what answers there is no Ollama".to_owned()),
            Err(fault) => {
                let kind = kind::of(&fault);
                let next = kind::next_step(kind, self.url());
                status.why = Some(format!("{}. {next}", fault.detail));
            }
        }
        status
    }

    pub(super) async fn installed(&self) -> Result<Vec<OllamaModel>, Fault> {
        let body = self.get("/api/tags", LIST_WITHIN).await?;
        rows::installed(&body).ok_or_else(|| Fault::malformed("the list of models is none"))
    }

    pub(super) async fn loaded(&self) -> Result<Vec<OllamaLoaded>, Fault> {
        let body = self.get("/api/ps", LIST_WITHIN).await?;
        rows::loaded(&body).ok_or_else(|| Fault::malformed("the list of loaded models is none"))
    }

    async fn get(&self, path: &str, within: Duration) -> Result<Value, Fault> {
        let ask = Ask::get(self.live.url(path)?);
        read(&self.live.short(ask, Instant::now() + within).await?)
    }

    /// Asks for something that is done when it is answered.
    pub(super) async fn post(
        &self,
        path: &str,
        body: Value,
        within: Duration,
    ) -> Result<Value, Fault> {
        let ask = Ask::post(self.live.url(path)?, body);
        read(&self.live.short(ask, Instant::now() + within).await?)
    }

    pub(super) async fn delete(&self, path: &str, body: Value) -> Result<Value, Fault> {
        let ask = Ask::delete(self.live.url(path)?, Some(body));
        read(&self.live.short(ask, Instant::now() + LIST_WITHIN).await?)
    }

    /// Asks for something that tells how far it is, in lines.
    pub(super) async fn lines(&self, path: &str, body: Value) -> Result<Flow, Fault> {
        let ask = Ask::post(self.live.url(path)?, body);
        let mut flow = self.live.flow(ask).await?;
        let status = flow.status();
        if (200..300).contains(&status) {
            return Ok(flow);
        }
        let (headers, body) = (flow.headers(), flow.beginning(MOST_REFUSAL).await);
        let response = Response {
            status,
            headers: &headers,
            body: &body,
            now_ms: 0,
        };
        Err(dialect::fault(Dialect::Ollama, &response, &[]))
    }

    /// Tells followers of a change of the server.
    pub(super) fn tell(&self, update: Option<OllamaModelUpdate>) {
        if let Some(mut update) = update {
            update.endpoint = self.name().to_owned();
            (self.herald)(EventBody::OllamaModelUpdate(update));
        }
    }

    /// A failed operation: told to followers, and in words to whoever asked for it.
    pub(super) fn failed(&self, op: &str, model: Option<&str>, fault: &Fault) -> ToolError {
        let kind = kind::of(fault);
        (self.herald)(EventBody::OllamaError(OllamaError {
            endpoint: self.name().to_owned(),
            op: op.to_owned(),
            model: model.map(str::to_owned),
            kind: kind.to_owned(),
            message: fault.detail.clone(),
        }));
        let of = model.map(|model| format!(" '{model}'")).unwrap_or_default();
        let (name, url) = (self.name(), self.url());
        let next = kind::next_step(kind, url);
        let message = format!("{op}{of} at '{name}' ({url}): {}. {next}", fault.detail);
        let mut error = ToolError::new(fault.class.code(), message);
        let facts = json!({"endpoint": name, "op": op, "model": model, "kind": kind});
        error.metadata = RawValue::from_string(facts.to_string()).ok().map(Arc::from);
        error
    }
}

fn read(whole: &Whole) -> Result<Value, Fault> {
    if whole.body.trim_ascii().is_empty() {
        return Ok(Value::Null);
    }
    let body: Value = serde_json::from_slice(&whole.body)
        .map_err(|error| Fault::malformed(format!("the answer is no JSON: {error}")))?;
    match body.get("error").and_then(Value::as_str) {
        Some(said) => Err(said_no(said)),
        None => Ok(body),
    }
}

/// What a server says in the middle of an answer that began well.
pub(super) fn said_no(said: &str) -> Fault {
    Fault::new(FaultClass::Server, said)
}
