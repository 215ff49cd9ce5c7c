//! The crowd: windows through shims, native clients, predecessors, single commands, and those
//! that hardly read. Each lives in a task of its own until the run winds down, then waits for
//! what it is owed.

mod commands;
mod native;
mod probe;
mod sluggish;
mod v1;
mod window;
mod window_call;
mod window_pipe;

pub(crate) use probe::Probe;
pub(crate) use window::CLIENTS;

use crate::arena::Arena;
use std::{sync::Arc, time::Duration};
use tokio::task::JoinSet;

/// Streams of luck of clients begin here; lower ones belong to the faults.
const STREAMS: u64 = 1000;

/// Of so many clients, how many of each kind.
pub(crate) struct Crowd {
    windows: u32,
    native: u32,
    v1: u32,
    commands: u32,
    sluggish: u32,
}

impl Crowd {
    pub(crate) fn of(clients: u32) -> Self {
        let part = |percent: u32| (clients * percent / 100).max(1);
        let (windows, v1, commands, sluggish) = (part(40), part(12), part(4), part(4));
        let native = clients
            .saturating_sub(windows + v1 + commands + sluggish)
            .max(1);
        Self {
            windows,
            native,
            v1,
            commands,
            sluggish,
        }
    }

    /// In words.
    pub(crate) fn told(&self) -> String {
        format!(
            "{} windows (shims), {} native, {} of V1, {} of the command line, {} that hardly read",
            self.windows, self.native, self.v1, self.commands, self.sluggish
        )
    }

    /// Lets them all loose.
    pub(crate) fn enter(&self, arena: &Arc<Arena>) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        let mut stream = STREAMS;
        let mut next = || {
            stream += 1;
            (Arc::clone(arena), arena.rng(stream))
        };
        for index in 0..self.windows {
            let (arena, rng) = next();
            tasks.spawn(window::live(arena, rng, index));
        }
        for _ in 0..self.native {
            let (arena, rng) = next();
            tasks.spawn(native::live(arena, rng));
        }
        for _ in 0..self.v1 {
            let (arena, rng) = next();
            tasks.spawn(v1::live(arena, rng));
        }
        for _ in 0..self.commands {
            let (arena, rng) = next();
            tasks.spawn(commands::live(arena, rng));
        }
        for _ in 0..self.sluggish {
            let (arena, rng) = next();
            tasks.spawn(sluggish::live(arena, rng));
        }
        tasks
    }
}

/// A client thinks; `false` when there is nothing more to think of.
async fn think(arena: &Arena, rng: &mut fastrand::Rng) -> bool {
    let ms = rng.u64(..arena.options.think_ms);
    tokio::select! {
        () = tokio::time::sleep(Duration::from_millis(ms)) => true,
        () = arena.winding_down.cancelled() => false,
    }
}
