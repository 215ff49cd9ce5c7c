//! The bound on all results holds while they come fast, and takes nothing that is on its way.

use crate::{
    journal::{call, end_with, entered, keeping, recalled},
    support::Place,
};
use exai_engine::ports::ledger::{Entering, Recalled};
use exai_protocol::record::CallFacts;
use exai_store::Journal;
use std::{io::Write as _, path::Path, sync::Arc, time::Duration};

async fn kept(journal: &Journal, number: usize, bytes: usize) {
    let request = format!("r{number}");
    let plain = call(&request, "{}");
    let call = Entering {
        facts: Arc::new(CallFacts {
            number: number as u64,
            ..CallFacts::clone(&plain.facts)
        }),
        ..plain
    };
    let entry = entered(journal, call.clone()).await.ok().unwrap();
    let text = "x".repeat(bytes);
    entry.finish(end_with(&call, &text)).await.unwrap();
}

fn files(results: &Path) -> usize {
    results
        .read_dir()
        .map_or(0, |files| files.flatten().count())
}

#[tokio::test]
async fn many_small_results_do_not_keep_a_large_one_for_ever() {
    let place = Place::new();
    let store = place.open("a");
    let results = place.dir.path().join("results");
    let mut keeping = keeping(&results);
    (keeping.result_bytes, keeping.rows) = (1_000_000, 10_000);
    let journal = Journal::new(&store, keeping);
    for number in 0..2_500 {
        kept(&journal, number, 1).await;
    }
    kept(&journal, 2_500, 3_000_000).await;
    kept(&journal, 2_501, 1).await;
    journal.sweep().await;
    assert_eq!(files(&results), 0);
    let newest = recalled(&journal, "r2501").await;
    assert!(matches!(newest, Some(Recalled::Finished(_))));
}

#[tokio::test]
async fn one_looks_as_soon_as_much_was_kept() {
    let place = Place::new();
    let store = place.open("a");
    let mut keeping = keeping(&place.dir.path().join("results"));
    keeping.result_bytes = 8_000_000;
    let journal = Journal::new(&store, keeping);
    kept(&journal, 1, 600_000).await;
    let soon = Duration::from_millis(50);
    let grown = tokio::time::timeout(soon, journal.has_grown()).await;
    assert!(grown.is_err(), "too early");
    kept(&journal, 2, 600_000).await;
    journal.has_grown().await;
    let grown = tokio::time::timeout(soon, journal.has_grown()).await;
    assert!(grown.is_err(), "it counts anew");
}

#[tokio::test]
async fn a_result_whose_call_is_not_written_yet_is_no_left_over() {
    let place = Place::new();
    let store = place.open("now");
    let results = place.dir.path().join("results");
    let mut keeping = keeping(&results);
    keeping.result_bytes = 1;
    let journal = Journal::new(&store, keeping);
    std::fs::create_dir_all(&results).unwrap();
    for name in ["now-7.json", "gone-7.json"] {
        let mut file = std::fs::File::create(results.join(name)).unwrap();
        file.write_all(b"large").unwrap();
    }
    journal.sweep_files().await;
    assert!(results.join("now-7.json").exists());
    assert!(!results.join("gone-7.json").exists());
}
