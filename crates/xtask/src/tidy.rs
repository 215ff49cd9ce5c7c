//! All rules, in one pass. Each lives in its own file and only collects faults.

mod bans;
mod budgets;
mod checks;
mod edges;
mod files;
mod generated;
mod licences;
mod names;
mod purity;

use crate::{
    cargo, fault,
    fault::{Fault, say},
    source,
};
use anyhow::Context as _;
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Where Rust files of ours live.
const FOLDERS: [&str; 2] = ["crates", "tests"];

/// What to do about a generated file that is not what it would be now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Drift {
    Report,
    Rewrite,
}

/// Runs every rule over the workspace this program was built in.
pub(crate) fn run(drift: Drift) -> anyhow::Result<ExitCode> {
    let root = root()?;
    let sources = source::read(&root, &FOLDERS)?;
    let graph = cargo::graph(&root)?;
    if graph.host_only {
        say(
            "note: crates of other platforms are not on this machine; licences are checked for this one",
        )?;
    }

    let mut faults = Vec::new();
    edges::check(&graph, &mut faults);
    bans::check(&graph, &mut faults);
    licences::check(&graph, &mut faults);
    names::check(&sources, &mut faults);
    purity::check(&graph, &sources, &mut faults);
    budgets::check(&root, &mut faults)?;
    generated::check(&root, drift, &mut faults)?;
    checks::check(&root, &sources, &mut faults)?;
    say(files::check(&sources, &mut faults))?;

    report(faults)
}

fn report(mut faults: Vec<Fault>) -> anyhow::Result<ExitCode> {
    faults.sort();
    faults.dedup();
    for fault in &faults {
        fault::say(fault)?;
    }
    if faults.is_empty() {
        say("tidy: no faults")?;
        return Ok(ExitCode::SUCCESS);
    }
    say(format_args!("tidy: {} faults", faults.len()))?;
    Ok(ExitCode::FAILURE)
}

/// Two folders above this crate.
fn root() -> anyhow::Result<PathBuf> {
    let here = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    here.parent()
        .and_then(Path::parent)
        .map(Path::to_path_buf)
        .context("xtask is not inside a workspace")
}
