//! Somebody removes the database under a living daemon, puts another in its place or writes over
//! it: what was promised is kept all the same, and the owner is told.

use crate::editor::by_hand;
use exai_testkit::{Must as _, Sandbox, Ws, eventually, is_alive, kill_pid};
use serde_json::json;
use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

const LIMIT: Duration = Duration::from_secs(30);

fn database(sandbox: &Sandbox) -> PathBuf {
    sandbox.home().join(".exai/data/exai.db")
}

fn removed(file: &Path) {
    fs::remove_file(file).must("remove it");
}

fn removed_with_its_log(file: &Path) {
    for tail in ["", "-wal", "-shm"] {
        fs::remove_file(format!("{}{tail}", file.display())).must("remove it");
    }
}

fn removed_with_its_folder(file: &Path) {
    fs::remove_dir_all(file.parent().must("have a folder")).must("remove the folder");
}

fn replaced(file: &Path) {
    let other = file.with_extension("other");
    fs::copy(file, &other).must("copy it");
    fs::rename(&other, file).must("put the copy in its place");
}

fn emptied(file: &Path) {
    let file = fs::OpenOptions::new().write(true).open(file);
    file.must("open it").set_len(0).must("empty it");
}

fn written_over(file: &Path) {
    let open = fs::OpenOptions::new().write(true).open(file);
    std::io::Write::write_all(&mut open.must("open it"), &[b'x'; 8192]).must("write over it");
}

async fn ran(ws: &mut Ws, sandbox: &Sandbox, id: &str) -> bool {
    let file = sandbox.work().join(id);
    ws.call_as(id, "test_count_once", json!({ "file": file, "ms": 1 }))
        .await;
    ws.result(id).await["outputs"][0]["text"] == "counted"
}

/// A call made before is known to the daemon after a kill, whatever became of the file.
async fn what_was_promised_is_kept(harm: fn(&Path)) {
    let sandbox = by_hand();
    sandbox.cli(&["start"]).await.ok();
    let (mut ws, _) = sandbox.modern("window", &["rich_results"]).await;
    assert!(ran(&mut ws, &sandbox, "before").await);
    let file = database(&sandbox);
    harm(&file);
    let told = || {
        let log = sandbox.log("ws_daemon.log");
        log.contains("while the daemon ran")
    };
    let mut number = 0;
    while !told() {
        number += 1;
        assert!(ran(&mut ws, &sandbox, &format!("meanwhile {number}")).await);
        assert!(number < 100_000, "it is never seen");
    }
    assert!(ran(&mut ws, &sandbox, "after").await);
    kill_pid(sandbox.daemon_pid().must("read the record"));
    eventually(LIMIT, "it to be gone", || {
        sandbox.processes("exai-daemon").is_empty()
    })
    .await;
    sandbox.cli(&["start"]).await.ok();
    let (mut ws, _) = sandbox.modern("window", &["rich_results"]).await;
    for id in ["before", "meanwhile 1", "after"] {
        assert!(ran(&mut ws, &sandbox, id).await, "{id}");
        assert_eq!(sandbox.counted(id), 1, "{id}");
    }
    let doctor = sandbox.cli(&["doctor"]).await;
    assert!(doctor.stdout.contains("(whole)"), "{}", doctor.all());
}

#[tokio::test]
async fn a_database_that_is_removed_is_written_again() {
    what_was_promised_is_kept(removed).await;
    what_was_promised_is_kept(removed_with_its_log).await;
    what_was_promised_is_kept(removed_with_its_folder).await;
}

#[tokio::test]
async fn a_database_in_whose_place_another_is_put_is_written_again() {
    what_was_promised_is_kept(replaced).await;
}

#[tokio::test]
async fn a_database_that_is_written_over_is_set_aside_and_what_its_log_has_taken_over() {
    what_was_promised_is_kept(emptied).await;
    what_was_promised_is_kept(written_over).await;
}

/// While two daemons have it open, the one that has the home writes it again, and only that one:
/// what the other has is older.
#[tokio::test]
async fn a_database_that_is_removed_in_a_hand_over_is_written_again_by_the_next_daemon() {
    let sandbox = by_hand();
    sandbox.cli(&["start"]).await.ok();
    let (mut ws, _) = sandbox.modern("window", &["rich_results"]).await;
    assert!(ran(&mut ws, &sandbox, "before").await);
    let file = sandbox.work().join("long");
    ws.call_as(
        "long",
        "test_count_once",
        json!({ "file": file, "ms": 60_000 }),
    )
    .await;
    eventually(LIMIT, "it runs", || sandbox.counted("long") == 1).await;
    let elder = sandbox.daemon_pid().must("read the record");
    sandbox.cli(&["restart"]).await.ok();
    let (mut ws, _) = sandbox.modern("window", &["rich_results"]).await;
    assert!(ran(&mut ws, &sandbox, "after").await);
    removed_with_its_log(&database(&sandbox));
    let mut number = 0;
    while !database(&sandbox).exists() {
        number += 1;
        assert!(ran(&mut ws, &sandbox, &format!("meanwhile {number}")).await);
        assert!(number < 100_000, "it is never seen");
    }
    // The elder ends, and looks at its file as it does.
    ws.send(&json!({ "op": "cancel", "request_id": "long" }))
        .await;
    eventually(LIMIT, "the elder to end", || !is_alive(elder)).await;
    kill_pid(sandbox.daemon_pid().must("read the record"));
    eventually(LIMIT, "it to be gone", || {
        sandbox.processes("exai-daemon").is_empty()
    })
    .await;
    sandbox.cli(&["start"]).await.ok();
    let (mut ws, _) = sandbox.modern("window", &["rich_results"]).await;
    for id in ["before", "after", &format!("meanwhile {number}")] {
        assert!(ran(&mut ws, &sandbox, id).await, "{id}");
        assert_eq!(sandbox.counted(id), 1, "{id}");
    }
}

/// Who looks at a file must not let go of it: the elder would be alone with it as it ends, and
/// would take the log away under the next daemon.
#[tokio::test]
async fn a_database_that_is_looked_at_stays_whole_when_the_daemon_before_closes_it() {
    let sandbox = by_hand();
    sandbox.cli(&["start"]).await.ok();
    let (mut ws, _) = sandbox.modern("window", &["rich_results"]).await;
    let file = sandbox.work().join("long");
    ws.call_as(
        "long",
        "test_count_once",
        json!({ "file": file, "ms": 60_000 }),
    )
    .await;
    eventually(LIMIT, "it runs", || sandbox.counted("long") == 1).await;
    let elder = sandbox.daemon_pid().must("read the record");
    sandbox.cli(&["restart"]).await.ok();
    let (mut ws, _) = sandbox.modern("window", &["rich_results"]).await;
    let log = database(&sandbox).with_extension("db-wal");
    let number = |log: &Path| std::os::unix::fs::MetadataExt::ino(&log.metadata().must("look"));
    let before = number(&log);
    // Longer than between two looks.
    let begins = Instant::now();
    let mut made = 0;
    while begins.elapsed() < Duration::from_secs(2) {
        made += 1;
        assert!(ran(&mut ws, &sandbox, &format!("meanwhile {made}")).await);
    }
    ws.send(&json!({ "op": "cancel", "request_id": "long" }))
        .await;
    eventually(LIMIT, "the elder to end", || !is_alive(elder)).await;
    assert_eq!(number(&log), before, "the log is another");
    assert!(ran(&mut ws, &sandbox, "after").await);
    kill_pid(sandbox.daemon_pid().must("read the record"));
    eventually(LIMIT, "it to be gone", || {
        sandbox.processes("exai-daemon").is_empty()
    })
    .await;
    sandbox.cli(&["start"]).await.ok();
    let (mut ws, _) = sandbox.modern("window", &["rich_results"]).await;
    for id in ["meanwhile 1", "after"] {
        assert!(ran(&mut ws, &sandbox, id).await, "{id}");
        assert_eq!(sandbox.counted(id), 1, "{id}");
    }
}
