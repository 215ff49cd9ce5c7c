//! The disk below the home: full, or not to be written. The home is a small file system of its
//! own where this system lets us mount one; elsewhere these faults are skipped, and counted.

use super::daemon::{back, strike};
use crate::{arena::Arena, clients::Probe};
use std::{
    fs::File,
    io::Write as _,
    process::Stdio,
    time::{Duration, Instant},
};
use tokio::time::sleep;

/// How large the home's file system is.
const SIZE: &str = "size=1g,mode=700";

/// Mounts the home; why not, where that cannot be done.
pub(crate) async fn mount(arena: &Arena) -> Result<(), String> {
    if let Some(why) = &arena.options.no_mounts {
        return Err(why.clone());
    }
    let home = arena.sandbox.home();
    run(
        arena,
        &["mount", "-t", "tmpfs", "-o", SIZE, "exai-torture"],
        &home,
    )
    .await
}

/// Takes it away again.
pub(crate) async fn unmount(arena: &Arena) -> Result<(), String> {
    run(arena, &["umount", "-l"], &arena.sandbox.home()).await
}

async fn run(arena: &Arena, words: &[&str], home: &std::path::Path) -> Result<(), String> {
    let mut command = arena.foreign(words[0]);
    command
        .args(&words[1..])
        .arg(home)
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let output = command.output().await.map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    // What follows the first line is advice for people.
    let said = String::from_utf8_lossy(&output.stderr);
    Err(said.lines().next().unwrap_or_default().to_owned())
}

/// Nothing more can be written for a while; what was promised before must be kept.
pub(super) async fn full(arena: &Arena, rng: &mut fastrand::Rng) {
    if let Some(why) = arena.why_no_mount() {
        return arena.score.skip("full disk", &why);
    }
    arena.score.fault("full disk");
    arena.oracle.no_room(true);
    let ballast = arena.sandbox.home().join("ballast");
    fill(&ballast);
    sleep(Duration::from_millis(rng.u64(300..4000))).await;
    if let Err(error) = std::fs::remove_file(&ballast) {
        arena
            .score
            .broken(format!("cannot empty the disk again: {error}"));
    }
    arena.oracle.no_room(false);
}

/// Until the disk takes no more.
fn fill(ballast: &std::path::Path) {
    let Ok(mut file) = File::create(ballast) else {
        return;
    };
    let mut piece = vec![0_u8; 1 << 20];
    while !piece.is_empty() {
        if file.write_all(&piece).is_err() {
            let half = piece.len() / 2;
            piece.truncate(if half < 512 { 0 } else { half });
        }
    }
}

/// A home that cannot be written: a start must say so, and all must be well afterwards.
pub(super) async fn read_only(arena: &Arena, probe: &Probe, rng: &mut fastrand::Rng) {
    if let Some(why) = arena.why_no_mount() {
        return arena.score.skip("read-only disk", &why);
    }
    let Some(pause) = arena.pause_starters().await else {
        return arena
            .score
            .skip("read-only disk", "the starters' lock was not to be had");
    };
    strike(arena).await;
    drop(pause);
    let home = arena.sandbox.home();
    // A second view of the same files: what shims hold open of the first stays as it is.
    let shown = match run(arena, &["mount", "--bind", &home.to_string_lossy()], &home).await {
        Ok(()) => shut(arena, &home).await,
        Err(why) => Err(why),
    };
    match shown {
        Ok(()) => {
            arena.oracle.no_room(true);
            arena.score.fault("read-only disk");
        }
        Err(why) => arena.score.skip("read-only disk", &why),
    }
    let started = arena.start().await;
    if let Err(why) = &started
        && (why.contains("did not end") || why.contains("panicked"))
    {
        arena
            .score
            .broken(format!("started on a read-only disk: {why}"));
    }
    sleep(Duration::from_millis(rng.u64(..1500))).await;
    strike(arena).await;
    if let Err(why) = unmount(arena).await {
        arena
            .score
            .broken(format!("cannot make the home writable again: {why}"));
    }
    arena.oracle.no_room(false);
    back(arena, probe, Instant::now(), true, false).await;
}

/// Somebody may be writing right now; then the system refuses, and the next moment will do.
async fn shut(arena: &Arena, home: &std::path::Path) -> Result<(), String> {
    let mut tries = 0;
    loop {
        match run(arena, &["mount", "-o", "remount,bind,ro"], home).await {
            Err(_) if tries < 20 => tries += 1,
            other => return other,
        }
        sleep(Duration::from_millis(20)).await;
    }
}
