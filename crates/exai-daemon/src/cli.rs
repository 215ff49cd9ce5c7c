//! The command line as a type: every word a person can type, and the sentence that explains it.

mod calls;
mod life;
mod models;
mod ollama;
mod record;
mod setup;
#[cfg(test)]
mod tests;
mod threads;
mod twins;

pub(crate) use calls::{Calls, CallsAction};
pub(crate) use life::{Start, Status, Stop};
pub(crate) use models::{Chat, Models, ModelsAction};
pub(crate) use ollama::{Ollama, OllamaAction};
pub(crate) use record::{Events, LogName, Logs, LogsAction, Usage, UsageBy};
pub(crate) use setup::{Config, Doctor, McpClient, McpConfig, TokenAction};
pub(crate) use threads::{Threads, ThreadsList};
pub(crate) use twins::{Analyze, Ask, Asking, Eval, Files, Review};

use crate::exit;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// The daemon that owns your AI tools, and everything to look after it.
#[derive(Debug, Parser)]
#[command(name = "exai-daemon", version, propagate_version = true, after_long_help = exit::table())]
pub(crate) struct Cli {
    /// The home: logs, data, run-time files, config/exai.toml and .env [default: $EXAI_HOME, else
    /// this platform's state directory]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) home: Option<PathBuf>,
    /// A setting for this process, such as network.port=9000 (may be given several times)
    #[arg(long = "set", global = true, value_name = "KEY=VALUE", value_parser = pair)]
    pub(crate) settings: Vec<(String, String)>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the daemon in the foreground
    Run {
        /// Leave the terminal and everything inherited behind; for `start`
        #[arg(long, hide = true)]
        detached: bool,
        /// Take the home over from the daemon that has it; for `restart` and `upgrade`
        #[arg(long, hide = true)]
        succeed: bool,
    },
    /// Start the daemon in the background; returns when it answers
    Start(Start),
    /// Stop the daemon: finish running calls, then end; shims will not start it again
    Stop(Stop),
    /// Put a new daemon in the running one's place: running calls go on, no client is interrupted
    ///
    /// The new daemon takes over the socket and the lock while both run; if it fails, the old one
    /// goes on. With --drain or --force, or where that cannot be: stop, then start.
    Restart(Stop),
    /// Put the daemon of another program file in the running one's place, as restart does
    Upgrade {
        /// The new exai-daemon
        #[arg(value_name = "PATH")]
        program: PathBuf,
    },
    /// Say in one line whether the daemon runs
    Status(Status),
    /// Show the log, or prove that every call ended
    Logs(Logs),
    /// List the tools
    Tools(Json),
    /// Call a tool and show its progress
    Call(Call),
    /// Ask a model: once, of a pipe's text, or in a conversation
    ///
    /// With a question, or text through a pipe: one answer, which alone goes to standard output;
    /// model, price and sources go to standard error. Without, on a terminal: a conversation,
    /// until Ctrl-D. Ctrl-C stops an answer. Exit codes are those of `call`.
    Chat(Chat),
    /// Have a change reviewed: a range, a revision, or everything that is not committed
    ///
    /// The verdict alone goes to standard output; what was sent, model and price go to standard
    /// error. Exit codes are those of `call`.
    Review(Review),
    /// Ask several models at once, each without knowing of the others
    Ask(Ask),
    /// Have files analyzed
    Analyze(Analyze),
    /// Show what would be sent of files, and what would not and why; nothing is sent
    Files(Files),
    /// Measure a model: seeded defects it finds, those it invents, and what a hit costs
    ///
    /// Reviews the files that are shipped with exai, some fifty calls, each of them paid.
    Eval(Eval),
    /// Find, read, go on with, name, move and remove conversations with models
    Threads {
        #[command(subcommand)]
        action: Threads,
    },
    /// List the models, bring the list up to date, or try one
    Models(Models),
    /// Look after Ollama servers: models, downloads, memory
    Ollama(Ollama),
    /// Show the journal of calls, what one returned, or stop one
    Calls(Calls),
    /// Show what models used and cost, and what budgets have left
    Usage(Usage),
    /// List who is connected
    Sessions(Json),
    /// Show what happens in the daemon
    Events(Events),
    /// Check a running daemon with two clients and, where it is installed, the shim
    Smoke,
    /// Measure calls per second, latency and memory against bare servers, in one run
    Bench(Bench),
    /// Show the settings in force
    Config(Config),
    /// Check everything that usually goes wrong, and say how to repair it
    ///
    /// Exit code: 0 when nothing fails (warnings may remain), 1 when something does. With --fix,
    /// what counts is what is left.
    Doctor(Doctor),
    /// Show or replace the token; make and take away keys for clients that are not to have it
    Token {
        #[command(subcommand)]
        action: TokenAction,
    },
    /// Print, write or take back the entry for an MCP client
    McpConfig(McpConfig),
    /// Print a completion script for a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Answers WebSocket messages with a canned one; the bare twin that `bench` compares with
    #[command(hide = true)]
    BenchEcho,
    /// Streams chat completions to the clock; the server that `bench models` asks
    #[command(hide = true)]
    BenchModels,
    /// Answers JSON-RPC lines with a canned result; the bare twin of the shim
    #[command(hide = true)]
    BenchStdioResponder {
        /// Length of an answer
        #[arg(long, default_value_t = 500)]
        bytes: usize,
    },
}

#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Json {
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Call {
    /// The tool
    pub(crate) tool: String,
    /// One argument; its type is taken from the tool's schema
    #[arg(long = "arg", short, value_name = "NAME=VALUE", value_parser = pair)]
    pub(crate) args: Vec<(String, String)>,
    /// All arguments as a JSON object, `-` for standard input, `@FILE` for a file
    #[arg(long, value_name = "OBJECT")]
    pub(crate) json: Option<String>,
    /// Seconds to wait for the result
    #[arg(long, value_parser = seconds)]
    pub(crate) timeout: Option<f64>,
    /// Print the whole result as JSON instead of its text
    #[arg(long)]
    pub(crate) full: bool,
    /// No progress
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Bench {
    /// Only this
    #[command(subcommand)]
    pub(crate) part: Option<BenchPart>,
    /// Sessions of the throughput run
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=5000))]
    pub(crate) sessions: u32,
    /// Calls of each session
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) calls: u32,
    /// Small numbers, for the gate
    #[arg(long)]
    pub(crate) quick: bool,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Copy, Subcommand)]
pub(crate) enum BenchPart {
    /// What the daemon costs between a model and its reader
    Models,
    /// What it costs that no call is lost
    Journal,
}

/// Reads the command line; on a mistake says which and ends with code 2.
pub(crate) fn parse() -> Cli {
    Cli::parse()
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if (0.0..=86_400.0).contains(&number) => Ok(number),
        _ => Err("expected seconds from 0 to 86400".to_owned()),
    }
}
