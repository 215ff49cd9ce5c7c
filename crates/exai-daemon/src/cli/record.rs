//! Words for what the daemon wrote down: logs, events, and what models used.

use super::Json;
use clap::{Args, Subcommand, ValueEnum};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogName {
    /// ws_daemon.log
    Daemon,
    /// ws_shim.log
    Shim,
    /// tool_calls_all.jsonl
    Calls,
    /// tool_failures.jsonl
    Failures,
    /// progress.log
    Progress,
    /// ws_daemon.metrics.jsonl
    Metrics,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum LogsAction {
    /// Prove offline that every received call has exactly one end
    Check(Json),
}

#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Logs {
    #[command(subcommand)]
    pub(crate) action: Option<LogsAction>,
    /// Go on with new lines until Ctrl-C
    #[arg(long, short)]
    pub(crate) follow: bool,
    /// Lines to begin with
    #[arg(long, short = 'n', default_value_t = 50)]
    pub(crate) lines: usize,
    /// Which log
    #[arg(long, value_enum, default_value_t = LogName::Daemon)]
    pub(crate) file: LogName,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum UsageBy {
    Model,
    Client,
    Day,
    Thread,
    Provider,
    Key,
    Tool,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Usage {
    /// What to tell sums apart by
    #[arg(long, value_enum, default_value_t = UsageBy::Model)]
    pub(crate) by: UsageBy,
    /// From then on: an age (90m, 12h, 7d, 4w), a date (UTC) or a time
    #[arg(long, value_name = "WHEN", allow_hyphen_values = true)]
    pub(crate) since: Option<String>,
    /// Before then; a date includes that day
    #[arg(long, value_name = "WHEN", allow_hyphen_values = true)]
    pub(crate) until: Option<String>,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Events {
    /// Go on with new events until Ctrl-C
    #[arg(long, short)]
    pub(crate) follow: bool,
    /// Only this topic (may be given several times)
    #[arg(long, value_name = "TOPIC")]
    pub(crate) topic: Vec<String>,
    /// One JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
}
