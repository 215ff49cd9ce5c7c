//! The words of `ollama`.

use clap::{Args, Subcommand};

#[derive(Debug, Clone, Args)]
pub(crate) struct Ollama {
    #[command(subcommand)]
    pub(crate) action: OllamaAction,
    /// Which server, by its name in config/providers.toml [default: ollama, else the first]
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) endpoint: Option<String>,
    /// As JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum OllamaAction {
    /// Say whether the servers answer
    Status,
    /// List what is installed
    Models,
    /// List what is loaded, and how much of it is in video memory
    Ps,
    /// Download a model; Ctrl-C stops, and a next pull goes on
    Pull {
        /// Its name, such as qwen3:32b
        model: String,
    },
    /// Remove a model from the server's disk
    Rm {
        /// Its name
        model: String,
    },
    /// Load a model, as the daemon will ask it
    Load {
        /// Its name
        model: String,
    },
    /// Free the memory of a loaded model
    Unload {
        /// Its name
        model: String,
    },
    /// Show what is known of a model
    Show {
        /// Its name
        model: String,
    },
}
