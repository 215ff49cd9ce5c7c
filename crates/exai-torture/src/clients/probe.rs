//! A window that is left alone and only asks whether the daemon is there: it measures how
//! long a killed daemon takes to be back, as somebody who works would notice it. Its shim lives
//! as long as the run, so that its memory and descriptors tell whether anything grows.

use super::window_pipe::Pipe;
use crate::arena::Arena;
use anyhow::{Context as _, Result};
use serde_json::json;
use std::{
    process::Stdio,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{process::Child, task::JoinSet, time::timeout};

/// See the module.
pub(crate) struct Probe {
    child: Child,
    pipe: Arc<Pipe>,
    _reader: JoinSet<()>,
}

impl Probe {
    pub(crate) async fn open(arena: &Arc<Arena>) -> Result<Self> {
        let mut command = arena.command("exai-shim");
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command.spawn().context("cannot start exai-shim")?;
        let (stdin, stdout) = (
            child.stdin.take().context("no stdin")?,
            child.stdout.take().context("no stdout")?,
        );
        let pipe = Arc::new(Pipe::new(stdin));
        let mut reader = JoinSet::new();
        reader.spawn(Arc::clone(&pipe).listen(stdout, Arc::clone(arena)));
        let params = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "probe", "version": "0" } });
        let (_, answer) = pipe.ask("initialize", params).await;
        timeout(Duration::from_secs(60), answer)
            .await
            .context("no greeting within a minute")??;
        pipe.tell("notifications/initialized", json!({})).await;
        Ok(Self {
            child,
            pipe,
            _reader: reader,
        })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id().unwrap_or_default()
    }

    /// Asks until it is answered; `None` when that takes longer than `limit`.
    pub(crate) async fn answered(&self, limit: Duration) -> Option<Duration> {
        let begun = Instant::now();
        while begun.elapsed() < limit {
            let (_, answer) = self
                .pipe
                .ask("tools/call", json!({ "name": "version", "arguments": {} }))
                .await;
            let answer = timeout(limit, answer).await.ok()?.ok()?;
            if answer["result"]["content"].is_array() && answer["result"]["isError"] != true {
                return Some(begun.elapsed());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        None
    }

    /// Quits; whether the shim went.
    pub(crate) async fn close(mut self) -> bool {
        self.pipe.close().await;
        timeout(Duration::from_secs(15), self.child.wait())
            .await
            .is_ok()
    }
}
