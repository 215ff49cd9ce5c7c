//! `exai-torture`: drives the real binaries while it kills, freezes and starves them, and keeps
//! score from outside. See `Options` for the words, `faults` for what is done, `oracle` for what
//! is a broken promise.

mod arena;
mod clients;
mod faults;
mod options;
mod oracle;
mod report;
mod run;
mod score;
mod watch;
mod work;
mod wrap;

use anyhow::Result;
use clap::Parser as _;
use options::Options;
use std::process::ExitCode;

/// A promise was broken.
const BROKEN: u8 = 1;
/// It could not run.
const FAILED: u8 = 2;

fn main() -> ExitCode {
    let mut options = Options::parse();
    match prepared(&mut options).and_then(|()| play(options)) {
        Ok(code) => code,
        Err(error) => {
            tell(&format!("exai-torture: {error:#}"));
            ExitCode::from(FAILED)
        }
    }
}

fn prepared(options: &mut Options) -> Result<()> {
    for name in &options.only {
        let known = faults::names();
        anyhow::ensure!(
            known.contains(&name.as_str()),
            "no fault is called '{name}'; there are: {}",
            known.join(", ")
        );
    }
    if !options.inside {
        options.no_mounts = Some(wrap::into_a_namespace()?);
    }
    Ok(())
}

fn play(options: Options) -> Result<ExitCode> {
    let json = options.json;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let board = runtime.block_on(run::run(options))?;
    say(&if json {
        format!("{:#}\n", board.json())
    } else {
        board.text()
    });
    Ok(if board.broken() == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(BROKEN)
    })
}

/// Ctrl-C, or a request to end.
async fn interrupted() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    // Where there are no signals to listen to there is nothing to wait for but the end.
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

#[expect(clippy::print_stdout, reason = "the scoreboard")]
fn say(text: &str) {
    print!("{text}");
}

#[expect(clippy::print_stderr, reason = "how far it is, and what went wrong")]
fn tell(text: &str) {
    eprintln!("{text}");
}
