//! `bench`, and the bare servers it starts.

use crate::{
    bench,
    cli::Bench,
    exit::{self, Code},
    output,
};
use anyhow::Result;

pub(super) fn run(options: &Bench) -> Result<Code> {
    bench::run(options)
}

pub(super) fn echo() -> Result<Code> {
    bench::echo::serve_until_killed(|port| Ok(output::line(port)?))?;
    Ok(exit::OK)
}

pub(super) fn models() -> Result<Code> {
    bench::models::server::serve_until_killed(|port| Ok(output::line(port)?))?;
    Ok(exit::OK)
}

pub(super) fn respond(bytes: usize) -> Result<Code> {
    bench::responder::respond(bytes)?;
    Ok(exit::OK)
}
