//! `restart`: stop, then start. The owner's wish for no daemon is not noted in between, and
//! settings that would refuse the start refuse it before anything is stopped.

use super::{start, stop};
use crate::{
    cli::{Start, Stop},
    context::Context,
    exit::Code,
    output,
};
use anyhow::Result;

pub(super) async fn run(context: &Context, options: &Stop) -> Result<Code> {
    context.home.prepare()?;
    match stop::end(context, options).await? {
        stop::Ended::NotRunning => {}
        _ => output::line("ws_daemon: stopped")?,
    }
    start::run(
        context,
        &Start {
            quiet: false,
            autostart: false,
            wait: 15.0,
        },
    )
    .await
}
