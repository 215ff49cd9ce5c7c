//! One daemon after the other while calls run: restarted by its owner, upgraded to another file,
//! upgraded to a file that cannot serve, and killed, the old one or the new, while they change
//! places. Nobody may notice but for what a death excuses.

use super::{BACK, daemon::back};
use crate::{
    arena::{Arena, Ended},
    clients::Probe,
};
use exai_testkit::kill_pid;
use std::{
    fs, io,
    path::PathBuf,
    time::{Duration, Instant},
};
use tokio::time::sleep;

/// Running calls are waited for, a start waits for an answer; both have limits below this.
const LIMIT: Duration = Duration::from_secs(120);

/// The owner restarts it.
pub(super) async fn restart(arena: &Arena, probe: &Probe) {
    arena.score.fault("restart");
    arena.will_end(&arena.daemons());
    must_succeed(arena, "restart", arena.cli(&["restart"], LIMIT).await);
    back(arena, probe, Instant::now(), false, false).await;
}

/// The same program from another place, as a new version comes.
pub(super) async fn upgrade(arena: &Arena, probe: &Probe) {
    let file = match other_place(arena) {
        Ok(file) => file,
        Err(error) => return arena.score.skip("upgrade", &error.to_string()),
    };
    arena.score.fault("upgrade");
    arena.will_end(&arena.daemons());
    let upgraded = arena
        .cli(&["upgrade", &file.to_string_lossy()], LIMIT)
        .await;
    must_succeed(arena, "upgrade", upgraded);
    back(arena, probe, Instant::now(), false, false).await;
}

fn must_succeed(arena: &Arena, what: &str, ended: Option<Ended>) {
    match ended {
        Some(ended) if ended.code == Some(0) => {}
        Some(ended) => arena.score.broken(format!(
            "{what} ended with {:?}: {}{}",
            ended.code, ended.stdout, ended.stderr
        )),
        None => arena
            .score
            .broken(format!("{what} did not end within {LIMIT:?}")),
    }
}

/// What cannot serve must be refused, and the daemon that runs goes on.
pub(super) async fn to_nothing(arena: &Arena, probe: &Probe) {
    const NAME: &str = "upgrade to what cannot serve";
    let before = arena.daemons();
    if before.is_empty() {
        return arena.score.skip(NAME, "no daemon ran at that moment");
    }
    arena.score.fault(NAME);
    let nothing = if cfg!(windows) { "cmd" } else { "/bin/false" };
    match arena.cli(&["upgrade", nothing], LIMIT).await {
        Some(ended) if ended.code.is_some_and(|code| code > 0 && code < 100) => {}
        other => arena.score.broken(format!("{NAME} said {other:?}")),
    }
    if !before.iter().any(|pid| arena.daemons().contains(pid)) {
        arena
            .score
            .broken(format!("{NAME} ended the daemon that ran"));
    }
    if probe.answered(BACK).await.is_none() {
        arena
            .score
            .broken(format!("{NAME}: no answer {BACK:?} later"));
    }
}

/// One of the two dies in the middle; the words of `restart` are then true whatever they are.
pub(super) async fn killed_in_between(arena: &Arena, probe: &Probe, rng: &mut fastrand::Rng) {
    arena.score.fault("kill in a hand-over");
    arena.will_end(&arena.daemons());
    // The home changes hands within the first part; the old one's calls may take much longer.
    let longest = if rng.bool() { 300 } else { 1500 };
    let (moment, heir) = (Duration::from_millis(rng.u64(..longest)), rng.bool());
    let before = arena.daemons();
    let death = async {
        sleep(moment).await;
        let mut daemons = arena.daemons();
        arena.will_end(&daemons);
        daemons.retain(|pid| before.contains(pid) != heir);
        arena.oracle.death();
        daemons.into_iter().for_each(kill_pid);
    };
    let (ended, ()) = tokio::join!(arena.cli(&["restart"], LIMIT), death);
    match ended {
        Some(ended) if ended.code.is_some_and(|code| code < 100) => {}
        other => arena
            .score
            .broken(format!("a restart with a death in it said {other:?}")),
    }
    back(arena, probe, Instant::now(), true, false).await;
}

/// A copy of the daemon's program in a folder of its own.
fn other_place(arena: &Arena) -> io::Result<PathBuf> {
    let ours = arena.path_of("exai-daemon");
    let folder = arena.sandbox.work().join("another-place");
    let name = ours
        .file_name()
        .ok_or(io::Error::from(io::ErrorKind::NotFound))?;
    let copy = folder.join(name);
    if !copy.exists() {
        fs::create_dir_all(&folder)?;
        fs::copy(&ours, &copy)?;
    }
    Ok(copy)
}
