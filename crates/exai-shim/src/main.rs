//! `exai-shim`: the MCP stdio server every editor window launches; a thin, immortal pipe to the
//! daemon.

mod answer;
mod autostart;
mod bridge;
mod calling;
mod catalog;
mod envelope;
mod flags;
mod handler;
mod id_scan;
mod lifecycle;
mod listeners;
mod pages;
mod pipes;
mod progress;
mod run;
mod setup;
mod stdin;
mod stdout;
mod tickets;
mod transport;
mod whereabouts;

fn main() -> std::process::ExitCode {
    run::run()
}
