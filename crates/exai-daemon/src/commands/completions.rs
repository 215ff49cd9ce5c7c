//! `completions`: a script that lets a shell finish words.

use crate::{
    cli::Cli,
    exit::{self, Code},
    output,
};
use anyhow::Result;
use clap::CommandFactory;

pub(super) fn run(shell: clap_complete::Shell) -> Result<Code> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "exai-daemon", &mut script);
    output::raw(&script)?;
    Ok(exit::OK)
}
