//! Looks after Ollama servers: what is installed and loaded, downloads, memory, and what the
//! daemon's own requests took there, because the server keeps no such numbers.

mod kind;
mod known;
mod meter;
mod port;
mod pull;
mod rows;
mod server;
mod watch;

#[cfg(test)]
mod tests;

pub use meter::Meter;
pub use watch::watch;

use crate::{dialect::Dialect, endpoint::Live, herald::Herald};
use exai_engine::tool::ToolError;
use known::Known;
use server::Server;
use std::sync::Arc;

/// The name that is taken when nobody names one.
const USUAL: &str = "ollama";

/// The Ollama servers of a daemon.
pub struct Manager {
    servers: Vec<Server>,
}

impl Manager {
    /// Those among the endpoints that speak Ollama's own dialect. Nobody is asked yet.
    #[must_use]
    pub fn new<'a>(
        endpoints: impl IntoIterator<Item = &'a Arc<Live>>,
        herald: &Herald,
    ) -> Arc<Self> {
        let speaks = |live: &&Arc<Live>| {
            let resolved = live.resolved();
            resolved.endpoint.dialect == Dialect::Ollama && resolved.base_url.is_some()
        };
        let servers = endpoints.into_iter().filter(speaks);
        Arc::new(Self {
            servers: servers
                .map(|live| Server {
                    live: Arc::clone(live),
                    herald: Arc::clone(herald),
                    known: Known::default(),
                })
                .collect(),
        })
    }

    /// The one of that name; without a name the usual one, or else the first.
    fn server(&self, endpoint: Option<&str>) -> Result<&Server, ToolError> {
        let named = |name: &str| self.servers.iter().find(|server| server.name() == name);
        let found = match endpoint.filter(|name| !name.is_empty()) {
            Some(name) => named(name),
            None => named(USUAL).or_else(|| self.servers.first()),
        };
        found.ok_or_else(|| {
            let names: Vec<&str> = self.servers.iter().map(Server::name).collect();
            ToolError::invalid(match (endpoint, names.is_empty()) {
                (_, true) => "no endpoint with the dialect 'ollama' is configured; see \
                              config/providers.toml"
                    .to_owned(),
                (asked, false) => format!(
                    "there is no Ollama endpoint '{}'; there are: {}",
                    asked.unwrap_or_default(),
                    names.join(", ")
                ),
            })
        })
    }
}
