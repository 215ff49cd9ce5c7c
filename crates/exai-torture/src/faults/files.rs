//! The home's files are spoilt between two lives of the daemon; its database within one, too.

use super::{
    BACK,
    daemon::{back, strike},
};
use crate::{arena::Arena, clients::Probe};
use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use tokio::time::sleep;

pub(super) async fn spoil(
    arena: &Arena,
    probe: &Probe,
    rng: &mut fastrand::Rng,
    fault: &'static str,
) {
    let Some(pause) = arena.pause_starters().await else {
        return arena
            .score
            .skip(fault, "the starters' lock was not to be had");
    };
    strike(arena).await;
    let done = match fault {
        "garbage in the lock file" => garbage(rng, &arena.run_file("daemon.lock")),
        "garbage in the health file" => {
            garbage(rng, &arena.sandbox.log_path("ws_daemon.health.json"))
        }
        "garbage in the endpoint record" => garbage(rng, &arena.run_file("endpoint.json")),
        "damage the database" => {
            arena.oracle.forgets();
            damage(rng, &database(arena))
        }
        _ => return token(arena, probe, rng, pause).await,
    };
    drop(pause);
    told(arena, fault, done);
    back(arena, probe, Instant::now(), true, false).await;
    if fault == "damage the database" {
        look_at_what_was_set_aside(arena, rng).await;
    }
}

/// The same while the daemon lives: it has the file open, and meets the damage when it does.
pub(super) async fn damage_below(
    arena: &Arena,
    probe: &Probe,
    rng: &mut fastrand::Rng,
    fault: &'static str,
) {
    arena.oracle.forgets();
    told(arena, fault, damage(rng, &database(arena)));
    sleep(Duration::from_millis(rng.u64(..3000))).await;
    if probe.answered(BACK).await.is_none() {
        arena
            .score
            .broken(format!("{fault}: no answer {BACK:?} later"));
    }
    look_at_what_was_set_aside(arena, rng).await;
}

/// Nothing is forgotten for that: the daemon has it open, and writes it again.
pub(super) async fn removed_below(arena: &Arena, fault: &'static str) {
    let file = database(arena);
    told(arena, fault, std::fs::remove_file(&file));
    let begins = Instant::now();
    while !file.exists() {
        if begins.elapsed() > BACK {
            arena
                .score
                .broken(format!("{fault}: it is not there {BACK:?} later"));
            return;
        }
        sleep(Duration::from_millis(50)).await;
    }
}

fn database(arena: &Arena) -> PathBuf {
    arena.sandbox.home().join(".exai/data/exai.db")
}

/// As the daemon asks of its owner. Until then it does not pretend to know everything.
async fn look_at_what_was_set_aside(arena: &Arena, rng: &mut fastrand::Rng) {
    sleep(Duration::from_millis(rng.u64(..4000))).await;
    let Ok(entries) = std::fs::read_dir(arena.sandbox.home().join(".exai/data")) else {
        return;
    };
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().contains(".corrupt-") {
            arena.score.note("databases set aside");
            // Whatever is left of it excuses the daemon, and nobody else.
            let _ = std::fs::remove_file(entry.path());
        }
    }
    // What nobody has met yet is still to be forgotten.
    if is_whole(arena).await {
        arena.oracle.looked_at();
    }
}

/// Whether the database has no damage left, as its owner would ask.
async fn is_whole(arena: &Arena) -> bool {
    let doctor = arena.cli(&["doctor"], Duration::from_secs(60)).await;
    doctor.is_some_and(|ended| ended.stdout.contains("exai.db (whole)"))
}

fn told(arena: &Arena, fault: &'static str, done: io::Result<()>) {
    match done {
        Ok(()) => arena.score.fault(fault),
        Err(error) => arena.score.skip(fault, &error.to_string()),
    }
}

/// A token nobody may use comes and goes; what was there is put back, as its owner would from
/// a backup, because clients outside this home hold it.
async fn token(arena: &Arena, probe: &Probe, rng: &mut fastrand::Rng, pause: File) {
    let file = arena.run_file("token");
    let kept = std::fs::read(&file);
    let done = kept
        .as_ref()
        .map(|_| ())
        .map_err(|error| io::Error::other(error.to_string()));
    told(
        arena,
        "garbage in the token",
        done.and_then(|()| garbage(rng, &file)),
    );
    drop(pause);
    // It may refuse to start with that; it must not hang, and must not crash.
    if let Err(why) = arena.start().await
        && (why.contains("did not end") || why.contains("panicked"))
    {
        arena
            .score
            .broken(format!("started with a spoilt token: {why}"));
    }
    sleep(Duration::from_millis(rng.u64(..500))).await;
    strike(arena).await;
    if let Ok(kept) = kept
        && let Err(error) = rewrite(&file, &kept)
    {
        arena
            .score
            .broken(format!("cannot put the token back: {error}"));
    }
    strike(arena).await;
    back(arena, probe, Instant::now(), true, false).await;
}

/// Random bytes, half a file, or nothing at all, in place: owner and mode stay.
fn garbage(rng: &mut fastrand::Rng, file: &Path) -> io::Result<()> {
    let kept = std::fs::read(file)?;
    let bytes: Vec<u8> = match rng.u8(..4) {
        0 => Vec::new(),
        1 => kept[..kept.len() / 2].to_vec(),
        2 => (0..rng.usize(1..5000)).map(|_| rng.u8(..)).collect(),
        _ => b"{\"pid\": 1, \"boot_id\": 7}\n".to_vec(),
    };
    rewrite(file, &bytes)
}

fn rewrite(file: &Path, bytes: &[u8]) -> io::Result<()> {
    OpenOptions::new()
        .write(true)
        .truncate(true)
        .open(file)?
        .write_all(bytes)
}

/// Some of its pages, in the middle.
fn damage(rng: &mut fastrand::Rng, file: &Path) -> io::Result<()> {
    let mut opened = OpenOptions::new().read(true).write(true).open(file)?;
    let length = opened.metadata()?.len();
    for _ in 0..rng.u32(1..12) {
        let mut page = [0; 512];
        let at = rng.u64(..length.max(1024) - 512) / 512 * 512;
        opened.seek(SeekFrom::Start(at))?;
        let _ = opened.read(&mut page)?;
        page.iter_mut().for_each(|byte| *byte = rng.u8(..));
        opened.seek(SeekFrom::Start(at))?;
        opened.write_all(&page)?;
    }
    Ok(())
}
