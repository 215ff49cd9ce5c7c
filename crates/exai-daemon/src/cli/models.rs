//! The words of the commands that ask models, or about them.

use super::seconds;
use clap::{Args, Subcommand};

/// The words of `chat`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Chat {
    /// The question; its words need no quotes
    #[arg(value_name = "PROMPT")]
    pub(crate) prompt: Vec<String>,
    /// Which model; chosen for you otherwise
    #[arg(long, short, value_name = "NAME")]
    pub(crate) model: Option<String>,
    /// A text file to send along (may be given several times)
    #[arg(long, short, value_name = "FILE")]
    pub(crate) file: Vec<String>,
    /// A picture to send along: a path, or a data: or https: address (may be given several times)
    #[arg(long, short, value_name = "IMAGE")]
    pub(crate) image: Vec<String>,
    /// Go on with this conversation: its id, or the beginning of it; ID#3 goes on from turn 3
    #[arg(long, short, value_name = "ID")]
    pub(crate) thread: Option<String>,
    /// How hard to think
    #[arg(long, short, value_name = "EFFORT", value_parser = ["off", "minimal", "low", "medium", "high", "max"])]
    pub(crate) effort: Option<String>,
    /// Let the provider search the web
    #[arg(long)]
    pub(crate) search: bool,
    /// Standing instructions
    #[arg(long, value_name = "TEXT")]
    pub(crate) system: Option<String>,
    /// Most tokens the model may write
    #[arg(long, value_name = "TOKENS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) max_output: Option<u64>,
    /// From 0 (always the same) to 2
    #[arg(long, value_name = "NUMBER")]
    pub(crate) temperature: Option<f64>,
    /// Spend what it costs without asking
    #[arg(long, short)]
    pub(crate) yes: bool,
    /// The answer with everything known about it, as JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Seconds to wait for an answer
    #[arg(long, value_parser = seconds)]
    pub(crate) timeout: Option<f64>,
    /// The answer and nothing else
    #[arg(long, short)]
    pub(crate) quiet: bool,
    /// A conversation even where standard input is no terminal: one question a line
    #[arg(long, conflicts_with = "json")]
    pub(crate) interactive: bool,
}

/// The words of `models`.
#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Models {
    #[command(subcommand)]
    pub(crate) action: Option<ModelsAction>,
    /// Those that cannot be asked now too, and what each endpoint lacks
    #[arg(long)]
    pub(crate) all: bool,
    /// All that is known, as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// What can be done about models.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum ModelsAction {
    /// Ask providers which models they serve
    Refresh {
        /// Only this one
        endpoint: Option<String>,
    },
    /// Ask a model one tiny question, and tell how long each part took; costs next to nothing
    Test {
        /// The model
        name: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}
