//! Words for the daemon's life: start, stop, and whether it runs.

use super::seconds;
use clap::Args;

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
