//! The command line.

use clap::Parser;
use std::path::PathBuf;

/// Kills, freezes and starves the real exai binaries, and keeps score from outside.
///
/// Everything happens in a temporary home on a free port; nothing outside it is touched. Ends
/// with 0 if every promise was kept, with 1 if one was broken, with 2 if it could not run.
#[derive(Debug, Clone, Parser)]
#[command(version)]
pub(crate) struct Options {
    /// How long it goes on; then everything that is owed must be answered
    #[arg(long, default_value_t = 120)]
    pub(crate) seconds: u64,
    /// So much of that, at the end, is without faults: one daemon lives long enough to be seen
    /// growing, if it grows [default: a quarter]
    #[arg(long, value_name = "SECONDS")]
    pub(crate) calm: Option<u64>,
    /// Repeats the plan of a run; random without one, and printed
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// Clients at once, of all kinds
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u32).range(4..=1000))]
    pub(crate) clients: u32,
    /// Faults of the daemon's process, its files, its disk and its clock, on average
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(0..=600))]
    pub(crate) kills_per_minute: u32,
    /// Faults of shims, their parents and their links, on average
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(0..=600))]
    pub(crate) client_faults_per_minute: u32,
    /// Longest pause of a client between two calls, in milliseconds
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) think_ms: u64,
    /// Only these faults, by the names of the scoreboard (may be given several times)
    #[arg(long = "only", value_name = "FAULT")]
    pub(crate) only: Vec<String>,
    /// How long a client that lives may wait for an answer before it counts as lost
    #[arg(long, default_value_t = 120)]
    pub(crate) patience: u64,
    /// Where exai-daemon and exai-shim are, if not beside this program
    #[arg(long, value_name = "DIR")]
    pub(crate) bin_dir: Option<PathBuf>,
    /// Tell each fault of the daemon, and how long it took until all was well again
    #[arg(long, short)]
    pub(crate) verbose: bool,
    /// Keep the temporary home after a broken promise, and say where it is
    #[arg(long)]
    pub(crate) keep: bool,
    /// The scoreboard as JSON on standard output
    #[arg(long)]
    pub(crate) json: bool,
    /// Already in a mount namespace of its own
    #[arg(long, hide = true)]
    pub(crate) inside: bool,
    /// Why there is none
    #[arg(long, hide = true, value_name = "WHY")]
    pub(crate) no_mounts: Option<String>,
}
