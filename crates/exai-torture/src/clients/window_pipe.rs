//! A shim's two pipes as an editor holds them: lines in, answers out to whoever asked, and
//! nothing but JSON-RPC.

use crate::arena::{Arena, lock};
use serde_json::Value;
use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    process::{ChildStdin, ChildStdout},
    sync::{Mutex as AsyncMutex, oneshot},
};

/// What of a bad line is shown.
const SHOWN: usize = 200;

#[derive(Default)]
struct Waiting {
    open: HashMap<u64, oneshot::Sender<Value>>,
    /// Answered, or let go of.
    past: HashSet<u64>,
    let_go: HashSet<u64>,
}

/// See the module.
pub(super) struct Pipe {
    stdin: AsyncMutex<Option<ChildStdin>>,
    waiting: Mutex<Waiting>,
    next: AtomicU64,
}

impl Pipe {
    pub(super) fn new(stdin: ChildStdin) -> Self {
        Self {
            stdin: AsyncMutex::new(Some(stdin)),
            waiting: Mutex::default(),
            next: AtomicU64::new(1),
        }
    }

    /// Sends a request; its answer comes to the receiver, which is dropped when none can come.
    pub(super) async fn ask(&self, method: &str, params: Value) -> (u64, oneshot::Receiver<Value>) {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, receiver) = oneshot::channel();
        lock(&self.waiting).open.insert(id, sender);
        let request =
            serde_json::json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        if !self.write(&request).await {
            lock(&self.waiting).open.remove(&id);
        }
        (id, receiver)
    }

    /// Sends a notification.
    pub(super) async fn tell(&self, method: &str, params: Value) {
        self.write(&serde_json::json!({ "jsonrpc": "2.0", "method": method, "params": params }))
            .await;
    }

    /// Nobody waits for this answer any more; it may still come, if it was on its way.
    pub(super) fn let_go(&self, id: u64) {
        let mut waiting = lock(&self.waiting);
        waiting.open.remove(&id);
        waiting.let_go.insert(id);
    }

    /// The editor quits.
    pub(super) async fn close(&self) {
        self.stdin.lock().await.take();
    }

    async fn write(&self, message: &Value) -> bool {
        let line = format!("{message}\n");
        let mut stdin = self.stdin.lock().await;
        let Some(stdin) = stdin.as_mut() else {
            return false;
        };
        stdin.write_all(line.as_bytes()).await.is_ok() && stdin.flush().await.is_ok()
    }

    /// Reads to the end. Whoever still waits then hears that nothing will come.
    pub(super) async fn listen(self: Arc<Self>, stdout: ChildStdout, arena: Arc<Arena>) {
        let mut reader = BufReader::with_capacity(256 * 1024, stdout);
        let mut line = Vec::new();
        loop {
            line.clear();
            match reader.read_until(b'\n', &mut line).await {
                // Half a line is what a killed process leaves; nobody takes it for an answer.
                Ok(_) if line.ends_with(b"\n") => self.heard(&line, &arena),
                _ => break,
            }
        }
        lock(&self.waiting).open.clear();
    }

    fn heard(&self, line: &[u8], arena: &Arena) {
        let message: Option<Value> = serde_json::from_slice(line).ok();
        let Some(message) = message.filter(|message| message["jsonrpc"] == "2.0") else {
            let shown = String::from_utf8_lossy(&line[..line.len().min(SHOWN)]);
            return arena
                .score
                .broken(format!("garbage on a shim's stdout: {shown:?}"));
        };
        if message.get("method").is_some() {
            return;
        }
        let mut waiting = lock(&self.waiting);
        let Some(id) = message["id"].as_u64() else {
            return arena
                .score
                .broken(format!("a shim answered nobody: {message}"));
        };
        if let Some(sender) = waiting.open.remove(&id) {
            waiting.past.insert(id);
            // Whoever asked may be gone.
            let _ = sender.send(message);
        } else if waiting.past.contains(&id) {
            arena
                .score
                .broken(format!("a shim answered request {id} twice"));
        } else if !waiting.let_go.contains(&id) {
            arena
                .score
                .broken(format!("a shim answered request {id}, which nobody made"));
        }
    }
}
