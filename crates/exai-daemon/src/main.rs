//! `exai-daemon`: the daemon and its command line. A binary is a call.

mod announced;
mod bench;
mod cli;
mod commands;
mod compose;
mod context;
mod control;
mod dial;
mod exit;
mod funds;
mod library;
mod lifecycle;
mod limits;
mod markdown;
mod models;
mod named;
mod os;
mod output;
mod own_tools;
mod probe;
mod run;
mod runner;
mod serving;
mod stdio_peer;
#[cfg(unix)]
mod succession;
#[cfg(not(unix))]
#[path = "succession_elsewhere.rs"]
mod succession;
mod surfaces;
mod watchdog;

/// Records are made on the reactor and freed by their writer; with the system's allocator that
/// traffic cost a fifth of the time of a call (measured with `bench` at 100 sessions).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    os::small_pages();
    commands::main(cli::parse())
}
