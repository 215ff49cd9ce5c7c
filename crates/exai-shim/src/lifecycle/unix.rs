//! Signals, and the parent by its pidfd where the kernel has them, else by looking every
//! second. Never the parent-death signal: it follows the parent's thread, not its process.

use rustix::process::{Pid, getppid};
#[cfg(target_os = "linux")]
use std::os::fd::OwnedFd;
use std::{io, time::Duration};
#[cfg(target_os = "linux")]
use tokio::io::unix::AsyncFd;
use tokio::signal::unix::{Signal, SignalKind};

/// Waits for SIGTERM, SIGINT or SIGHUP.
pub(crate) async fn signal() -> &'static str {
    let mut term = stream(SignalKind::terminate());
    let mut int = stream(SignalKind::interrupt());
    let mut hup = stream(SignalKind::hangup());
    tokio::select! {
        () = next(&mut term) => "SIGTERM",
        () = next(&mut int) => "SIGINT",
        () = next(&mut hup) => "SIGHUP",
    }
}

fn stream(kind: SignalKind) -> Option<Signal> {
    let stream = tokio::signal::unix::signal(kind);
    stream
        .inspect_err(|error| tracing::warn!(%error, "a signal cannot be caught"))
        .ok()
}

async fn next(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        // Then it has its default effect, which ends us as well.
        None => std::future::pending().await,
    }
}

/// Waits until the process that started us is gone; for ever when that was the system itself.
pub(crate) async fn parent_gone() {
    let Some(parent) = getppid().filter(|parent| !parent.is_init()) else {
        return std::future::pending().await;
    };
    if let Err(error) = watch(parent).await {
        tracing::debug!(%error, "no pidfd; looking at the parent every second");
        while getppid() == Some(parent) {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
}

#[cfg(target_os = "linux")]
async fn watch(parent: Pid) -> io::Result<()> {
    use rustix::process::{PidfdFlags, pidfd_open};

    let pidfd = register(pidfd_open(parent, PidfdFlags::NONBLOCK)?)?;
    if getppid() != Some(parent) {
        // It went away, and its number may be somebody else's by now.
        return Ok(());
    }
    pidfd.readable().await.map(drop)
}

#[cfg(target_os = "linux")]
#[expect(
    unsafe_code,
    reason = "the reactor asks for a promise that only its caller can give"
)]
fn register(pidfd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: the descriptor is owned, moves in here, and is closed by the `AsyncFd` alone,
    // after it is deregistered.
    unsafe { AsyncFd::register(pidfd) }.map_err(io::Error::from)
}

#[cfg(not(target_os = "linux"))]
async fn watch(_: Pid) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
