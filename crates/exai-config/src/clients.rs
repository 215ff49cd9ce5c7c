//! What is known of MCP clients, as data: how long each waits for a call, whether progress makes
//! it wait longer, how much of an answer it shows. `config/clients.toml` as shipped, and a
//! person's own merged over it field by field.

mod file;
mod pattern;
mod watched;

pub use file::{Clients, ClientsError, SHIPPED};
pub use watched::{Watched, read};

use std::time::Duration;

/// One kind of client.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// Its row in the table; `default` for whoever fits none.
    pub key: String,
    /// Its name for people.
    pub title: String,
    /// It gives up on a server that is not ready by then.
    pub start: Duration,
    /// It gives up on a call that is not answered by then.
    pub call: Option<Duration>,
    /// Progress starts that clock anew.
    pub resets: bool,
    /// It gives up after this whatever progress says.
    pub total: Option<Duration>,
    /// It asks for the list of tools again when told that it changed.
    pub list_changed: bool,
    /// How a model there sees a tool's name: `{server}` and `{tool}` stand for theirs.
    pub tool_form: String,
    /// Longest such name it can use.
    pub tool_most: Option<usize>,
    /// It cuts, or replaces, longer text.
    pub output: Option<usize>,
    /// How this is known.
    pub source: String,
    /// When it was last found to be so.
    pub date: String,
}

impl Profile {
    /// A tool's name as a model there sees it, if the client can use it.
    ///
    /// # Errors
    /// The name, where it is longer than the client's limit.
    pub fn shown(&self, server: &str, tool: &str) -> Result<String, String> {
        let name = self
            .tool_form
            .replace("{server}", server)
            .replace("{tool}", tool);
        match self.tool_most {
            Some(most) if name.chars().count() > most => Err(name),
            _ => Ok(name),
        }
    }

    /// Whether a call may have to be answered before it has ended, or an answer be cut.
    #[must_use]
    pub fn is_limited(&self) -> bool {
        self.call.is_some() || self.total.is_some() || self.output.is_some()
    }
}

#[cfg(test)]
mod tests;
