//! kill −9 in the middle of writing: what a caller was told is kept is in the file.
//! The child is this test binary itself, told by a variable to run the writing part.

use crate::journal::{call as journalled, end_with, entered, keeping, key};
use crate::support::{ask, call, options, usage, who};
use exai_engine::ports::ledger::{Ledger as _, Recalled};
use exai_protocol::UnixMillis;
use exai_store::{Day, Journal, Scope, Store, UsageQuery};
use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, Command, Stdio},
};

const FILE: &str = "EXAI_STORE_TEST_KILLED_FILE";

/// Writes for ever, and says what it was promised, a line each: `reserved` once it is held,
/// `settled` once it is counted. Does nothing unless it is the child.
#[tokio::test]
async fn child_writes_until_it_is_killed() {
    let Ok(path) = std::env::var(FILE) else {
        return;
    };
    let boot = std::process::id().to_string();
    let store = Store::open(options(Path::new(&path), &boot));
    let mut out = std::io::stdout();
    for round in 0_u64.. {
        let (reserve, recorded) = (
            store.reserve(ask("r", 10, &[])),
            store.record(call("r"), usage(3)),
        );
        let grant = reserve.await.unwrap();
        out.write_all(b"\nreserved\n").unwrap();
        recorded.unwrap().await.unwrap();
        out.write_all(b"\nrecorded\n").unwrap();
        match round % 3 {
            0 => drop(grant),
            1 => {
                grant.reservation.settle(usage(4)).await.unwrap();
                out.write_all(b"\nsettled\n").unwrap();
            }
            _ => std::mem::forget(grant),
        }
    }
}

const JOURNAL: &str = "EXAI_STORE_TEST_KILLED_JOURNAL";

/// The same for calls: each is entered, started, finished; `accepted N` once it is entered,
/// `finished N` once its end is there.
#[tokio::test]
async fn child_journals_until_it_is_killed() {
    let Ok(path) = std::env::var(JOURNAL) else {
        return;
    };
    let path = Path::new(&path);
    let store = Store::open(options(path, "dead"));
    let journal = Journal::new(&store, keeping(&path.with_extension("results")));
    let journal = &journal;
    for round in 0_u64.. {
        let names: Vec<String> = (0..8).map(|lane| format!("{}", round * 8 + lane)).collect();
        let tasks = names.iter().map(|name| async move {
            let mut out = std::io::stdout();
            let call = journalled(name, "{}");
            let mut entry = entered(journal, call.clone()).await.ok().unwrap();
            out.write_all(format!("\naccepted {name}\n").as_bytes())
                .unwrap();
            entry.start().await.unwrap();
            // Every fifth is large: a file beside the database.
            let size = if round % 5 == 0 { 100_000 } else { 10 };
            entry
                .finish(end_with(&call, &"x".repeat(size)))
                .await
                .unwrap();
            out.write_all(format!("\nfinished {name}\n").as_bytes())
                .unwrap();
        });
        join_all(tasks).await;
    }
}

/// All of them, side by side in this task.
async fn join_all(tasks: impl Iterator<Item = impl Future<Output = ()>>) {
    let mut tasks: Vec<_> = tasks.map(|task| Some(Box::pin(task))).collect();
    std::future::poll_fn(|context| {
        for slot in &mut tasks {
            if let Some(task) = slot
                && task.as_mut().poll(context).is_ready()
            {
                *slot = None;
            }
        }
        if tasks.iter().all(Option::is_none) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
}

#[tokio::test]
async fn no_call_that_was_promised_is_forgotten_and_no_end_is_lost() {
    for promises in [1, 3, 20, 90, 333] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("exai.db");
        let (mut accepted, mut finished) = (Vec::new(), Vec::new());
        let mut child = start(&path, "kill::child_journals_until_it_is_killed", JOURNAL);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        while let Some(Ok(line)) = lines.next() {
            match line.split_once(' ') {
                Some(("accepted", name)) => accepted.push(name.to_owned()),
                Some(("finished", name)) => finished.push(name.to_owned()),
                _ => continue,
            }
            if accepted.len() + finished.len() == promises {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        assert!(
            accepted.len() + finished.len() >= promises,
            "the child ended by itself"
        );
        let store = Store::open(options(&path, "next"));
        store.check().await.unwrap();
        let journal = Journal::new(&store, keeping(&path.with_extension("results")));
        for name in &accepted {
            assert!(
                journal.recall(&key(name)).await.unwrap().is_some(),
                "{name} is forgotten"
            );
        }
        for name in &finished {
            let Some(Recalled::Finished(kept)) = journal.recall(&key(name)).await.unwrap() else {
                panic!("the end of {name} is lost")
            };
            assert!(kept.result_bytes() > 10);
        }
    }
}

fn child(path: &Path) -> Child {
    start(path, "kill::child_writes_until_it_is_killed", FILE)
}

fn start(path: &Path, test: &str, variable: &str) -> Child {
    #[expect(
        clippy::disallowed_methods,
        reason = "a test's own child, killed by its handle"
    )]
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(variable, path)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[derive(Default)]
struct Promised {
    reserved: u64,
    recorded: u64,
    settled: u64,
}

/// Lets a child write until it has made so many promises, kills it, and hears it to the end.
fn run_and_kill(path: &Path, promises: usize) -> Promised {
    let mut child = child(path);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut promised = Promised::default();
    let mut heard = 0;
    while let Some(Ok(line)) = lines.next() {
        match line.as_str() {
            "reserved" => promised.reserved += 1,
            "recorded" => promised.recorded += 1,
            "settled" => promised.settled += 1,
            _ => continue,
        }
        heard += 1;
        if heard == promises {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    assert!(
        heard >= promises,
        "the child ended by itself after {heard} promises"
    );
    promised
}

#[tokio::test]
async fn nothing_promised_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("exai.db");
    let (mut least_spent, mut least_rows) = (0, 0);
    for (round, promises) in [1, 2, 7, 50, 133, 400].into_iter().enumerate() {
        let promised = run_and_kill(&path, promises);
        // A settled one counts 4, any other reserved one is 10 at the end.
        least_spent += promised.settled * 4
            + (promised.reserved - promised.settled) * 10
            + promised.recorded * 3;
        least_rows += promised.reserved + promised.recorded;

        let store = Store::open(options(&path, &format!("after {round}")));
        assert!(store.condition().keeps(), "{:?}", store.condition());
        assert_eq!(
            store.condition().set_aside,
            Vec::<std::path::PathBuf>::new()
        );
        store.check().await.unwrap();
        let day = Day::of(UnixMillis(crate::support::NOON));
        let sums = store.sums(Scope::Day, who("r"), day).await.unwrap();
        let total = store.usage(UsageQuery::default()).await.unwrap().remove(0);
        assert_eq!(sums.held.0, 0, "nothing of the dead is held for ever");
        assert_eq!(sums.spent, total.counted, "rows and sums agree");
        // One step may have been done and not said yet, in each way: a reservation (10) and
        // a record (3); and a settlement not yet said makes 4 out of 10.
        let allowed = (least_spent - 6)..=(least_spent + 13);
        assert!(
            allowed.contains(&sums.spent.0),
            "{} of {allowed:?}",
            sums.spent.0
        );
        assert!(
            (least_rows..=least_rows + 2).contains(&total.calls),
            "{} of {least_rows}",
            total.calls
        );
        (least_spent, least_rows) = (sums.spent.0, total.calls);
        store.close().await;
    }
}
