//! Files that are damaged, or where they cannot be written: said, never overwritten, and the
//! way back is by itself.

use crate::support::{Place, ask, call, eventually, sums, usage};
use exai_protocol::Code;
use exai_store::{Scope, State, Store, UsageQuery};
use std::{
    fs::{self, OpenOptions},
    io::{Seek as _, SeekFrom, Write as _},
    path::Path,
};

pub(crate) fn damage(path: &Path, at: u64, bytes: &[u8]) {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .unwrap();
    file.seek(SeekFrom::Start(at)).unwrap();
    file.write_all(bytes).unwrap();
}

#[tokio::test]
async fn a_file_that_is_no_database_is_set_aside() {
    let place = Place::new();
    damage(&place.path(), 0, &[b'x'; 5000]);
    let store = place.open("a");
    let condition = store.condition();
    assert_eq!(condition.state, State::Good);
    assert_eq!(fs::read(&condition.set_aside[0]).unwrap(), [b'x'; 5000]);
    assert!(condition.warnings()[0].contains("set aside as"));
    store.record(call("r"), usage(5)).unwrap().await.unwrap();
    store.close().await;
    // It is said until an owner has looked at it.
    let store = place.open("b");
    assert_eq!(store.condition().set_aside, condition.set_aside);
    fs::remove_file(&condition.set_aside[0]).unwrap();
    store.close().await;
    let store = place.open("c");
    assert!(store.condition().set_aside.is_empty());
    assert_eq!(sums(&store, Scope::Day).await, (5, 0));
}

/// A store with so many rows that the file has many pages, closed.
async fn grown(place: &Place, rows: u64) {
    let store = place.open("a");
    let mut last = None;
    for row in 0..rows {
        let receipt = loop {
            match store.record(call(&row.to_string()), usage(1)) {
                Ok(receipt) => break receipt,
                Err(_) => tokio::task::yield_now().await,
            }
        };
        last = Some(receipt);
    }
    last.unwrap().await.unwrap();
    store.close().await;
}

#[tokio::test]
async fn a_truncated_file_is_set_aside_and_what_can_be_read_is_taken_over() {
    let place = Place::new();
    grown(&place, 2000).await;
    let length = fs::metadata(place.path()).unwrap().len();
    OpenOptions::new()
        .write(true)
        .open(place.path())
        .unwrap()
        .set_len(length / 2)
        .unwrap();
    let store = place.open("b");
    let condition = store.condition();
    assert_eq!(
        (&condition.state, condition.set_aside.len()),
        (&State::Good, 1)
    );
    assert_eq!(
        fs::metadata(&condition.set_aside[0]).unwrap().len(),
        length / 2
    );
    store.check().await.unwrap();
    store.record(call("new"), usage(1)).unwrap().await.unwrap();
}

#[tokio::test]
async fn damage_in_the_middle_is_met_while_running_and_the_rest_is_kept() {
    let place = Place::new();
    grown(&place, 2000).await;
    let store = place.open("b");
    let held = store.reserve(ask("under way", 700, &[])).await.unwrap();
    // Past the schema and the first pages; nothing of it is in a log any more.
    let length = fs::metadata(place.path()).unwrap().len();
    let page = length / 2 / 4096 * 4096;
    damage(&place.path(), page, &[0xa5; 4096]);
    let _ = store.check().await;
    eventually("it is set aside", || async {
        store.condition().set_aside.len() == 1
    })
    .await;
    eventually("it is good again", || async { store.condition().keeps() }).await;

    held.reservation.settle(usage(300)).await.unwrap();
    let (spent, held) = sums(&store, Scope::Day).await;
    assert_eq!(
        (spent, held),
        (2300, 0),
        "no budget is filled again by damage"
    );
    let total = store.usage(UsageQuery::default()).await.unwrap().remove(0);
    assert!(total.calls > 1500, "{} of 2001 rows were read", total.calls);
    store.check().await.unwrap();
}

#[tokio::test]
async fn a_missing_directory_is_said_and_the_way_back_is_by_itself() {
    let place = Place::new();
    let home = place.dir.path().join("home");
    let mut options = place.options("a");
    options.path = home.join("exai.db");
    let store = Store::open(options);
    assert_eq!(store.condition().state.word(), "unwritable");
    assert_eq!(
        store.reserve(ask("r", 1, &[])).await.unwrap_err().code(),
        Code::Unavailable
    );
    // Told all the same: it is kept, and written when it can be.
    let told = store.record(call("r"), usage(9)).unwrap();
    fs::create_dir(&home).unwrap();
    told.await.unwrap();
    assert_eq!(sums(&store, Scope::Day).await, (9, 0));
    assert!(store.condition().keeps());
}

#[tokio::test]
async fn another_process_that_writes_is_waited_for_then_said() {
    let place = Place::new();
    let mut options = place.options("a");
    options.busy = std::time::Duration::from_millis(50);
    let store = Store::open(options);
    let other = rusqlite::Connection::open(place.path()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = store.reserve(ask("r", 1, &[])).await.unwrap_err();
    assert!(
        error.to_string().contains("another process holds"),
        "{error}"
    );
    other.execute_batch("ROLLBACK").unwrap();
    eventually("it is good again", || async { store.condition().keeps() }).await;
    store
        .reserve(ask("r", 1, &[]))
        .await
        .unwrap()
        .reservation
        .release()
        .await
        .unwrap();
    assert_eq!(sums(&store, Scope::Day).await, (0, 0));
}

#[tokio::test]
async fn r39_a_writer_that_makes_no_headway_shows_it() {
    let place = Place::new();
    let mut options = place.options("a");
    options.busy = std::time::Duration::from_secs(60);
    let store = Store::open(options);
    store.reserve(ask("r", 1, &[])).await.unwrap();
    let turns = || store.headway().load(std::sync::atomic::Ordering::Relaxed);
    eventually("its turn is over", || async { turns().is_multiple_of(2) }).await;
    let before = turns();
    assert!(before > 0);
    let other = rusqlite::Connection::open(place.path()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let asked = tokio_util::task::TaskTracker::new().spawn({
        let store = store.clone();
        async move { store.reserve(ask("s", 1, &[])).await.is_ok() }
    });
    // Beside this it brings the file to the disk every second, each time one turn.
    let at_work = || turns() > before && !turns().is_multiple_of(2);
    eventually("it is at work", || async { at_work() }).await;
    assert!(!asked.is_finished());
    other.execute_batch("ROLLBACK").unwrap();
    assert!(asked.await.unwrap());
    eventually("its turn is over", || async { turns().is_multiple_of(2) }).await;
}

#[cfg(unix)]
mod unix {
    //! Rights and links, where there are such.
    use super::*;
    use std::os::unix::{fs::PermissionsExt as _, process::CommandExt as _};
    use std::process::Command;

    const FILE: &str = "EXAI_STORE_TEST_READ_ONLY_FILE";

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[tokio::test]
    async fn s07_the_file_and_its_log_are_the_owners_alone() {
        let place = Place::new();
        let store = place.open("a");
        store.record(call("r"), usage(1)).unwrap().await.unwrap();
        let files: Vec<_> = place
            .dir
            .path()
            .read_dir()
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        assert!(files.len() >= 2, "{files:?}");
        for file in files {
            assert_eq!(mode(&file), 0o600, "{}", file.display());
        }
        store.close().await;
        fs::set_permissions(place.path(), fs::Permissions::from_mode(0o644)).unwrap();
        place.open("b").close().await;
        assert_eq!(mode(&place.path()), 0o600);
    }

    #[tokio::test]
    async fn s07_a_link_in_its_place_is_not_followed() {
        let place = Place::new();
        let victim = place.dir.path().join("victim");
        std::os::unix::fs::symlink(&victim, place.path()).unwrap();
        let store = place.open("a");
        assert_eq!(store.condition().state.word(), "refused");
        assert!(store.condition().warnings()[0].contains("symbolic link"));
        assert!(!victim.exists());
    }

    /// Runs in a process without rights over everything. Does nothing unless it is that one.
    #[tokio::test]
    async fn child_in_a_directory_it_cannot_write() {
        let Ok(path) = std::env::var(FILE) else {
            return;
        };
        let store = Store::open(crate::support::options(Path::new(&path), "child"));
        let condition = store.condition();
        assert_eq!(condition.state.word(), "unwritable", "{condition:?}");
        assert!(condition.set_aside.is_empty());
        let refused = store.reserve(ask("r", 1, &[])).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unavailable);
        let total = store.usage(UsageQuery::default()).await.unwrap().remove(0);
        assert_eq!(total.calls, 1, "reading works");
        store.close().await;
    }

    #[tokio::test]
    async fn r42_a_read_only_directory_is_said_and_reading_goes_on() {
        let place = Place::new();
        let store = place.open("a");
        store.record(call("r"), usage(1)).unwrap().await.unwrap();
        store.close().await;
        let before = fs::read(place.path()).unwrap();
        // Another user may have to read it: the superuser's rights know no read-only.
        let root = fs::metadata("/proc/self")
            .is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
        let exe = place.dir.path().join("child");
        fs::copy(std::env::current_exe().unwrap(), &exe).unwrap();
        fs::set_permissions(place.path(), fs::Permissions::from_mode(0o444)).unwrap();
        fs::set_permissions(place.dir.path(), fs::Permissions::from_mode(0o555)).unwrap();
        #[expect(clippy::disallowed_methods, reason = "a test's own child, waited for")]
        let mut command = Command::new(&exe);
        command.args([
            "--exact",
            "faults::unix::child_in_a_directory_it_cannot_write",
            "--nocapture",
        ]);
        if root {
            command.uid(65_534);
        }
        let output = command
            .env(FILE, place.path())
            .current_dir("/")
            .output()
            .unwrap();
        fs::set_permissions(place.dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && said.contains("1 passed"),
            "{said}"
        );
        assert_eq!(fs::read(place.path()).unwrap(), before);
    }
}
