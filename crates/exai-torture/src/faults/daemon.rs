//! The daemon's process: killed, killed while it comes up, frozen.

use super::BACK;
use crate::{arena::Arena, clients::Probe};
use exai_testkit::{kill_pid, pause_pid, resume_pid};
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// Kills whatever daemon runs, at once.
pub(super) async fn strike(arena: &Arena) {
    let daemons = arena.daemons();
    arena.will_end(&daemons);
    arena.oracle.death();
    for pid in &daemons {
        kill_pid(*pid);
    }
    for pid in daemons {
        if !arena.gone(pid, Duration::from_secs(10)).await {
            arena.score.broken(format!("daemon {pid} survives kill -9"));
        }
    }
}

/// Brings it back by hand, waits for the first answer, and keeps the time since `begun`.
pub(super) async fn back(
    arena: &Arena,
    probe: &Probe,
    begun: Instant,
    by_hand: bool,
    counts: bool,
) {
    let started = async {
        // A window may have been faster; then there is nothing to start.
        if by_hand && let Err(why) = arena.start().await {
            arena
                .score
                .broken(format!("the daemon could not be started: {why}"));
        }
    };
    let ((), answered) = tokio::join!(started, probe.answered(BACK));
    match answered {
        Some(_) if counts => arena.score.recovered(begun.elapsed()),
        Some(_) => {}
        None => arena
            .score
            .broken(format!("no answer {BACK:?} after the daemon's end")),
    }
}

/// kill −9, then back: by hand, or by a window that finds none.
pub(super) async fn kill(arena: &Arena, probe: &Probe, rng: &mut fastrand::Rng, by_hand: bool) {
    arena.score.fault(if by_hand {
        "kill daemon"
    } else {
        "kill daemon, started by a window"
    });
    // Sometimes nobody is quick to notice; then it says nothing of how quick we are.
    let absent = Duration::from_millis(if rng.u8(..8) == 0 { rng.u64(..3000) } else { 0 });
    let begun = Instant::now();
    strike(arena).await;
    sleep(absent).await;
    back(arena, probe, begun, by_hand, absent.is_zero()).await;
}

/// The second time while it comes up.
pub(super) async fn kill_twice(arena: &Arena, probe: &Probe, rng: &mut fastrand::Rng) {
    arena.score.fault("kill daemon twice");
    strike(arena).await;
    let moment = Duration::from_millis(rng.u64(..400));
    let second = async {
        sleep(moment).await;
        strike(arena).await;
    };
    // Its starter may well report that it died; that is true.
    let (_, ()) = tokio::join!(arena.start(), second);
    back(arena, probe, Instant::now(), true, true).await;
}

/// It stands still for a while, as on a laptop that sleeps.
pub(super) async fn freeze(arena: &Arena, rng: &mut fastrand::Rng) {
    arena.score.fault("freeze daemon");
    let still = Duration::from_millis(rng.u64(100..6000));
    let daemons = arena.daemons();
    daemons.iter().copied().for_each(pause_pid);
    sleep(still).await;
    daemons.into_iter().for_each(resume_pid);
}
