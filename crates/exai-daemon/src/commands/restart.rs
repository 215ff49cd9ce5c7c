//! `restart`: a new daemon takes the home over from the running one, which finishes its calls;
//! if it fails, the running one goes on. Where that cannot be: stop, then start. The owner's
//! wish for no daemon is not noted in between; instead the starters' lock is held throughout, so
//! that no window brings up its own daemon, with its own environment, before we bring up ours.
//! Settings that would refuse the start refuse it before anything is stopped.

use super::{start, stop};
use crate::{
    cli::{Start, Stop},
    context::Context,
    dial,
    exit::Code,
    output, succession,
};
use anyhow::Result;
use std::path::Path;

pub(super) async fn run(context: &Context, options: &Stop) -> Result<Code> {
    replace(context, options, None).await
}

/// With the daemon of another program, where one is named.
pub(super) async fn replace(
    context: &Context,
    options: &Stop,
    program: Option<&Path>,
) -> Result<Code> {
    super::warn_of_settings(context);
    context.home.prepare()?;
    // As with the settings: what would refuse the start refuses it before anything is stopped.
    dial::target(context).await?;
    let lock = start::only_starter(context).await?;
    let start = Start {
        quiet: false,
        autostart: false,
        wait: 15.0,
    };
    let is_patient = !options.force && options.drain.is_none();
    // One that says nothing would give nothing: that is what `stop` knows how to end.
    let is_given = is_patient
        && succession::is_offered(&context.home)
        && start::answering(context).await?.is_some();
    if is_given {
        return start::succeed(context, &start, program, lock).await;
    }
    match stop::end(context, options).await? {
        stop::Ended::NotRunning => {}
        _ => output::line("ws_daemon: stopped")?,
    }
    start::run_alone(context, &start, program, lock).await
}
