//! The WebSocket edge. It turns byte streams into sessions and frames into calls; it knows
//! nothing of tools, files or processes. Generic over the listener and the stream, so that
//! tests run it over memory and tomorrow's Unix socket needs no change here.

mod accept;
mod auth;
mod budget;
mod collect;
mod connection;
mod handshake;
mod mcp;
mod origin;
mod outbox;
mod pipe;
mod recall;
mod wire_in;
mod wire_out;

pub use accept::{Listener, Server, serve};
pub use auth::Keys;
pub use collect::page;
pub use mcp::McpFuture;

use exai_engine::{Engine, sessions::Session};
use exai_protocol::{Principal, RawValue, Secret, health::Health, hello::ServerInfo};
use std::{sync::Arc, time::Duration};

/// What the edge must be told.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Largest frame.
    pub max_frame_bytes: usize,
    /// From connect to hello.
    pub hello_timeout: Duration,
    /// Between two pings of a quiet connection.
    pub ping_interval: Duration,
    /// From a ping to any sign of life.
    pub ping_timeout: Duration,
    /// Unauthenticated connections at once; more wait in the backlog.
    pub pending_handshakes: usize,
    /// `Host` values accepted besides the loopback names with our port.
    pub allowed_hosts: Vec<String>,
    /// The port clients name in `Host`.
    pub port: u16,
    /// Whether V1 peers get their `text` copy.
    pub compat_text: bool,
}

/// What the edge asks of the process around it.
pub trait Control: Send + Sync + 'static {
    /// Whom a token stands for; compared in constant time.
    fn authenticate(&self, token: &Secret) -> Option<Principal>;
    /// Replaces the token, on disk too; may block.
    ///
    /// # Errors
    /// V1's word for the refusal, or what went wrong.
    fn rotate_token(&self, old: &Secret, new: &Secret) -> Result<(), String>;
    /// The vital signs.
    fn health(&self) -> Health;
    /// Who we are.
    fn identity(&self) -> &ServerInfo;
    /// Answers a request of MCP's that is no tool call.
    fn mcp(&self, session: &Arc<Session>, method: &str, params: Option<&RawValue>) -> McpFuture {
        let _ = (session, params);
        mcp::unknown(method)
    }
    /// Begins the drain; returns at once.
    fn shutdown(&self, drain: Duration, reason: &str);
}

/// Everything a connection needs.
pub(crate) struct Shared<C> {
    pub(crate) engine: Arc<Engine>,
    pub(crate) control: Arc<C>,
    pub(crate) settings: Settings,
    pub(crate) failures: auth::Failures,
}
