//! The words of `calls`: the journal, for people.

use clap::{Args, Subcommand};

/// See the module.
#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Calls {
    #[command(subcommand)]
    pub(crate) action: Option<CallsAction>,
    /// Only those without an end
    #[arg(long)]
    pub(crate) open: bool,
    /// Only those that ended in an error
    #[arg(long, conflicts_with = "open")]
    pub(crate) failed: bool,
    /// From then on: an age (90m, 12h, 7d, 4w), a date (UTC) or a time
    #[arg(long, value_name = "WHEN", allow_hyphen_values = true)]
    pub(crate) since: Option<String>,
    /// The newest so many
    #[arg(long, short = 'n', default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) lines: u32,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum CallsAction {
    /// Everything that is known of one call
    Show {
        /// Its number in the list, or its request id
        id: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// What a call returned, as long as that is kept
    Result {
        /// Its number in the list, or its request id
        id: String,
        /// The blocks as they are, as JSON
        #[arg(long)]
        json: bool,
    },
    /// Stop a call that runs or waits; needs the running daemon
    Cancel {
        /// Its number in the list, or its request id
        id: String,
    },
}
