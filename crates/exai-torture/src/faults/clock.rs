//! The wall clock jumps under everybody: ahead, back, by seconds or by days, and comes right
//! again or stays wrong. The machine's own is never touched.

use crate::arena::Arena;
use std::{io, path::PathBuf, time::Duration};
use tokio::time::sleep;

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;

/// Where the programs under test look for how wrong it is.
pub(crate) fn file(sandbox: &exai_testkit::Sandbox) -> PathBuf {
    sandbox.work().join("clock")
}

pub(super) async fn jump(arena: &Arena, rng: &mut fastrand::Rng) {
    let most = [MINUTE, 120 * MINUTE, 3 * DAY, 60 * DAY][rng.usize(..4)];
    let by = rng.i64(-most..most);
    if let Err(error) = set(arena, by) {
        return arena.score.skip("clock jump", &error.to_string());
    }
    arena.score.fault("clock jump");
    sleep(Duration::from_millis(rng.u64(..4000))).await;
    // One in three stays wrong until the next.
    if rng.u8(..3) > 0
        && let Err(error) = set(arena, 0)
    {
        arena
            .score
            .broken(format!("cannot set the clock right: {error}"));
    }
}

/// Replaced, so that nobody reads half a number.
fn set(arena: &Arena, ms: i64) -> io::Result<()> {
    let (file, new) = (file(&arena.sandbox), arena.sandbox.work().join("clock.new"));
    let mut opened = std::fs::File::create(&new)?;
    io::Write::write_all(&mut opened, ms.to_string().as_bytes())?;
    std::fs::rename(new, file)
}
