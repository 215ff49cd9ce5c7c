//! `completions`: a script that lets a shell finish words; those a person never types are left out.

use crate::{
    cli::Cli,
    exit::{self, Code},
    output,
};
use anyhow::Result;
use clap::{Command, CommandFactory};

pub(super) fn run(shell: clap_complete::Shell) -> Result<Code> {
    let mut script = Vec::new();
    // `run` has a hidden flag; the rest is hidden as a whole or not at all.
    let mut words = visible("exai-daemon", &Cli::command())
        .version(crate::compose::VERSION)
        .propagate_version(true)
        .mut_subcommand("run", |run| visible("run", &run));
    clap_complete::generate(shell, &mut words, "exai-daemon", &mut script);
    output::raw(&script)?;
    Ok(exit::OK)
}

/// The command without what is hidden from `--help`: the scripts would offer that.
fn visible(name: &'static str, command: &Command) -> Command {
    let shown = Command::new(name)
        .args(command.get_arguments().filter(|arg| !arg.is_hide_set()))
        .subcommands(command.get_subcommands().filter(|sub| !sub.is_hide_set()));
    match command.get_about() {
        Some(about) => shown.about(about.clone()),
        None => shown,
    }
}
