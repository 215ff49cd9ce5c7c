//! Questions to the daemon itself: one frame there, one typed answer back.

use super::Client;
use crate::{asks::RequestError, outbound::Frame};
use exai_protocol::{
    ClientId, RawValue, Secret,
    control::{ListToolsRes, McpRes, NotifyRes, Pong, RotateTokenRes, SessionsRes, ShutdownRes},
    health::Health,
};

impl Client {
    /// The tools this client sees.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn list_tools(&self) -> Result<ListToolsRes, RequestError> {
        let id = self.mint();
        self.ask(Frame::new("list_tools", &id), id, "list_tools_res", true)
            .await
    }

    /// The daemon's vital signs.
    ///
    /// # Errors
    /// [`RequestError`]; `Malformed` from a predecessor, whose facts are fewer: see
    /// [`Client::health_raw`].
    pub async fn health(&self) -> Result<Health, RequestError> {
        let raw = self.health_raw().await?;
        serde_json::from_str(raw.get()).map_err(|error| RequestError::Malformed(error.to_string()))
    }

    /// The same as the daemon wrote it.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn health_raw(&self) -> Result<Box<RawValue>, RequestError> {
        #[derive(serde::Deserialize)]
        struct Envelope {
            health: Box<RawValue>,
        }
        let id = self.mint();
        let reply: Envelope = self
            .ask(Frame::new("health", &id), id, "health_res", true)
            .await?;
        Ok(reply.health)
    }

    /// Everybody who is connected.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn sessions(&self) -> Result<SessionsRes, RequestError> {
        let id = self.mint();
        self.ask(Frame::new("sessions", &id), id, "sessions_res", true)
            .await
    }

    /// Are you there, and what time is it.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn ping(&self) -> Result<Pong, RequestError> {
        let id = self.mint();
        self.ask(Frame::new("ping", &id), id, "pong", true).await
    }

    /// Tells one client, or all, something.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn notify(
        &self,
        to: Option<&ClientId>,
        level: &str,
        message: &str,
    ) -> Result<NotifyRes, RequestError> {
        let id = self.mint();
        let mut frame = Frame::new("notify", &id)
            .text("level", level)
            .text("message", message);
        if let Some(to) = to {
            frame = frame.text("to", to.as_str());
        }
        self.ask(frame, id, "notify_res", false).await
    }

    /// Replaces the token.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn rotate_token(
        &self,
        old: &Secret,
        new: &Secret,
    ) -> Result<RotateTokenRes, RequestError> {
        let id = self.mint();
        let frame = Frame::new("rotate_token", &id)
            .text("old", old.expose())
            .text("new", new.expose());
        self.ask(frame, id, "rotate_token_res", false).await
    }

    /// Carries an MCP method to the daemon.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn mcp(
        &self,
        method: &str,
        params: Option<&RawValue>,
    ) -> Result<McpRes, RequestError> {
        let id = self.mint();
        let mut frame = Frame::new("mcp", &id).text("method", method);
        if let Some(params) = params {
            frame = frame.raw("params", params.get());
        }
        self.ask(frame, id, "mcp_res", false).await
    }

    /// Asks the daemon to drain and exit.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn shutdown(&self, drain_ms: u64, reason: &str) -> Result<ShutdownRes, RequestError> {
        let id = self.mint();
        let frame = Frame::new("shutdown", &id)
            .number("drain_ms", drain_ms)
            .text("reason", reason);
        self.ask(frame, id, "shutdown_res", false).await
    }
}
