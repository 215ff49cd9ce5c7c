//! An editor window: a shim, several calls at once, now and then a change of mind. When its
//! shim is killed, or the parent of its shim, a new window takes its place.

use super::{think, window_call::call, window_pipe::Pipe};
use crate::{
    arena::{Arena, Target},
    work::{self, Appetite},
};
use serde_json::{Value, json};
use std::{
    process::Stdio,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::{
    process::{Child, Command},
    task::JoinSet,
    time::timeout,
};

/// A shim answers `initialize` itself; this is for a machine that is busy beyond reason.
const GREETING: Duration = Duration::from_secs(60);
/// A shim whose editor quits drains, and is gone.
const FAREWELL: Duration = Duration::from_secs(15);
/// Calls a window has open at most.
const OPEN: usize = 4;
/// One window in so many goes through a relay.
const RELAYED: u32 = 4;
/// And one in so many has a parent that can be killed.
const CHILDREN: u32 = 5;
/// What windows call themselves, in turn: see [`CLIENTS`].
const NAMES: [&str; 4] = ["torture", "hasty", "torture", "hears"];

/// How long they wait, for the home's table of clients: one that has to be answered soon, one
/// that waits as long as it hears something, and one in no table.
pub(crate) const CLIENTS: &str = r#"
[clients.hasty]
name = ["hasty"]
call_secs = 1.5
[clients.hears]
name = ["hears"]
call_secs = 2.0
resets = true
"#;

pub(super) async fn live(arena: Arc<Arena>, mut rng: fastrand::Rng, index: u32) {
    while !arena.winding_down.is_cancelled() {
        one(&arena, &mut rng, index).await;
        let pause = Duration::from_millis(rng.u64(..1500));
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = arena.winding_down.cancelled() => {}
        }
    }
}

/// From the start of a shim to its end.
async fn one(arena: &Arc<Arena>, rng: &mut fastrand::Rng, index: u32) {
    let parented = index % CHILDREN == 1;
    let mut command = if parented {
        below_a_shell(arena)
    } else {
        arena.command("exai-shim")
    };
    if index % RELAYED == 2 {
        through_a_relay(arena, &mut command, index);
    }
    let Some(mut window) = Window::open(arena, command, parented) else {
        return;
    };
    window.greet(NAMES[index as usize % NAMES.len()]).await;
    let mut calls = JoinSet::new();
    while window.is_open() && think(arena, rng).await {
        while calls.try_join_next().is_some() {}
        let burst = if rng.u8(..10) == 0 { OPEN } else { 1 };
        for _ in 0..burst.min(OPEN.saturating_sub(calls.len())) {
            let job = work::any(
                rng,
                arena.oracle.token(),
                arena.oracle.traces(),
                Appetite::Huge,
            );
            let patience = (rng.u8(..30) == 0).then(|| Duration::from_millis(rng.u64(..800)));
            calls.spawn(call(
                Arc::clone(arena),
                Arc::clone(&window.pipe),
                job,
                patience,
                rng.fork(),
            ));
        }
    }
    // What is still open is owed, or was abandoned with the shim; both end.
    while calls.join_next().await.is_some() {}
    window.close().await;
}

/// A shell that stays, so that the shim has a parent which is not us.
fn below_a_shell(arena: &Arena) -> Command {
    let mut command = arena.foreign("sh");
    command
        .arg("-c")
        .arg("\"$0\"; exit $?")
        .arg(arena.path_of("exai-shim"));
    command
}

fn through_a_relay(arena: &Arena, command: &mut Command, index: u32) {
    let relays = crate::arena::lock(&arena.relays);
    let Some(relay) = relays.get(index as usize / RELAYED as usize % relays.len().max(1)) else {
        return;
    };
    let token = arena.sandbox.token().unwrap_or_default();
    command
        .env("EXAI_WS_HOST", "127.0.0.1")
        .env("EXAI_WS_PORT", relay.port().to_string())
        .env("EXAI_WS_TOKEN", token);
}

/// A running shim.
struct Window {
    arena: Arc<Arena>,
    child: Child,
    pipe: Arc<Pipe>,
    reader: JoinSet<()>,
    target: Target,
}

impl Window {
    fn open(arena: &Arc<Arena>, mut command: Command, parented: bool) -> Option<Self> {
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) => {
                arena.score.broken(format!("cannot start a shim: {error}"));
                return None;
            }
        };
        let pipe = Arc::new(Pipe::new(child.stdin.take()?));
        let mut reader = JoinSet::new();
        reader.spawn(Arc::clone(&pipe).listen(child.stdout.take()?, Arc::clone(arena)));
        let target = arena.enlist(child.id()?, parented);
        arena.score.note("windows opened");
        Some(Self {
            arena: Arc::clone(arena),
            child,
            pipe,
            reader,
            target,
        })
    }

    async fn greet(&self, name: &str) {
        let params = json!({
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": { "name": name, "version": "0" },
        });
        let (_, answer) = self.pipe.ask("initialize", params).await;
        match timeout(GREETING, answer).await {
            Ok(Ok(answer)) if answer["result"].is_object() => {
                self.target.spoke.store(true, Ordering::Relaxed);
                self.pipe
                    .tell("notifications/initialized", Value::Null)
                    .await;
            }
            // Killed while it said hello.
            Ok(Err(_)) => {}
            other => self
                .arena
                .score
                .broken(format!("a shim did not greet: {other:?}")),
        }
    }

    /// The reader ends when the pipe does.
    fn is_open(&mut self) -> bool {
        self.reader.try_join_next().is_none() && !self.reader.is_empty()
    }

    /// Quits as an editor does, unless the shim was killed; a shim that ends for any other
    /// reason has broken a promise.
    async fn close(mut self) {
        let ended_early = !self.is_open();
        let ours = self.arena.retire(self.target.id);
        if ended_early {
            if ours {
                self.arena
                    .score
                    .broken("a shim ended by itself while its window lived");
            }
            let _ = self.child.start_kill();
        }
        self.pipe.close().await;
        match timeout(FAREWELL, self.child.wait()).await {
            Ok(_) => {}
            // A frozen process says no farewell; whoever froze it lets it go on.
            Err(_) if !ours => {
                let _ = self.child.kill().await;
            }
            Err(_) => {
                self.arena
                    .score
                    .broken(format!("a shim outlived its window by {FAREWELL:?}"));
                let _ = self.child.kill().await;
            }
        }
    }
}
