//! A daemon in the foreground.

use crate::{Handshake, PATIENCE, Process, Sandbox, Ws};
use std::ops::{Deref, DerefMut};
use tokio::time::{Duration, Instant, sleep};

/// `exai-daemon run`; killed on drop.
pub struct Daemon {
    process: Process,
}

impl Daemon {
    pub(crate) fn new(process: Process) -> Self {
        Self { process }
    }

    /// Waits until it answers a handshake; ends the test with its last words when it does not.
    pub async fn serves(&mut self, sandbox: &Sandbox) {
        self.serves_with(sandbox, || sandbox.token()).await;
    }

    pub(crate) async fn serves_with(
        &mut self,
        sandbox: &Sandbox,
        token: impl Fn() -> Option<String>,
    ) {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(token) = token()
                && let Some(mut ws) = Ws::try_connect(sandbox.port()).await
                && matches!(ws.try_hello(&Handshake::v1(&token)).await, Some(ack) if ack["ok"] == true)
            {
                ws.close().await;
                return;
            }
            let running = self.is_running();
            let log = sandbox.log("ws_daemon.log");
            assert!(
                running,
                "the daemon ended; it said:\n{}\nits log:\n{log}",
                self.said()
            );
            assert!(
                Instant::now() < end,
                "the daemon does not serve after {PATIENCE:?}; it said:\n{}\nits log:\n{log}",
                self.said()
            );
            sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Deref for Daemon {
    type Target = Process;
    fn deref(&self) -> &Process {
        &self.process
    }
}

impl DerefMut for Daemon {
    fn deref_mut(&mut self) -> &mut Process {
        &mut self.process
    }
}
