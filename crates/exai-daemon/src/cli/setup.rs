//! Words for what is set up once: settings, keys, the entries of clients, and what checks them.

use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

#[derive(Debug, Clone, Args)]
pub(crate) struct Doctor {
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Do the repairs that are safe; a client's file is kept beside the changed one
    #[arg(long)]
    pub(crate) fix: bool,
}

#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Config {
    /// Also where each value came from
    #[arg(long)]
    pub(crate) origin: bool,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum TokenAction {
    /// Print the token
    Show,
    /// Make a new token; the old one opens until the overlap ends
    Rotate,
    /// Make a key for a client that is not to have the token
    ///
    /// Its client is somebody of its own: its calls, conversations and budgets are not yours, it
    /// cannot stop the daemon or see what others do, and [keys.NAME] in config/profiles.toml says
    /// which tools it may call. Any process of your own user can still read the token: a key keeps
    /// apart who plays by the rules, and those who run elsewhere (a container, another user).
    Add {
        /// Letters, digits, - and _, at most 32
        name: String,
    },
    /// Show the names of the keys
    List,
    /// Take a key away: it opens nothing any more, and who came in by it is put out
    Revoke {
        /// Which
        name: String,
    },
}

#[derive(Debug, Clone, Args)]
pub(crate) struct McpConfig {
    /// Whose configuration
    #[arg(value_enum)]
    pub(crate) client: McpClient,
    /// Put the entry into the client's own file, with a backup
    #[arg(long, conflicts_with = "undo")]
    pub(crate) write: bool,
    /// Take back what --write did
    #[arg(long)]
    pub(crate) undo: bool,
    /// Print the entry (what happens without --write and --undo)
    #[arg(long, conflicts_with_all = ["write", "undo"])]
    pub(crate) print: bool,
    /// Another file than the client's usual one
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}

/// The MCP clients whose files we know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum McpClient {
    Auggie,
    Vscode,
    ClaudeCode,
    ClaudeDesktop,
    Codex,
    Cursor,
    Gemini,
    Opencode,
}
