//! The engine's port, kept.

use super::{Manager, rows, server::Server};
use crate::{dialect, fault::Fault};
use exai_engine::{
    ports::{
        models::ModelFuture,
        ollama::{At, Ollama, Shown},
    },
    tool::ToolError,
};
use exai_protocol::event::{
    EventBody, OllamaLoaded, OllamaModel, OllamaModelUpdate, OllamaPull, OllamaStatus,
};
use serde_json::{Value, json};
use std::time::Duration;

/// What a server does at once.
const SOON: Duration = Duration::from_secs(30);
/// Reading a large model from a slow disk; the call's own deadline is usually shorter.
const LOADING: Duration = Duration::from_secs(3600);

impl Ollama for Manager {
    fn status<'a>(
        &'a self,
        endpoint: Option<&'a str>,
    ) -> ModelFuture<'a, Result<Vec<OllamaStatus>, ToolError>> {
        Box::pin(async move {
            let servers: Vec<&Server> = match endpoint.filter(|name| !name.is_empty()) {
                Some(_) => vec![self.server(endpoint)?],
                None => self.servers.iter().collect(),
            };
            let mut all = Vec::with_capacity(servers.len());
            for server in servers {
                let status = server.status().await;
                if server.known.status(&status, true) {
                    (server.herald)(EventBody::OllamaStatus(status.clone()));
                }
                all.push(status);
            }
            Ok(all)
        })
    }

    fn installed<'a>(
        &'a self,
        endpoint: Option<&'a str>,
    ) -> ModelFuture<'a, Result<Vec<OllamaModel>, ToolError>> {
        Box::pin(async move {
            let server = self.server(endpoint)?;
            let rows = server.installed().await;
            let rows = rows.map_err(|fault| server.failed("models", None, &fault))?;
            server.tell(server.known.installed(rows.clone()));
            Ok(rows)
        })
    }

    fn loaded<'a>(
        &'a self,
        endpoint: Option<&'a str>,
    ) -> ModelFuture<'a, Result<Vec<OllamaLoaded>, ToolError>> {
        Box::pin(async move {
            let server = self.server(endpoint)?;
            server.look_at_loaded("ps", None).await
        })
    }

    fn show<'a>(&'a self, at: At<'a>) -> ModelFuture<'a, Result<Shown, ToolError>> {
        Box::pin(async move {
            let server = self.server(at.endpoint)?;
            let body = json!({"model": at.model});
            let shown = server.post("/api/show", body, SOON).await;
            let body = shown.map_err(|fault| server.failed("show", Some(at.model), &fault))?;
            Ok(rows::shown(at.model, Some(server.num_ctx()), &body))
        })
    }

    fn pull<'a>(
        &'a self,
        at: At<'a>,
        tell: &'a mut (dyn FnMut(&OllamaPull) + Send),
    ) -> ModelFuture<'a, Result<OllamaPull, ToolError>> {
        Box::pin(async move {
            let server = self.server(at.endpoint)?;
            // So that what it brings is news, and what was there is not.
            if !server.known.knows_installed()
                && let Ok(rows) = server.installed().await
            {
                server.known.installed(rows);
            }
            let pulled = server.pull(at.model, tell).await;
            let pulled = pulled.map_err(|fault| server.failed("pull", Some(at.model), &fault))?;
            server.look_at_installed().await;
            Ok(pulled)
        })
    }

    fn delete<'a>(&'a self, at: At<'a>) -> ModelFuture<'a, Result<(), ToolError>> {
        Box::pin(async move {
            let server = self.server(at.endpoint)?;
            let known = server.known.knows_installed();
            let body = json!({"model": at.model});
            let gone = server.delete("/api/delete", body).await;
            gone.map_err(|fault| server.failed("delete", Some(at.model), &fault))?;
            if !known {
                server.tell(Some(OllamaModelUpdate {
                    removed: vec![at.model.to_owned()],
                    ..OllamaModelUpdate::default()
                }));
            }
            server.look_at_installed().await;
            Ok(())
        })
    }

    fn load<'a>(&'a self, at: At<'a>) -> ModelFuture<'a, Result<Vec<OllamaLoaded>, ToolError>> {
        Box::pin(async move {
            let server = self.server(at.endpoint)?;
            let quirks = &server.live.resolved().endpoint.quirks;
            let mut body = json!({
                "model": at.model,
                "stream": false,
                "options": {"num_ctx": server.num_ctx()},
            });
            if let Some(time) = &quirks.keep_alive {
                body["keep_alive"] = json!(time);
            }
            server.memory("load", at.model, body, LOADING).await
        })
    }

    fn unload<'a>(&'a self, at: At<'a>) -> ModelFuture<'a, Result<Vec<OllamaLoaded>, ToolError>> {
        Box::pin(async move {
            let server = self.server(at.endpoint)?;
            // Unloading what is not installed is a mistake, what is not loaded is none.
            let body = json!({"model": at.model, "stream": false, "keep_alive": 0});
            server.memory("unload", at.model, body, SOON).await
        })
    }
}

impl Server {
    /// The context the daemon's own requests have: another one would load the model again.
    fn num_ctx(&self) -> u64 {
        dialect::ollama_context(&self.live.resolved().endpoint.quirks)
    }

    async fn memory(
        &self,
        op: &str,
        model: &str,
        body: Value,
        within: Duration,
    ) -> Result<Vec<OllamaLoaded>, ToolError> {
        let done: Result<Value, Fault> = self.post("/api/generate", body, within).await;
        done.map_err(|fault| self.failed(op, Some(model), &fault))?;
        self.look_at_loaded(op, Some(model)).await
    }

    async fn look_at_loaded(
        &self,
        op: &str,
        model: Option<&str>,
    ) -> Result<Vec<OllamaLoaded>, ToolError> {
        let rows = self.loaded().await;
        let rows = rows.map_err(|fault| self.failed(op, model, &fault))?;
        self.tell(self.known.loaded(&rows));
        Ok(rows)
    }

    /// After a change of ours; that it cannot be seen is no fault of the change.
    async fn look_at_installed(&self) {
        if let Ok(rows) = self.installed().await {
            self.tell(self.known.installed(rows));
        }
    }
}
