//! kill −9 between an answer and its being kept: a turn is there whole or not at all, and what was
//! told to be kept is kept. The child is this test binary itself.

use crate::{
    support::Place,
    threads::{limits, open, owner, questions, said},
};
use exai_engine::ports::threads::{ListQuery, Threads as _};
use exai_store::StoredThreads;

const KILLED: &str = "EXAI_STORE_TEST_KILLED_THREADS";

/// Keeps turns for ever and says of each that it is kept. Does nothing unless it is the child.
#[tokio::test]
async fn child_keeps_turns_until_it_is_killed() {
    let Ok(path) = std::env::var(KILLED) else {
        return;
    };
    let boot = std::process::id().to_string();
    let options = crate::support::options(std::path::Path::new(&path), &boot);
    let threads = StoredThreads::new(exai_store::Store::open(options), limits());
    let query = ListQuery {
        most: 1,
        ..ListQuery::default()
    };
    let mut listed = threads.list(&owner(), query).await.unwrap();
    let mut id = listed.rows.pop().map(|row| row.id);
    loop {
        let opened = open(&threads, id.as_deref()).await;
        let words = format!("question {}", opened.count + 1);
        let number = threads
            .append(&opened, said(&words, "answer"))
            .await
            .unwrap();
        let line = format!("\nkept {number}\n");
        std::io::Write::write_all(&mut std::io::stdout(), line.as_bytes()).unwrap();
        id = Some(opened.id.to_string());
    }
}

#[tokio::test]
async fn kill_9_leaves_whole_turns_and_none_that_was_told_is_lost() {
    let place = Place::new();
    let mut least = 0;
    for promises in [1, 3, 20, 90] {
        let told = keep_and_kill(&place.path(), promises);
        let store = place.open("after");
        store.check().await.unwrap();
        let threads = StoredThreads::new(store.clone(), limits());
        let query = ListQuery {
            most: 9,
            ..ListQuery::default()
        };
        let listed = threads.list(&owner(), query).await.unwrap();
        let [row] = listed.rows.as_slice() else {
            panic!("one conversation: {listed:?}")
        };
        let thread = threads.load(&owner(), &row.id).await.unwrap();
        let count = u32::try_from(thread.turns.len()).unwrap();
        assert!(
            (told..=told + 1).contains(&count) && count > least,
            "{count} of {told}"
        );
        let expected: Vec<String> = (1..=count).map(|at| format!("question {at}")).collect();
        assert_eq!(questions(&thread.turns), expected, "each once, in order");
        assert!(thread.turns.iter().all(|turn| turn.said.answer.is_some()));
        assert_eq!(row.turns, count);
        least = count;
        store.close().await;
    }
}

/// Lets a child keep so many turns, and kills it; the number of the last one it told of.
fn keep_and_kill(path: &std::path::Path, promises: usize) -> u32 {
    use std::io::BufRead as _;
    #[expect(
        clippy::disallowed_methods,
        reason = "a test's own child, killed by its handle"
    )]
    let mut child = std::process::Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "threads_killed::child_keeps_turns_until_it_is_killed",
        ])
        .arg("--nocapture")
        .env(KILLED, path)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let lines = std::io::BufReader::new(child.stdout.take().unwrap()).lines();
    let (mut heard, mut last) = (0, 0);
    for line in lines.map_while(Result::ok) {
        if let Some(number) = line.strip_prefix("kept ") {
            last = number.parse().unwrap();
            heard += 1;
            if heard == promises {
                child.kill().unwrap();
            }
        }
    }
    child.wait().unwrap();
    assert!(heard >= promises, "the child ended by itself after {heard}");
    last
}
