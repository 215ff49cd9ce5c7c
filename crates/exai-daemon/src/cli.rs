//! The command line as a type: every word a person can type, and the sentence that explains it.

mod calls;
mod models;
mod ollama;
mod threads;
mod twins;

pub(crate) use calls::{Calls, CallsAction};
pub(crate) use models::{Chat, Models, ModelsAction};
pub(crate) use ollama::{Ollama, OllamaAction};
pub(crate) use threads::{Threads, ThreadsList};
pub(crate) use twins::{Analyze, Ask, Asking, Eval, Files, Review};

use crate::exit;
use clap::{Args, Parser, Subcommand, ValueEnum};
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

#[derive(Debug, Clone, Args)]
pub(crate) struct Start {
    /// Say nothing on success
    #[arg(long, short)]
    pub(crate) quiet: bool,
    /// As a shim starts it: refuses while the owner wants no daemon
    #[arg(long)]
    pub(crate) autostart: bool,
    /// Seconds to wait for the daemon's first answer
    #[arg(long, default_value_t = 15.0, value_parser = seconds)]
    pub(crate) wait: f64,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Stop {
    /// Give running calls little time, and kill the daemon if nothing gentler ends it
    #[arg(long)]
    pub(crate) force: bool,
    /// Seconds that running calls get to finish [default: 30, or 3 with --force]
    #[arg(long, value_parser = seconds)]
    pub(crate) drain: Option<f64>,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Status {
    /// Everything there is to know, as JSON
    #[arg(long, conflicts_with = "watch")]
    pub(crate) json: bool,
    /// Go on until Ctrl-C
    #[arg(long)]
    pub(crate) watch: bool,
    /// Seconds between two looks
    #[arg(long, default_value_t = 1.0, value_parser = seconds, requires = "watch")]
    pub(crate) interval: f64,
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

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum LogsAction {
    /// Prove offline that every received call has exactly one end
    Check(Json),
}

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

#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Json {
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Doctor {
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Do the repairs that are safe; a client's file is kept beside the changed one
    #[arg(long)]
    pub(crate) fix: bool,
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

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn parsed(words: &[&str]) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(std::iter::once(&"exai-daemon").chain(words))
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_documented_words_are_understood() {
        for words in [
            &["run"][..],
            &["start", "--quiet"],
            &["start", "--autostart", "--wait", "2.5"],
            &["stop", "--force"],
            &["restart"],
            &["status", "--json"],
            &["status", "--watch"],
            &["logs", "-f"],
            &["logs", "-n", "5", "--file", "failures"],
            &["logs", "check", "--json"],
            &["tools"],
            &[
                "call", "version", "--arg", "a=1", "--arg", "b=x=y", "--json", "{}",
            ],
            &["ollama", "status"],
            &["ollama", "ps", "--json", "--endpoint", "workstation"],
            &["ollama", "pull", "qwen3:32b"],
            &["ollama", "--json", "show", "hf.co/x/y:Q4_K_M"],
            &["usage"],
            &[
                "usage",
                "--by",
                "day",
                "--since",
                "7d",
                "--until",
                "2026-11-01",
                "--json",
            ],
            &[
                "chat",
                "why",
                "is",
                "it",
                "so?",
                "-m",
                "qwen3:32b",
                "-f",
                "a",
                "-f",
                "b",
            ],
            &[
                "chat", "--image", "p.png", "--effort", "high", "--search", "--yes", "--json",
            ],
            &["chat", "--interactive", "--system", "Be brief."],
            &["chat", "--thread", "0f8fad5b#3", "and now?"],
            &["threads", "list", "--here", "-n", "5", "--json"],
            &["threads", "search", "file", "handle", "--here"],
            &["threads", "show", "0f8fad5b", "--json"],
            &["threads", "rename", "0f8fad5b", "a", "better", "title"],
            &["threads", "export", "a", "b", "--markdown"],
            &["threads", "resume", "0f8fad5b", "-m", "kimi", "and", "now?"],
            &["threads", "delete", "a", "b"],
            &["threads", "import", "a.jsonl"],
            &["models", "--all"],
            &["models", "--json"],
            &["models", "refresh"],
            &["models", "refresh", "glm"],
            &["models", "test", "vendor/model:free", "--json"],
            &["sessions", "--json"],
            &["events", "-f", "--topic", "tool_call_result", "--json"],
            &["smoke"],
            &["bench", "--quick", "--json"],
            &["config", "--origin"],
            &["doctor", "--json"],
            &["doctor", "--fix"],
            &["token", "rotate"],
            &["token", "add", "ci"],
            &["token", "list"],
            &["token", "revoke", "ci"],
            &["mcp-config", "claude-code", "--write"],
            &["mcp-config", "vscode", "--undo"],
            &["completions", "zsh"],
            &["--home", "/h", "status"],
            &["status", "--home", "/h", "--set", "network.port=1"],
        ] {
            assert!(
                parsed(words).is_ok(),
                "{words:?}: {:?}",
                parsed(words).err()
            );
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for words in [
            &["call"][..],
            &["call", "x", "--arg", "novalue"],
            &["start", "--wait", "-1"],
            &["start", "--wait", "NaN"],
            &["chat", "x", "--effort", "huge"],
            &["chat", "x", "--max-output", "0"],
            &["models", "test"],
            &["threads"],
            &["threads", "search"],
            &["threads", "delete"],
            &["models", "--all", "refresh"],
            &["mcp-config", "emacs"],
            &["mcp-config", "vscode", "--write", "--undo"],
            &["bench", "--sessions", "0"],
            &["usage", "--by", "moon"],
            &["ollama"],
            &["ollama", "pull"],
            &[],
        ] {
            assert!(parsed(words).is_err(), "{words:?}");
        }
    }
}
