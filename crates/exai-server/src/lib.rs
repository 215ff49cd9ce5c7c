//! The WebSocket edge. It turns byte streams into sessions and frames into calls; it knows
//! nothing of tools, files or processes. Generic over the listener and the stream, so that
//! tests run it over memory, and a TCP port and a Unix socket are served alike.

mod accept;
mod administration;
mod auth;
mod budget;
mod caller;
mod collect;
mod connection;
mod failures;
mod handshake;
mod mcp;
mod origin;
mod outbox;
mod partings;
mod pipe;
mod proving;
mod recall;
mod wire_in;
mod wire_out;

pub use accept::{Listener, Server, serve};
pub use auth::{Keys, Pass, Passes};
pub use caller::{Caller, Standing};
pub use collect::page;
pub use failures::Failures;
pub use mcp::McpFuture;

use exai_engine::{Engine, sessions::Session};
use exai_protocol::{Principal, RawValue, Secret, health::Health, hello::ServerInfo};
use std::{sync::Arc, time::Duration};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

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
    /// Whether a peer may show the token itself.
    pub accept_plain_token: bool,
}

/// What the edge asks of the process around it.
pub trait Control: Send + Sync + 'static {
    /// What opens the door now, and for whom; looked up anew each time.
    fn passes(&self) -> Passes;
    /// Whom a peer stands for that the system vouches for. What is the daemon's own (its end, its
    /// token, what others do) is his alone.
    fn owner(&self) -> Principal;
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
    pub(crate) failures: Arc<Failures>,
    pub(crate) moving: CancellationToken,
    /// Refusals that may be held back at once.
    pub(crate) held_back: Semaphore,
}

#[cfg(test)]
fn test_settings() -> Settings {
    Settings {
        max_frame_bytes: 1 << 20,
        hello_timeout: Duration::from_secs(5),
        ping_interval: Duration::from_secs(25),
        ping_timeout: Duration::from_secs(10),
        pending_handshakes: 8,
        allowed_hosts: Vec::new(),
        port: 8765,
        compat_text: true,
        accept_plain_token: true,
    }
}
