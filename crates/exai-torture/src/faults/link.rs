//! The link between a window and the daemon: cut, cut in the middle of a frame, frozen, or
//! half-open, which is a link that stands and carries nothing.

use crate::arena::{Arena, lock};
use std::time::Duration;
use tokio::time::sleep;

pub(super) async fn harm(arena: &Arena, rng: &mut fastrand::Rng, fault: &'static str) {
    let at = {
        let relays = lock(&arena.relays);
        if relays.is_empty() {
            return arena.score.skip(fault, "there is no relay");
        }
        rng.usize(..relays.len())
    };
    arena.score.fault(fault);
    let bytes = rng.u64(1..60_000);
    let still = Duration::from_millis(rng.u64(100..9000));
    {
        let mut relays = lock(&arena.relays);
        let relay = &mut relays[at];
        match fault {
            "cut link" => relay.cut(),
            "cut link in the middle" => relay.cut_after(bytes),
            "half-open link" => relay.swallow(),
            _ => relay.freeze(),
        }
    }
    if fault == "freeze link" {
        sleep(still).await;
        lock(&arena.relays)[at].thaw();
    }
}
