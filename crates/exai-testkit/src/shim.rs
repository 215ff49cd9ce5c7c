//! A shim as its editor holds it: lines in, lines out, nothing else.

use crate::{Must as _, PATIENCE, Process};
use serde_json::{Value, json};
use std::{
    collections::VecDeque,
    ops::{Deref, DerefMut},
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    process::{ChildStdin, ChildStdout},
    time::{Instant, timeout, timeout_at},
};

/// Revisions that begin with `initialize`.
pub const REVISIONS: [&str; 4] = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"];
/// The revision without a handshake.
pub const MODERN: &str = "2026-07-28";

/// What came on standard output.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard {
    /// One line, which is JSON-RPC.
    Message(Value),
    /// Standard output is closed.
    End,
    /// Nothing in time.
    Silence,
}

/// `exai-shim`; killed on drop.
pub struct Shim {
    process: Process,
    stdin: Option<ChildStdin>,
    stdout: Option<BufReader<ChildStdout>>,
    /// A line that has come in part.
    partial: Vec<u8>,
    /// Messages read while looking for another.
    aside: VecDeque<Value>,
    next_id: u64,
}

impl Shim {
    pub(crate) fn new(mut process: Process) -> Self {
        let stdin = process.child.stdin.take();
        let stdout = process
            .child
            .stdout
            .take()
            .must("take the shim's standard output");
        Self {
            process,
            stdin,
            stdout: Some(BufReader::new(stdout)),
            partial: Vec::new(),
            aside: VecDeque::new(),
            next_id: 0,
        }
    }

    /// Writes one message as a line.
    pub async fn send(&mut self, message: &Value) {
        self.send_line(&message.to_string()).await;
    }

    /// Writes any line.
    pub async fn send_line(&mut self, line: &str) {
        self.send_bytes(format!("{line}\n").as_bytes()).await;
    }

    /// Writes any bytes; ends the test when the shim does not take them.
    pub async fn send_bytes(&mut self, bytes: &[u8]) {
        self.try_send_bytes(bytes).await.must("write to the shim");
    }

    /// Writes any bytes; the shim may be gone.
    ///
    /// # Errors
    /// What the pipe says, or that it took too long.
    pub async fn try_send_bytes(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        let stdin = self
            .stdin
            .as_mut()
            .must("write after standard input was closed");
        let write = async {
            stdin.write_all(bytes).await?;
            stdin.flush().await
        };
        timeout(PATIENCE, write)
            .await
            .unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()))
    }

    /// Closes the shim's standard input, as an editor does that quits.
    pub fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// Closes the reading end of the shim's standard output, as an editor does that crashed.
    pub fn close_stdout(&mut self) {
        self.stdout = None;
    }

    /// What comes next within `limit`. A line that is no JSON-RPC message ends the test: there
    /// is nothing else a shim may write.
    pub async fn hear(&mut self, limit: Duration) -> Heard {
        if let Some(message) = self.aside.pop_front() {
            return Heard::Message(message);
        }
        self.read(Instant::now() + limit).await
    }

    /// The next line as it was written, for what is lost when JSON is read; ends the test when
    /// none comes. What was read before and kept is not looked at.
    pub async fn recv_line(&mut self) -> String {
        let stdout = self.stdout.as_mut().must("read after stdout was closed");
        timeout(PATIENCE, stdout.read_until(b'\n', &mut self.partial))
            .await
            .must("hear the shim in time")
            .must("read from the shim");
        String::from_utf8_lossy(&std::mem::take(&mut self.partial)).into_owned()
    }

    async fn read(&mut self, end: Instant) -> Heard {
        let Some(stdout) = &mut self.stdout else {
            return Heard::End;
        };
        // Taking up a line again after a time-out is safe: what has come stays in `partial`.
        let read = timeout_at(end, stdout.read_until(b'\n', &mut self.partial)).await;
        match read {
            Err(_) => Heard::Silence,
            // An error of the pipe is its end; without a newline nothing more will come.
            Ok(_) if !self.partial.ends_with(b"\n") => {
                assert!(
                    self.partial.is_empty(),
                    "half a line at the end: {:?}",
                    text(&self.partial)
                );
                Heard::End
            }
            Ok(_) => {
                let line = std::mem::take(&mut self.partial);
                let message: Value = serde_json::from_slice(&line).unwrap_or_else(|error| {
                    panic!("no JSON on stdout ({error}): {:?}", text(&line))
                });
                assert_eq!(
                    message["jsonrpc"], "2.0",
                    "no JSON-RPC on stdout: {message}"
                );
                Heard::Message(message)
            }
        }
    }

    /// The next message; ends the test when none comes.
    #[track_caller]
    pub fn recv(&mut self) -> impl Future<Output = Value> {
        self.recv_where(|_| true)
    }

    /// The next message that fits; others are kept for later.
    #[track_caller]
    pub fn recv_where(&mut self, fits: impl Fn(&Value) -> bool) -> impl Future<Output = Value> {
        self.recv_within(PATIENCE, fits)
    }

    /// The same with a limit of one's own.
    #[track_caller]
    pub fn recv_within(
        &mut self,
        limit: Duration,
        fits: impl Fn(&Value) -> bool,
    ) -> impl Future<Output = Value> {
        let caller = std::panic::Location::caller();
        async move {
            if let Some(at) = self.aside.iter().position(&fits) {
                return self.aside.remove(at).unwrap_or_default();
            }
            let end = Instant::now() + limit;
            loop {
                match self.read(end).await {
                    Heard::Message(message) if fits(&message) => return message,
                    Heard::Message(message) => self.aside.push_back(message),
                    other => panic!(
                        "{caller}: heard {other:?} after {:?}\nits standard error:\n{}",
                        self.aside,
                        self.said()
                    ),
                }
            }
        }
    }

    /// Sends a request under a fresh id, and returns the id.
    pub async fn request(&mut self, method: &str, params: Value) -> u64 {
        self.next_id += 1;
        let id = self.next_id;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }))
            .await;
        id
    }

    /// Sends a notification.
    pub async fn notify(&mut self, method: &str, params: Value) {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": params }))
            .await;
    }

    /// The answer to a request.
    #[track_caller]
    pub fn answer(&mut self, id: u64) -> impl Future<Output = Value> {
        self.recv_where(move |message| message["id"] == id && message.get("method").is_none())
    }

    /// The answer to a request, with a limit of one's own.
    #[track_caller]
    pub fn answer_within(&mut self, id: u64, limit: Duration) -> impl Future<Output = Value> {
        self.recv_within(limit, move |message| {
            message["id"] == id && message.get("method").is_none()
        })
    }

    /// A request and its answer.
    pub async fn ask(&mut self, method: &str, params: Value) -> Value {
        let id = self.request(method, params).await;
        self.answer(id).await
    }

    /// The handshake of a revision before the modern one; returns the answer.
    pub async fn initialize(&mut self, revision: &str) -> Value {
        self.initialize_as("testkit", revision).await
    }

    /// The same for a client of this name.
    pub async fn initialize_as(&mut self, name: &str, revision: &str) -> Value {
        let answer = self
            .ask(
                "initialize",
                json!({
                    "protocolVersion": revision,
                    "capabilities": {},
                    "clientInfo": { "name": name, "version": "0" },
                }),
            )
            .await;
        self.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }))
            .await;
        answer
    }

    /// Sends `tools/call`, and returns its id.
    pub async fn call(&mut self, tool: &str, arguments: Value) -> u64 {
        self.request(
            "tools/call",
            json!({ "name": tool, "arguments": arguments }),
        )
        .await
    }

    /// The same with a progress token.
    pub async fn call_with_progress(&mut self, tool: &str, arguments: Value, token: Value) -> u64 {
        let params =
            json!({ "name": tool, "arguments": arguments, "_meta": { "progressToken": token } });
        self.request("tools/call", params).await
    }

    /// A call from beginning to end; returns its `result`.
    pub async fn call_tool(&mut self, tool: &str, arguments: Value) -> Value {
        let id = self.call(tool, arguments).await;
        let answer = self.answer(id).await;
        answer
            .get("result")
            .cloned()
            .unwrap_or_else(|| panic!("no result: {answer}"))
    }

    /// Sends a request of the modern revision, which says on each who is asking.
    pub async fn modern_request(&mut self, method: &str, params: Value) -> u64 {
        self.modern_request_as("testkit", json!({}), method, params)
            .await
    }

    /// The same for a client of this name that can do these things.
    pub async fn modern_request_as(
        &mut self,
        name: &str,
        capabilities: Value,
        method: &str,
        mut params: Value,
    ) -> u64 {
        params["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!(MODERN);
        params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = capabilities;
        params["_meta"]["io.modelcontextprotocol/clientInfo"] =
            json!({ "name": name, "version": "0" });
        self.request(method, params).await
    }

    /// The same, with its answer.
    pub async fn modern_ask(&mut self, method: &str, params: Value) -> Value {
        let id = self.modern_request(method, params).await;
        self.answer(id).await
    }

    /// What was read and not asked for yet.
    pub fn take_aside(&mut self) -> Vec<Value> {
        self.aside.drain(..).collect()
    }

    /// The text of a tool's result.
    #[must_use]
    pub fn text_of(result: &Value) -> &str {
        result["content"][0]["text"].as_str().unwrap_or_default()
    }
}

impl Deref for Shim {
    type Target = Process;
    fn deref(&self) -> &Process {
        &self.process
    }
}

impl DerefMut for Shim {
    fn deref_mut(&mut self) -> &mut Process {
        &mut self.process
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(500)]).into_owned()
}
