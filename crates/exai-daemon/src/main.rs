//! `exai-daemon`: the daemon and its command line. A binary is a call.

mod cli;
mod commands;
mod compose;
mod context;
mod control;
mod dial;
mod exit;
mod lifecycle;
mod os;
mod output;
mod probe;
mod run;
mod runner;
mod stdio_peer;

fn main() -> std::process::ExitCode {
    commands::main(cli::parse())
}
