//! `bench`, and the bare responder it starts.

use crate::{
    bench,
    cli::Bench,
    exit::{self, Code},
};
use anyhow::Result;

pub(super) fn run(options: &Bench) -> Result<Code> {
    bench::run(options)
}

pub(super) fn respond(bytes: usize) -> Result<Code> {
    bench::responder::respond(bytes)?;
    Ok(exit::OK)
}
