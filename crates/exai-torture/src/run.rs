//! The order of a run: a home, a daemon, the crowd, the faults; then a calm, in which the crowd
//! works on and nothing may grow; then peace, in which everything that is owed must be answered;
//! then the end, after which nothing may be left.

use crate::{
    arena::{self, Arena, lock},
    clients::{CLIENTS, Crowd, Probe},
    faults,
    options::Options,
    oracle::Journaled,
    report::{Board, Run},
    watch::{Watch, growth},
};
use anyhow::{Context as _, Result};
use exai_testkit::{Relay, Sandbox};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

/// Links that can be harmed.
const RELAYS: usize = 4;
/// After its last window has gone and it was told to stop.
const LAST: Duration = Duration::from_secs(20);
/// What is different in this home: dead links are noticed soon, so that a short run sees many.
const SETTINGS: [(&str, &str); 3] = [
    ("EXAI_WS_PING_INTERVAL", "3"),
    ("EXAI_WS_PING_TIMEOUT", "5"),
    ("EXAI_JOURNAL_RESULT_BYTES", "268435456"),
];

pub(crate) async fn run(options: Options) -> Result<Board> {
    let bin = arena::binaries(&options)?;
    let seed = options.seed.unwrap_or_else(|| fastrand::u64(..));
    let mut sandbox = Sandbox::new();
    for (name, value) in SETTINGS {
        sandbox.set(name, value);
    }
    let clock = faults::clock_file(&sandbox);
    sandbox.set("EXAI_TEST_CLOCK", clock);
    let relays = relays(&mut sandbox).await;
    let arena = Arc::new(Arena::new(sandbox, options, seed, bin, relays));
    crate::tell(&format!("seed {seed}"));
    prepare(&arena).await?;
    let begun = Instant::now();
    let probe = Arc::new(Probe::open(&arena).await?);
    let watch = Arc::new(Watch::default());
    let mut watching = JoinSet::new();
    watching.spawn(Arc::clone(&watch).look(Arc::clone(&arena), probe.pid()));
    let crowd = Crowd::of(arena.options.clients);
    let mut clients = crowd.enter(&arena);
    let mut hands = JoinSet::new();
    hands.spawn(faults::at_the_daemon(
        Arc::clone(&arena),
        Arc::clone(&probe),
    ));
    hands.spawn(faults::at_the_windows(Arc::clone(&arena)));
    let all = arena.options.seconds;
    let calm = arena.options.calm.unwrap_or(all / 4).min(all);
    let mut interrupted = until(&arena, begun, all - calm).await;
    arena.calm.cancel();
    finish(&arena, "a fault", &mut hands).await;
    lock(&arena.relays).iter_mut().for_each(Relay::thaw);
    interrupted = interrupted || until(&arena, begun, all).await;
    arena.winding_down.cancel();
    finish(&arena, "a client", &mut clients).await;
    arena.over.cancel();
    finish(&arena, "the watch", &mut watching).await;
    let probe = Arc::into_inner(probe).context("somebody still holds the probe")?;
    if !probe.close().await {
        arena.score.broken("the oldest shim outlives its window");
    }
    let journal = journal(&arena).await;
    the_end(&arena).await;
    let trends = growth(&arena.score, &watch);
    let verdicts = arena.oracle.verdicts(&journal);
    let run = Run {
        seed,
        took: begun.elapsed(),
        clients: crowd.told(),
        interrupted,
        slowest: arena.oracle.slowest(),
        trends,
    };
    let board = Board::new(run, arena.score.tally(), &verdicts);
    clean_up(arena, board.broken() > 0).await;
    Ok(board)
}

/// A home that can be filled up, and a daemon.
async fn prepare(arena: &Arc<Arena>) -> Result<()> {
    if let Err(why) = faults::mount(arena).await {
        arena.cannot_mount(why);
    }
    arena.sandbox.write("config/clients.toml", CLIENTS);
    arena
        .start()
        .await
        .map_err(anyhow::Error::msg)
        .context("cannot start the daemon")?;
    Ok(())
}

/// Links that can be harmed. Whoever comes through one names its port, which is not the daemon's.
async fn relays(sandbox: &mut Sandbox) -> Vec<Relay> {
    let mut relays = Vec::new();
    for _ in 0..RELAYS {
        relays.push(Relay::to(sandbox.port()).await);
    }
    let names: Vec<String> = relays
        .iter()
        .map(|relay| format!("127.0.0.1:{}", relay.port()))
        .collect();
    sandbox.set("EXAI_WS_ALLOWED_HOSTS", names.join(","));
    relays
}

/// So many seconds are over, or somebody wants it to end; whether it was the latter.
async fn until(arena: &Arena, begun: Instant, seconds: u64) -> bool {
    let end = Duration::from_secs(seconds);
    let mut told = Instant::now();
    while begun.elapsed() < end {
        tokio::select! {
            () = sleep(Duration::from_millis(500)) => {}
            () = crate::interrupted() => return true,
        }
        if told.elapsed() > Duration::from_secs(30) {
            told = Instant::now();
            let (calls, answered) = arena.oracle.counts();
            let tally = arena.score.tally();
            crate::tell(&format!(
                "{:>5} s  {calls} calls, {answered} answered, {} kills, {} broken so far",
                begun.elapsed().as_secs(),
                tally.kills(),
                tally.breaches
            ));
        }
    }
    false
}

/// All of them end in time, and none by a panic: a peer panics where it meets what no peer
/// should ever meet.
async fn finish(arena: &Arena, who: &str, tasks: &mut JoinSet<()>) {
    let limit = arena.patience() + Duration::from_secs(120);
    let all = async {
        while let Some(ended) = tasks.join_next().await {
            if let Err(error) = ended {
                let words = error
                    .into_panic()
                    .downcast::<String>()
                    .map_or_else(|_| "no words".to_owned(), |words| *words);
                arena
                    .score
                    .broken(format!("{who} met what should not be: {words}"));
            }
        }
    };
    if timeout(limit, all).await.is_err() {
        arena
            .score
            .broken(format!("{who} did not end within {limit:?}"));
        tasks.abort_all();
    }
}

/// What the daemon's own book says, by request id.
async fn journal(arena: &Arena) -> BTreeMap<String, Journaled> {
    let mut book = BTreeMap::new();
    let Some(ended) = arena
        .cli(
            &["calls", "--json", "-n", "10000000"],
            Duration::from_secs(120),
        )
        .await
    else {
        return book;
    };
    let rows: Vec<Value> = serde_json::from_str(&ended.stdout).unwrap_or_default();
    for row in rows {
        let request = row["request_id"].as_str().unwrap_or_default().to_owned();
        let known = row["state"] == "ok";
        book.insert(
            request,
            if known {
                Journaled::Finished
            } else {
                Journaled::Unfinished
            },
        );
    }
    book
}

/// Nothing may be left, and the record must say how every call ended.
async fn the_end(arena: &Arena) {
    arena.will_end(&arena.daemons());
    match arena.cli(&["stop"], Duration::from_secs(90)).await {
        Some(ended) if ended.code == Some(0) => {}
        other => arena.score.broken(format!("the last stop said {other:?}")),
    }
    let end = Instant::now() + LAST;
    loop {
        let left: Vec<u32> = ["exai-daemon", "exai-shim"]
            .iter()
            .flat_map(|name| arena.sandbox.processes(name))
            .collect();
        if left.is_empty() {
            break;
        }
        if Instant::now() > end {
            arena
                .score
                .broken(format!("left behind: processes {left:?}"));
            break;
        }
        sleep(Duration::from_millis(50)).await;
    }
}

async fn clean_up(arena: Arc<Arena>, broken: bool) {
    if broken && arena.options.keep {
        keep(&arena).await;
    }
    if arena.why_no_mount().is_none()
        && let Err(why) = faults::unmount(&arena).await
    {
        crate::tell(&format!("cannot unmount the home: {why}"));
    }
}

/// The home goes with this program; a copy stays.
async fn keep(arena: &Arena) {
    let copy = std::env::temp_dir().join(format!("exai-torture-{}", arena.seed));
    let mut command = arena.foreign("cp");
    command.arg("-r").arg(arena.sandbox.home()).arg(&copy);
    let kept = command.status().await.is_ok_and(|status| status.success());
    crate::tell(&if kept {
        format!("the home is kept in {}", copy.display())
    } else {
        "the home could not be kept".to_owned()
    });
}
