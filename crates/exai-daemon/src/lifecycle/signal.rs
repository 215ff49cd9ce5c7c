//! What the system and the terminal may ask of a daemon. Listened to from before its door is
//! open: whoever has met a daemon may at once ask it to end.

use std::io;
#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals of this process.
pub(crate) struct Signals {
    #[cfg(unix)]
    terminate: Signal,
    #[cfg(unix)]
    interrupt: Signal,
    #[cfg(unix)]
    hangup: Signal,
    #[cfg(not(unix))]
    interrupt: tokio::signal::windows::CtrlC,
}

#[cfg(unix)]
impl Signals {
    /// From now on signals are noted, and end nobody by themselves.
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            // Taken so that the end of a terminal is not the end of the daemon.
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits until the process is asked to end, and says by what; at once if it was already.
    pub(crate) async fn asked_to_end(&mut self) -> &'static str {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return "SIGTERM",
                _ = self.interrupt.recv() => return "SIGINT",
                _ = self.hangup.recv() => tracing::info!("SIGHUP ignored"),
            }
        }
    }
}

/// Windows has Ctrl-C only; `stop` asks over the protocol. Untested here.
#[cfg(not(unix))]
impl Signals {
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: tokio::signal::windows::ctrl_c()?,
        })
    }

    pub(crate) async fn asked_to_end(&mut self) -> &'static str {
        self.interrupt.recv().await;
        "Ctrl-C"
    }
}
