//! `run`: the daemon in this process.

use crate::{context::Context, output, run};
use anyhow::Result;
use std::process::ExitCode;

pub(super) fn run(context: Context, options: run::Options) -> Result<ExitCode> {
    if !options.detached {
        super::warn_of_settings(&context);
        output::hint(format!(
            "ws_daemon: in the foreground | home {} | log {} | Ctrl-C ends it",
            context.home.root().display(),
            context.home.daemon_log().display()
        ));
    }
    run::daemon(context.home, context.loaded, options)
}
