//! What the system and the terminal may ask of a daemon, as one future.

/// Waits until the process is asked to end, and says by what.
#[cfg(unix)]
pub(crate) async fn asked_to_end() -> std::io::Result<&'static str> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    // Taken so that the end of a terminal is not the end of the daemon.
    let mut hangup = signal(SignalKind::hangup())?;
    loop {
        tokio::select! {
            _ = terminate.recv() => return Ok("SIGTERM"),
            _ = interrupt.recv() => return Ok("SIGINT"),
            _ = hangup.recv() => tracing::info!("SIGHUP ignored"),
        }
    }
}

/// Windows has Ctrl-C only; `stop` asks over the protocol. Untested here.
#[cfg(not(unix))]
pub(crate) async fn asked_to_end() -> std::io::Result<&'static str> {
    tokio::signal::ctrl_c().await?;
    Ok("Ctrl-C")
}
