//! Diagnostics land in the file in the documented form, bounded, one line each.

use super::*;
use crate::{RotateLimits, RotatingFile};
use std::path::Path;

const LIMITS: RotateLimits = RotateLimits {
    max_bytes: 1 << 20,
    keep: 1,
    shared: true,
};

/// What the file holds after `speak` has spoken at that level.
fn spoken(level: &str, lines: Lines, speak: impl FnOnce()) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ws.log");
    let file = SharedFile::new(RotatingFile::open(&path, LIMITS));
    let (writer, guard) = writer(file, 64);
    tracing::subscriber::with_default(subscriber(writer, level, lines), speak);
    assert_eq!(guard.faults(), Vec::<String>::new());
    drop(guard);
    read(&path)
}

fn read(path: &Path) -> Vec<String> {
    std::fs::read_to_string(path)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_form_is_time_level_target_message_fields() {
    let lines = spoken("info", Lines { pid: None }, || {
        tracing::info!(target: "exai_daemon", port = 8765, home = "/a b", "listening");
        tracing::warn!(target: "exai_daemon", "half\nand\u{1b}[0m half");
        tracing::debug!(target: "exai_daemon", "not at this level");
    });
    assert_eq!(lines.len(), 2);
    let (time, rest) = lines[0].split_at(crate::utc::STAMP_LEN);
    assert!(
        time.starts_with("20") && time.as_bytes()[10] == b' ',
        "{time}"
    );
    assert_eq!(rest, " INFO exai_daemon: listening port=8765 home=\"/a b\"");
    assert!(
        lines[1].ends_with(" WARNING exai_daemon: half\\nand\\u001b[0m half"),
        "{}",
        lines[1]
    );
}

#[test]
fn a_shims_lines_carry_its_pid() {
    let lines = spoken("info", Lines { pid: Some(77) }, || {
        tracing::error!(target: "exai_shim", "gone");
    });
    assert!(
        lines[0].ends_with(" ERROR exai_shim[77]: gone"),
        "{lines:?}"
    );
}

#[test]
fn the_mcp_library_is_quiet_unless_something_is_wrong() {
    let speak = || {
        tracing::info!(target: "rmcp::service", "chatter");
        tracing::warn!(target: "rmcp::service", "trouble");
        tracing::info!(target: "exai", "ours");
    };
    assert_eq!(spoken("debug", Lines { pid: None }, speak).len(), 2);
    assert_eq!(spoken("error", Lines { pid: None }, speak).len(), 0);
    assert_eq!(spoken("no such level", Lines { pid: None }, speak).len(), 2);
}

#[test]
fn s13_long_and_hostile_values_stay_one_bounded_line() {
    let lines = spoken("info", Lines { pid: None }, || {
        let evil = "x\ny".repeat(10_000);
        tracing::info!(target: "t", evil = evil.as_str(), ?evil, "{evil}");
    });
    assert_eq!(lines.len(), 1);
    assert!(lines[0].len() < 40_000, "{}", lines[0].len());
}

#[test]
fn dropped_lines_are_counted_and_told() {
    let dir = tempfile::tempdir().unwrap();
    let file = SharedFile::new(RotatingFile::open(dir.path().join("log"), LIMITS));
    let blocker = file.clone();
    let (writer, guard) = writer(file, 4);
    blocker.while_held(|| {
        tracing::subscriber::with_default(subscriber(writer, "info", Lines { pid: None }), || {
            (0..50).for_each(|number| tracing::info!("line {number}"));
        });
    });
    // The worker may hold one line in its hands, the queue four.
    assert!(
        (45..=50).contains(&guard.dropped_lines()),
        "{}",
        guard.dropped_lines()
    );
    assert!(
        guard.faults()[0].contains("dropped"),
        "{:?}",
        guard.faults()
    );
}
