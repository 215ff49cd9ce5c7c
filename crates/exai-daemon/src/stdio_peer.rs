//! An MCP server at the other end of two pipes, as an MCP client would see it: one request at
//! a time, one line each. For `smoke` and `bench`, which must speak to the real shim.

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::{process::Stdio, time::Duration};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout},
    time::timeout,
};

/// A child that answers JSON-RPC lines; ends with this value.
pub(crate) struct StdioPeer {
    child: Child,
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
    next: u64,
}

impl StdioPeer {
    /// Starts the program. What it says on standard error is not of interest here.
    pub(crate) fn start(mut command: std::process::Command) -> Result<Self> {
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = tokio::process::Command::from(command)
            .kill_on_drop(true)
            .spawn()?;
        let stdin = child.stdin.take().context("the child has no input")?;
        let stdout = child.stdout.take().context("the child has no output")?;
        let lines = BufReader::new(stdout).lines();
        Ok(Self {
            child,
            stdin,
            lines,
            next: 0,
        })
    }

    /// Its process, while it runs.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// The client's half of the MCP handshake.
    pub(crate) async fn initialize(&mut self, within: Duration) -> Result<Value> {
        let params = json!({
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "exai-daemon-cli", "version": crate::compose::VERSION},
        });
        let result = self.ask("initialize", &params, within).await?;
        self.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}).to_string())
            .await?;
        Ok(result)
    }

    /// One request and its result; notifications in between are passed over.
    pub(crate) async fn ask(
        &mut self,
        method: &str,
        params: &Value,
        within: Duration,
    ) -> Result<Value> {
        self.next += 1;
        let id = self.next;
        let request = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        self.send(&request.to_string()).await?;
        let answer = timeout(within, self.answer(id)).await;
        let answer = answer.with_context(|| {
            format!("no answer to {method} within {} s", within.as_secs_f64())
        })??;
        if let Some(error) = answer.get("error") {
            bail!("{method} was refused: {error}");
        }
        Ok(answer.get("result").cloned().unwrap_or_default())
    }

    /// The same without looking into the answer: what is measured is the way, not the parsing.
    pub(crate) async fn exchange(&mut self, line: &str) -> Result<usize> {
        self.send(line).await?;
        let answer = self
            .lines
            .next_line()
            .await?
            .context("the child closed its output")?;
        Ok(answer.len())
    }

    /// Closes its input, which is how an MCP client says goodbye, and waits for its end.
    pub(crate) async fn close(self, within: Duration) -> Result<std::process::ExitStatus> {
        let Self {
            mut child,
            stdin,
            lines,
            ..
        } = self;
        drop((stdin, lines));
        match timeout(within, child.wait()).await {
            Ok(status) => Ok(status?),
            Err(_) => bail!(
                "it did not end within {} s of the end of its input",
                within.as_secs_f64()
            ),
        }
    }

    async fn send(&mut self, line: &str) -> Result<()> {
        let mut whole = Vec::with_capacity(line.len() + 1);
        whole.extend_from_slice(line.as_bytes());
        whole.push(b'\n');
        self.stdin.write_all(&whole).await?;
        Ok(self.stdin.flush().await?)
    }

    async fn answer(&mut self, id: u64) -> Result<Value> {
        loop {
            let line = self
                .lines
                .next_line()
                .await?
                .context("the child closed its output")?;
            let message: Value = serde_json::from_str(&line)
                .with_context(|| format!("no JSON on its output: {line}"))?;
            if message.get("id").and_then(Value::as_u64) == Some(id) {
                return Ok(message);
            }
        }
    }
}
