//! Programs whose daemon is gone, and those that only look like them.

use super::*;
use std::{
    os::unix::process::CommandExt as _,
    process::{Child, Command, Stdio},
};

/// A shell in a group of its own, marked, with a child there.
#[expect(
    clippy::disallowed_methods,
    reason = "a program that nobody of ours runs is the subject"
)]
fn program(mark: &str, script: &str) -> Child {
    let mut command = Command::new("sh");
    command.args(["-c", script]).env(RUN, mark).process_group(0);
    command.stdin(Stdio::null()).spawn().unwrap()
}

/// As a killed daemon leaves it: a file nobody holds.
fn left(notes: &Notes, pid: u32, began: u64, mark: &str) {
    std::fs::create_dir_all(&notes.0).unwrap();
    let line = format!("{pid} {began} {mark}\n");
    let mut file = File::create(notes.0.join(format!("{pid}-{mark}"))).unwrap();
    file.write_all(line.as_bytes()).unwrap();
}

fn is_over(child: &mut Child) -> bool {
    child.try_wait().unwrap().is_some()
}

#[tokio::test]
async fn what_was_left_at_work_is_ended_and_its_note_goes() {
    let home = tempfile::tempdir().unwrap();
    let notes = Notes::new(home.path().join("running"));
    let mark = mark();
    let mut child = program(&mark, "trap '' TERM; while :; do sleep 0.05; done");
    let note = notes.write(child.id(), &mark).unwrap().unwrap();
    assert!(notes.left_over().is_empty(), "its daemon lives");
    let path = note.path.clone();
    let text = std::fs::read_to_string(&path).unwrap();
    drop(note);
    assert!(!path.exists());
    std::fs::File::create(&path)
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    let mut found = notes.left_over();
    assert_eq!(found.len(), 1);
    assert!(notes.left_over().is_empty(), "one daemon sees to it");
    found.remove(0).end(Duration::from_millis(200)).await;
    child.wait().unwrap();
    assert!(!path.exists());
}

#[tokio::test]
async fn what_its_leader_left_behind_is_known_by_its_mark() {
    let home = tempfile::tempdir().unwrap();
    let notes = Notes::new(home.path().join("running"));
    let mark = mark();
    let mut child = program(&mark, "sleep 300 & echo");
    let (pid, began) = (child.id(), system::began(child.id()).unwrap());
    child.wait().unwrap();
    left(&notes, pid, began, &mark);
    let found = notes.left_over();
    assert_eq!(found.len(), 1, "its child is there");
    for one in found {
        one.end(Duration::from_secs(5)).await;
    }
    left(&notes, pid, began, &mark);
    assert!(notes.left_over().is_empty(), "and is gone");
}

#[test]
fn strangers_are_left_alone() {
    let home = tempfile::tempdir().unwrap();
    let notes = Notes::new(home.path().join("running"));
    let (ours, other) = (mark(), mark());
    let mut stranger = program(&other, "sleep 300");
    let (pid, began) = (stranger.id(), system::began(stranger.id()).unwrap());
    // The number of one that is gone is another's now.
    left(&notes, pid, began - 1, &ours);
    // Nor does a note of garbage point to anybody.
    left(&notes, pid, began, "");
    for garbage in ["", "x y z", "1 2", "-1 -1 0123456789abcdef"] {
        let mut file = File::create(notes.0.join("garbage")).unwrap();
        file.write_all(garbage.as_bytes()).unwrap();
        assert!(notes.left_over().is_empty(), "{garbage}");
    }
    assert_eq!(notes.0.read_dir().unwrap().count(), 0, "they are removed");
    assert!(!is_over(&mut stranger));
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}
