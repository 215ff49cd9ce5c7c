//! `restart`: stop, then start. The owner's wish for no daemon is not noted in between; instead
//! the starters' lock is held throughout, so that no window brings up its own daemon, with its
//! own environment, before we bring up ours. Settings that would refuse the start refuse it
//! before anything is stopped.

use super::{start, stop};
use crate::{
    cli::{Start, Stop},
    context::Context,
    dial,
    exit::Code,
    output,
};
use anyhow::Result;

pub(super) async fn run(context: &Context, options: &Stop) -> Result<Code> {
    super::warn_of_settings(context);
    context.home.prepare()?;
    // As with the settings: what would refuse the start refuses it before anything is stopped.
    dial::target(context).await?;
    let lock = start::only_starter(context).await?;
    match stop::end(context, options).await? {
        stop::Ended::NotRunning => {}
        _ => output::line("ws_daemon: stopped")?,
    }
    let options = Start {
        quiet: false,
        autostart: false,
        wait: 15.0,
    };
    start::run_alone(context, &options, lock).await
}
