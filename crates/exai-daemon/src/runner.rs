//! Where tools run: each on a thread of its own from tokio's blocking pool, driving its
//! future there. A tool that blocks its thread therefore delays nobody: not the sockets, not
//! the heartbeats, not another tool. Admission bounds how many there are.

use exai_engine::Runner;
use std::sync::Arc;
use tokio::runtime::Handle;

/// Threads beyond the running calls: for files, and for tools that block after their end.
pub(crate) const SPARE_THREADS: usize = 64;

/// A runner on this runtime's blocking pool.
pub(crate) fn on_threads(handle: Handle) -> Runner {
    Arc::new(move |future| {
        let inner = handle.clone();
        // The call's own task waits for the result, and survives if it never comes.
        drop(handle.spawn_blocking(move || inner.block_on(future)));
    })
}
