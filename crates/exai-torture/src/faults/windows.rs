//! Shims and their parents: killed, or standing still.

use crate::arena::{Arena, Target, lock};
use exai_testkit::{kill_pid, pause_pid, resume_pid};
use std::{fs, sync::atomic::Ordering, time::Duration};
use tokio::time::sleep;

/// A shim whose parent is gone must go too; it has ten seconds, and a busy machine some more.
const ORPHAN: Duration = Duration::from_secs(20);

pub(super) async fn kill(arena: &Arena, rng: &mut fastrand::Rng, parent: bool) {
    let name = if parent { "kill parent" } else { "kill shim" };
    let fits = |target: &Target| {
        target.parent == parent && (!parent || target.spoke.load(Ordering::Relaxed))
    };
    let Some(target) = choose(arena, rng, fits) else {
        return arena.score.skip(name, "none was there at that moment");
    };
    let children = children(target.pid);
    // Whoever retires a window has the right to it.
    if !arena.retire(target.id) {
        return;
    }
    arena.score.fault(name);
    kill_pid(target.pid);
    for child in children {
        if !arena.gone(child, ORPHAN).await {
            arena
                .score
                .broken(format!("shim {child} outlives its parent by {ORPHAN:?}"));
            kill_pid(child);
        }
    }
}

/// The process stands still while its window goes on asking.
pub(super) async fn freeze(arena: &Arena, rng: &mut fastrand::Rng) {
    let Some(target) = choose(arena, rng, |target| !target.parent) else {
        return arena
            .score
            .skip("freeze shim", "none was there at that moment");
    };
    arena.score.fault("freeze shim");
    pause_pid(target.pid);
    sleep(Duration::from_millis(rng.u64(100..4000))).await;
    resume_pid(target.pid);
}

fn choose(
    arena: &Arena,
    rng: &mut fastrand::Rng,
    fits: impl Fn(&Target) -> bool,
) -> Option<Target> {
    let targets = lock(&arena.targets);
    let fitting: Vec<&Target> = targets.iter().filter(|target| fits(target)).collect();
    (!fitting.is_empty()).then(|| fitting[rng.usize(..fitting.len())].clone())
}

/// Processes started by this one; Linux only, and elsewhere nobody is followed.
fn children(pid: u32) -> Vec<u32> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    text.split_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect()
}
