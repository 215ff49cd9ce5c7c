//! Rotation: bounds hold, no line is torn or lost, whoever writes at the same time.

use super::*;
use std::collections::BTreeSet;

const ALONE: RotateLimits = RotateLimits {
    max_bytes: 100,
    keep: 3,
    shared: false,
};

fn lines_of(path: &Path) -> Vec<String> {
    all_parts(path)
        .iter()
        .flat_map(|part| {
            let text = std::fs::read_to_string(part).unwrap();
            text.lines().map(str::to_owned).collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn r48_size_and_number_of_files_are_bounded_and_the_newest_lines_kept() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("lög.jsonl");
    let mut log = RotatingFile::open(&path, ALONE);
    for number in 0..100 {
        log.append(format!("line {number:03} ........\n").as_bytes());
    }
    let parts = all_parts(&path);
    assert_eq!(parts.len(), 4);
    assert!(
        parts
            .iter()
            .all(|part| part.metadata().unwrap().len() <= 100)
    );
    let lines = lines_of(&path);
    assert!(lines.is_sorted() && lines.last().unwrap().starts_with("line 099"));
    assert_eq!(log.faults().describe(), None);
}

#[test]
fn without_old_files_the_log_starts_anew() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let mut log = RotatingFile::open(&path, RotateLimits { keep: 0, ..ALONE });
    log.append(&b"x".repeat(99));
    log.append(b"\nlast\n");
    assert_eq!(std::fs::read(&path).unwrap(), b"\nlast\n");
    assert_eq!(all_parts(&path), [path]);
}

#[test]
fn a_single_line_over_the_limit_is_still_written_whole() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let mut log = RotatingFile::open(&path, ALONE);
    log.append(b"short\n");
    log.append(&[b"y".repeat(500), b"\n".to_vec()].concat());
    log.append(b"after\n");
    assert_eq!(lines_of(&path).len(), 3);
    assert_eq!(all_parts(&path).len(), 3);
}

#[test]
fn an_existing_log_is_continued() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    RotatingFile::open(&path, ALONE).append(b"one\n");
    RotatingFile::open(&path, ALONE).append(b"two\n");
    assert_eq!(lines_of(&path), ["one", "two"]);
}

#[cfg(unix)]
#[test]
fn s07_logs_are_private_even_if_they_were_not() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    RotatingFile::open(&path, ALONE).append(b"one\n");
    assert_eq!(mode(&path), 0o600);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    RotatingFile::open(&path, ALONE).append(b"two\n");
    assert_eq!(mode(&path), 0o600);
}

/// Each thread has a file of its own over the same path, as each shim process has.
#[test]
fn many_writers_share_one_log_without_a_torn_or_lost_line() {
    const WRITERS: usize = 20;
    const LINES: usize = 300;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ws_shim.log");
    let limits = RotateLimits {
        max_bytes: 16 * 1024,
        keep: 10_000,
        shared: true,
    };
    let start = std::sync::Barrier::new(WRITERS);
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (path, start) = (&path, &start);
            scope.spawn(move || {
                let mut log = RotatingFile::open(path, limits);
                start.wait();
                for number in 0..LINES {
                    let filler = "z".repeat(number % 97);
                    log.append(format!("<{writer}:{number}:{filler}>\n").as_bytes());
                }
                assert_eq!(log.faults().describe(), None);
            });
        }
    });
    let lines = lines_of(&path);
    let torn = lines
        .iter()
        .find(|line| !line.starts_with('<') || !line.ends_with('>'));
    assert_eq!(torn, None);
    let distinct: BTreeSet<&String> = lines.iter().collect();
    assert_eq!(
        (lines.len(), distinct.len()),
        (WRITERS * LINES, WRITERS * LINES)
    );
    // How often depends on how long the system lets one stand still that is at it; meanwhile the
    // others go on in the file it moves away.
    assert!(all_parts(&path).len() > 1, "it was never rotated");
}

#[test]
fn a_writer_that_slept_through_a_rotation_goes_on_in_the_new_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let limits = RotateLimits {
        shared: true,
        ..ALONE
    };
    let mut sleeper = RotatingFile::open(&path, limits);
    sleeper.append(b"before\n");
    let mut other = RotatingFile::open(&path, limits);
    other.append(&[b"x".repeat(98), b"\n".to_vec()].concat());
    sleeper.append(b"after\n");
    let newest = std::fs::read_to_string(&path).unwrap();
    assert!(newest.ends_with("after\n"), "{newest}");
    assert_eq!(lines_of(&path).len(), 3);
}

#[test]
fn a_rotation_somebody_else_holds_the_lock_of_is_not_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let mut log = RotatingFile::open(
        &path,
        RotateLimits {
            shared: true,
            ..ALONE
        },
    );
    let lock = File::open(&path).unwrap();
    lock.lock().unwrap();
    log.append(&[b"x".repeat(90), b"\n".to_vec()].concat());
    log.append(b"goes into the same file\n");
    assert_eq!(all_parts(&path).len(), 1);
    drop(lock);
    log.append(b"and this into the next\n");
    assert_eq!(all_parts(&path).len(), 2);
    assert_eq!(lines_of(&path).len(), 3);
}

#[cfg(target_os = "linux")]
#[test]
fn r42_a_full_disk_is_counted_told_and_survived() {
    let mut log = RotatingFile::open("/dev/full", ALONE);
    log.append(b"one\n");
    log.append(b"two\n");
    let told = log.faults().describe().unwrap();
    assert!(
        told.starts_with("full: 2 writes failed") && told.contains("No space"),
        "{told}"
    );
    assert_eq!(log.faults().lost(), 0);
}

#[test]
fn r42_a_missing_directory_is_survived_and_nothing_is_lost_when_it_returns() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("logs").join("log");
    let mut log = RotatingFile::open(&path, ALONE);
    log.append(b"one\n");
    assert!(log.faults().failed() >= 2);
    std::fs::create_dir(dir.path().join("logs")).unwrap();
    log.append(b"two\n");
    assert_eq!(lines_of(&path), ["one", "two"]);
}

#[test]
fn r48_a_batch_larger_than_a_file_is_spread_over_several() {
    let dir = tempfile::tempdir().unwrap();
    let limits = RotateLimits {
        max_bytes: 10,
        keep: 9,
        shared: false,
    };
    let mut file = RotatingFile::open(dir.path().join("log"), limits);
    file.append(b"aaa\nbbb\nccc\na line longer than a file\nd\n");
    let read = |name: &str| std::fs::read_to_string(dir.path().join(name)).unwrap();
    assert_eq!(read("log"), "d\n");
    assert_eq!(read("log.1"), "a line longer than a file\n");
    assert_eq!(read("log.2"), "ccc\n");
    assert_eq!(read("log.3"), "aaa\nbbb\n");
}
