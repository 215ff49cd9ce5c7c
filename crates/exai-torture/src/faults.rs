//! The faults: two hands, one for the daemon and what it stands on, one for shims, their
//! parents and their links. Each draws from its own luck.

mod clock;
mod daemon;
mod disk;
mod files;
mod link;
mod rights;
mod squatter;
mod succession;
mod windows;

pub(crate) use clock::file as clock_file;
pub(crate) use disk::{mount, unmount};

use crate::{arena::Arena, clients::Probe};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::time::sleep;

/// A daemon that is not back by then has broken a promise.
const BACK: Duration = Duration::from_secs(45);

/// Everything one hand can do to a daemon, with how often it does.
const DAEMON: [(&str, u32); 20] = [
    ("kill daemon", 60),
    ("kill daemon twice", 6),
    ("kill daemon, started by a window", 20),
    ("freeze daemon", 8),
    ("restart", 5),
    ("upgrade", 4),
    ("upgrade to what cannot serve", 2),
    ("kill in a hand-over", 4),
    ("clock jump", 6),
    ("squat the port", 4),
    ("garbage in the lock file", 3),
    ("garbage in the health file", 3),
    ("garbage in the endpoint record", 4),
    ("garbage in the token", 3),
    ("damage the database", 2),
    ("damage the database of a living daemon", 1),
    ("remove the database of a living daemon", 2),
    ("dropped privileges", 3),
    ("full disk", 4),
    ("read-only disk", 3),
];

/// And the other hand to windows and links.
const WINDOWS: [(&str, u32); 7] = [
    ("kill shim", 10),
    ("kill parent", 5),
    ("freeze shim", 6),
    ("cut link", 8),
    ("cut link in the middle", 8),
    ("freeze link", 5),
    ("half-open link", 4),
];

/// Which of these comes next.
fn draw(
    rng: &mut fastrand::Rng,
    from: &[(&'static str, u32)],
    only: &[String],
) -> Option<&'static str> {
    let wanted = |name: &str| only.is_empty() || only.iter().any(|one| one == name);
    let weights = from.iter().filter(|(name, _)| wanted(name));
    let total: u32 = weights.clone().map(|(_, weight)| weight).sum();
    let mut at = rng.u32(..total.max(1));
    for (name, weight) in weights {
        if at < *weight {
            return Some(name);
        }
        at -= weight;
    }
    None
}

/// All names, for those who ask for one that does not exist.
pub(crate) fn names() -> Vec<&'static str> {
    DAEMON
        .iter()
        .chain(&WINDOWS)
        .map(|(name, _)| *name)
        .collect()
}

/// Harms the daemon until calm is wanted.
pub(crate) async fn at_the_daemon(arena: Arc<Arena>, probe: Arc<Probe>) {
    let mut rng = arena.rng(1);
    while next(&arena, &mut rng, arena.options.kills_per_minute).await {
        let Some(fault) = draw(&mut rng, &DAEMON, &arena.options.only) else {
            return;
        };
        let begun = Instant::now();
        match fault {
            "kill daemon" => daemon::kill(&arena, &probe, &mut rng, true).await,
            "kill daemon, started by a window" => {
                daemon::kill(&arena, &probe, &mut rng, false).await
            }
            "kill daemon twice" => daemon::kill_twice(&arena, &probe, &mut rng).await,
            "freeze daemon" => daemon::freeze(&arena, &mut rng).await,
            "clock jump" => clock::jump(&arena, &mut rng).await,
            "restart" => succession::restart(&arena, &probe).await,
            "upgrade" => succession::upgrade(&arena, &probe).await,
            "upgrade to what cannot serve" => succession::to_nothing(&arena, &probe).await,
            "kill in a hand-over" => {
                succession::killed_in_between(&arena, &probe, &mut rng).await;
            }
            "squat the port" => squatter::squat(&arena, &probe, &mut rng).await,
            "full disk" => disk::full(&arena, &mut rng).await,
            "read-only disk" => disk::read_only(&arena, &probe, &mut rng).await,
            "dropped privileges" => rights::dropped(&arena, &probe, &mut rng).await,
            "damage the database of a living daemon" => {
                files::damage_below(&arena, &probe, &mut rng, fault).await;
            }
            "remove the database of a living daemon" => files::removed_below(&arena, fault).await,
            file => files::spoil(&arena, &probe, &mut rng, file).await,
        }
        if arena.options.verbose {
            crate::tell(&format!("{fault}: well again after {:?}", begun.elapsed()));
        }
    }
}

/// Harms windows and links until calm is wanted.
pub(crate) async fn at_the_windows(arena: Arc<Arena>) {
    let mut rng = arena.rng(2);
    while next(&arena, &mut rng, arena.options.client_faults_per_minute).await {
        let Some(fault) = draw(&mut rng, &WINDOWS, &arena.options.only) else {
            return;
        };
        match fault {
            "kill shim" => windows::kill(&arena, &mut rng, false).await,
            "kill parent" => windows::kill(&arena, &mut rng, true).await,
            "freeze shim" => windows::freeze(&arena, &mut rng).await,
            other => link::harm(&arena, &mut rng, other).await,
        }
    }
}

/// Waits for the next moment; `false` when there is none.
async fn next(arena: &Arena, rng: &mut fastrand::Rng, per_minute: u32) -> bool {
    let Some(mean) = 60_000_u64.checked_div(per_minute.into()) else {
        arena.calm.cancelled().await;
        return false;
    };
    let pause = Duration::from_millis(rng.u64(mean / 2..=mean + mean / 2));
    tokio::select! {
        () = sleep(pause) => !arena.calm.is_cancelled(),
        () = arena.calm.cancelled() => false,
    }
}
