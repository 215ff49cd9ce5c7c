//! The proof finds what it must and nothing else.

use super::*;

const TIME: &str = "2025-11-21 02:48:00 INFO calls:";

struct Log(tempfile::TempDir);

impl Log {
    fn new(parts: &[(&str, &[&str])]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for (name, lines) in parts {
            let mut log = crate::RotatingFile::open(
                dir.path().join(name),
                crate::RotateLimits {
                    max_bytes: u64::MAX,
                    keep: 1,
                    shared: false,
                },
            );
            for line in *lines {
                log.append(format!("{line}\n").as_bytes());
            }
        }
        Self(dir)
    }

    fn one(lines: &[String]) -> Self {
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        Self::new(&[("ws_daemon.log", &lines)])
    }

    fn check(&self, living: &[&str]) -> Report {
        let lives = |boot: &str| living.contains(&boot);
        check(&self.0.path().join("ws_daemon.log"), lives).unwrap()
    }
}

fn boot(id: &str) -> String {
    format!("{TIME} boot boot={id} pid=1 version=0.1.0")
}

fn shutdown(id: &str) -> String {
    format!("{TIME} shutdown boot={id}")
}

fn received(id: &str) -> String {
    format!("{TIME} received call={id} id={id} session=s client=c tool=chat args=1B sha=x")
}

fn finished(id: &str) -> String {
    format!(
        "{TIME} finished call={id} id={id} session=s client=c tool=chat outcome=ok queue=0ms bytes=1"
    )
}

fn ids(calls: &[OpenCall]) -> Vec<&str> {
    calls.iter().map(|call| call.request_id.as_str()).collect()
}

#[test]
fn r40_a_log_where_every_call_ends_once_is_clean() {
    let log = Log::one(&[
        boot("a"),
        received("1"),
        "2025-11-21 02:48:00 INFO exai_daemon: something else, id=1".to_owned(),
        received("2"),
        finished("2"),
        finished("1"),
        shutdown("a"),
        // Numbers begin anew with each boot.
        boot("b"),
        received("1"),
        finished("1"),
        shutdown("b"),
    ]);
    let report = log.check(&[]);
    assert!(report.is_clean(), "{report:?}");
    assert_eq!((report.boots, report.received, report.finished), (2, 3, 3));
    assert!(report.open.is_empty() && report.interrupted.is_empty());
}

#[test]
fn r40_calls_open_at_a_killed_boots_end_are_interrupted_and_in_a_running_one_open() {
    let lines = [
        boot("a"),
        received("1"),
        received("2"),
        finished("2"),
        boot("b"),
        received("3"),
    ];
    let log = Log::one(&lines);
    let report = log.check(&["b"]);
    assert!(report.is_clean());
    assert_eq!(
        (ids(&report.interrupted), ids(&report.open)),
        (vec!["1"], vec!["3"])
    );
    assert_eq!(report.interrupted[0].boot, "a");
    let report = log.check(&[]);
    assert_eq!(
        (ids(&report.interrupted), ids(&report.open)),
        (vec!["1", "3"], vec![])
    );
    let json = report.to_json();
    assert_eq!(json["clean"], true);
    assert_eq!(json["interrupted"][1]["request_id"], "3");
}

#[test]
fn r40_every_broken_promise_is_named_with_its_line() {
    let log = Log::one(&[
        boot("a"),
        received("1"),
        finished("1"),
        finished("1"),
        finished("2"),
        received("3"),
        received("3"),
        finished("3"),
        received("4"),
        shutdown("a"),
    ]);
    let report = log.check(&[]);
    let found: Vec<(u64, &str)> = report
        .violations
        .iter()
        .map(|v| (v.line, v.fault))
        .collect();
    assert_eq!(
        found,
        [
            (4, "finished twice"),
            (5, "finished and never received"),
            (7, "received twice"),
            (10, "without an end in a daemon that ended in order"),
        ]
    );
    assert!(!report.is_clean());
    assert_eq!(
        report.to_json()["violations"][0]["call"],
        "call=1 session=s id=1"
    );
}

#[test]
fn rotated_parts_are_read_in_order_and_a_cut_beginning_is_no_fault() {
    let log = Log::new(&[
        ("ws_daemon.log.10", &[&finished("0"), &received("1")]),
        (
            "ws_daemon.log.2",
            &[&finished("1"), &boot("b"), &received("2")],
        ),
        ("ws_daemon.log.1", &[&finished("2"), &received("3")]),
        ("ws_daemon.log", &[&finished("3")]),
        ("ws_daemon.log.lock", &[&finished("9")]),
    ]);
    let report = log.check(&["b"]);
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(
        (report.files.len(), report.before_the_log, report.received),
        (4, 1, 3)
    );
}

#[test]
fn torn_unfinished_and_foreign_lines_do_not_disturb_the_proof() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ws_daemon.log");
    let limits = crate::RotateLimits {
        max_bytes: u64::MAX,
        keep: 1,
        shared: false,
    };
    let mut log = crate::RotatingFile::open(&path, limits);
    let torn = format!("{TIME} received call=1 id=1 session=s tool=chat ~torn");
    for line in [boot("a"), torn, received("1"), finished("1")] {
        log.append(format!("{line}\n").as_bytes());
    }
    log.append(b"\xff\xfe\0garbage\n");
    log.append(&[b"x".repeat(3 << 20), b"\n".to_vec()].concat());
    log.append(received("2").as_bytes());
    let report = check(&path, |_| true).unwrap();
    assert!(report.is_clean(), "{report:?}");
    assert_eq!((report.received, report.finished, report.torn), (1, 1, 1));
}

#[test]
fn no_log_yet_proves_nothing_and_is_clean() {
    let report = Log::new(&[]).check(&[]);
    assert!(report.is_clean() && report.files.is_empty());
}

/// A line that says of which boot it is.
fn of(line: String, boot: &str) -> String {
    format!("{line} boot={boot}")
}

#[test]
fn r44_two_boots_that_write_side_by_side_are_told_apart() {
    let heir = format!("{} after=a", boot("b"));
    let lines = [
        boot("a"),
        of(received("1"), "a"),
        of(received("2"), "a"),
        heir,
        of(received("1"), "b"),
        of(finished("1"), "a"),
        of(finished("1"), "b"),
        of(finished("2"), "a"),
        shutdown("a"),
        of(received("2"), "b"),
    ];
    for written in 0..=lines.len() {
        let report = Log::one(&lines[..written]).check(&["a", "b"]);
        assert!(report.is_clean(), "{written}: {report:?}");
        assert!(report.interrupted.is_empty(), "{written}: {report:?}");
    }
    assert_eq!(
        ids(&Log::one(&lines[..5]).check(&["a", "b"]).open),
        ["1", "2", "1"]
    );
    assert_eq!(ids(&Log::one(&lines).check(&["a", "b"]).open), ["2"]);
    // The one that gave its home away was killed over its calls; its heir goes on.
    let report = Log::one(&lines[..5]).check(&["b"]);
    assert_eq!(
        (ids(&report.interrupted), ids(&report.open)),
        (vec!["1", "2"], vec!["1"])
    );
    // Both were: nobody is left who could end it.
    let report = Log::one(&lines[..5]).check(&[]);
    assert_eq!(
        (ids(&report.interrupted), report.open.len()),
        (vec!["1", "2", "1"], 0)
    );
    // A second end is one, whoever is the newest.
    let twice = [&lines[..8], &[of(finished("2"), "a")]].concat();
    let report = Log::one(&twice).check(&["a", "b"]);
    assert_eq!(report.violations[0].fault, "finished twice");
}
