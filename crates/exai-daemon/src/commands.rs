//! From a parsed command line to an exit code: one file a command, and this table of them.

mod bench;
mod call;
mod calls;
mod chat;
mod completions;
mod config;
mod doctor;
mod eval;
mod events;
mod files;
mod for_people;
mod logs;
mod mcp_config;
mod models;
mod ollama;
mod restart;
mod run;
mod sessions;
mod smoke;
mod start;
mod status;
mod stop;
mod threads;
mod token;
mod tools;
mod twins;
mod upgrade;
mod usage;

use crate::{
    cli::{Cli, Command, LogsAction},
    context::Context,
    exit::{self, Code},
    output,
};
use anyhow::{Context as _, Result};
use exai_protocol::UnixMillis;
use exai_tools::moment;
use std::{pin::Pin, process::ExitCode};

const DAY_SECS: f64 = 86_400.0;

/// Runs a command and says what went wrong with it.
pub(crate) fn main(cli: Cli) -> ExitCode {
    match dispatch(&cli) {
        Ok(code) => code,
        // A reader that has seen enough (`… | head`) is no failure.
        Err(error) if exit::reader_is_gone(&error) => exit::OK.into(),
        Err(error) => exit::code_of(&error).report(exit::told(&error)),
    }
}

fn dispatch(cli: &Cli) -> Result<ExitCode> {
    let strict = || Context::strict(cli);
    let lenient = || Context::lenient(cli);
    let code = match &cli.command {
        Command::Run { detached, succeed } => {
            let options = crate::run::Options {
                detached: *detached,
                succeed: *succeed,
            };
            return run::run(strict()?, options);
        }
        Command::Start(options) => wait(start::run(&strict()?, options)),
        Command::Stop(options) => wait(stop::run(&lenient()?, options)),
        Command::Restart(options) => wait(restart::run(&strict()?, options)),
        Command::Upgrade { program } => wait(upgrade::run(&strict()?, program)),
        Command::Status(options) => wait(status::run(&lenient()?, options)),
        Command::Tools(options) => wait(tools::run(&lenient()?, options.json)),
        Command::Call(options) => wait(call::run(&lenient()?, options)),
        Command::Chat(options) => wait(chat::run(&lenient()?, options)),
        Command::Review(options) => wait(twins::review(&lenient()?, options)),
        Command::Ask(options) => wait(twins::ask(&lenient()?, options)),
        Command::Analyze(options) => wait(twins::analyze(&lenient()?, options)),
        Command::Files(options) => wait(files::run(&lenient()?, options)),
        Command::Eval(options) => wait(eval::run(&lenient()?, options)),
        Command::Threads { action } => wait(threads::run(&lenient()?, action)),
        Command::Models(options) => wait(models::run(&lenient()?, options)),
        Command::Logs(options) => match &options.action {
            Some(LogsAction::Check(check)) => logs::check(&lenient()?, check.json),
            None => wait(logs::run(&lenient()?, options)),
        },
        Command::Ollama(options) => wait(ollama::run(&lenient()?, options)),
        Command::Calls(options) => wait(calls::run(&lenient()?, options)),
        Command::Usage(options) => usage::run(&lenient()?, options),
        Command::Sessions(options) => wait(sessions::run(&lenient()?, options.json)),
        Command::Events(options) => wait(events::run(&lenient()?, options)),
        Command::Smoke => wait(smoke::run(&lenient()?)),
        Command::Config(options) => config::run(&strict()?, *options),
        Command::Doctor(options) => wait(doctor::run(cli, options)),
        Command::Token { action } => wait(token::run(&lenient()?, action.clone())),
        Command::McpConfig(options) => mcp_config::run(&lenient()?, options),
        Command::Completions { shell } => completions::run(*shell),
        Command::Bench(options) => bench::run(options),
        Command::BenchEcho => bench::echo(),
        Command::BenchModels => bench::models(),
        Command::BenchStdioResponder { bytes } => bench::respond(*bytes),
    };
    Ok(code?.into())
}

/// Drives a command on a small runtime of its own.
fn wait(command: impl Future<Output = Result<Code>>) -> Result<Code> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let code = runtime.block_on(command);
    // A thread that waits for standard input must not hold up the end.
    runtime.shutdown_background();
    code
}

/// Ctrl-C, as often as it comes; nothing is lost between two of them.
struct Interrupts {
    next: Pin<Box<dyn Future<Output = std::io::Result<()>> + Send>>,
}

impl Interrupts {
    fn new() -> Self {
        Self {
            next: Box::pin(tokio::signal::ctrl_c()),
        }
    }

    /// Waits for the next one. Cancel-safe.
    async fn next(&mut self) {
        if self.next.as_mut().await.is_err() {
            // They cannot be received here; then Ctrl-C ends the process as it always did.
            std::future::pending::<()>().await;
        }
        self.next = Box::pin(tokio::signal::ctrl_c());
    }
}

/// A moment as people write it. A bare date as an end is all of that day.
fn moment_of(flag: &str, text: &str, now: UnixMillis, end: bool) -> Result<UnixMillis> {
    let whole_day = end && text.trim().len() == "2026-11-01".len() && text.contains('-');
    let seconds = moment::parse(text, now.as_secs_f64()).ok_or_else(|| {
        exit::USAGE.because(format!(
            "{flag} {text}: expected an age such as 90m, 12h, 7d or 4w, a date such as 2026-11-01 \
             (UTC), or a time such as 2026-11-01T10:00:00Z"
        ))
    })?;
    let seconds = seconds + if whole_day { DAY_SECS } else { 0.0 };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a time after 1970, and the cast stops at the ends"
    )]
    let millis = (seconds.max(0.0) * 1000.0).round() as u64;
    Ok(UnixMillis(millis))
}

/// What is odd about the settings, where somebody is about to rely on them.
fn warn_of_settings(context: &Context) {
    context.loaded.warnings.iter().for_each(output::warning);
}

/// What to do next, beside the data.
fn next_step(words: &str) {
    output::hint(output::paint(output::Tone::Quiet, words));
}
