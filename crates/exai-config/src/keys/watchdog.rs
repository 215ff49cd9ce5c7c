//! The rows about the watchdog: what counts as standing still, and as growing without end.

use super::{DAY, GIB, KIB, Key, Kind, Reader::Daemon, key};

/// In the order of the generated files.
pub(super) const KEYS: &[Key] = &[
    key(
        "watchdog.stall_secs",
        &["EXAI_WATCHDOG_STALL_SECS"],
        "5",
        Daemon,
        Kind::Seconds {
            min: 0.1,
            max: 3600.0,
            set: |s, v| s.watchdog.stall = v,
        },
        "An event loop that does not answer for so long is recorded, with the calls that run.",
    ),
    key(
        "watchdog.restart_secs",
        &["EXAI_WATCHDOG_RESTART_SECS"],
        "300",
        Daemon,
        Kind::MaybeSeconds {
            min: 0.5,
            max: DAY,
            set: |s, v| s.watchdog.restart = v,
        },
        "An event loop that does not answer for so long never will: the daemon ends itself, and its shims start another. Empty: never.",
    ),
    key(
        "watchdog.quiet_call_secs",
        &["EXAI_WATCHDOG_CALL_SECS"],
        "60",
        Daemon,
        Kind::Seconds {
            min: 0.2,
            max: DAY,
            set: |s, v| s.watchdog.quiet_call = v,
        },
        "A call that gives no sign of life for so long is recorded.",
    ),
    key(
        "watchdog.writer_secs",
        &["EXAI_WATCHDOG_WRITER_SECS"],
        "30",
        Daemon,
        Kind::Seconds {
            min: 0.2,
            max: DAY,
            set: |s, v| s.watchdog.writer = v,
        },
        "A writer of the record or the database that works on the same for so long is recorded.",
    ),
    key(
        "watchdog.growth_secs",
        &["EXAI_WATCHDOG_GROWTH_SECS"],
        "1800",
        Daemon,
        Kind::Seconds {
            min: 1.0,
            max: DAY,
            set: |s, v| s.watchdog.window = v,
        },
        "Growth is measured over this time.",
    ),
    key(
        "watchdog.memory_growth",
        &["EXAI_WATCHDOG_MEMORY_GROWTH"],
        "512 MiB",
        Daemon,
        Kind::Bytes {
            min: 64 * KIB,
            max: 1024 * GIB,
            set: |s, v| s.watchdog.memory_growth = v,
        },
        "Memory that grows steadily by more than this in that time is recorded.",
    ),
    key(
        "watchdog.descriptor_growth",
        &["EXAI_WATCHDOG_DESCRIPTOR_GROWTH"],
        "1000",
        Daemon,
        Kind::Whole {
            min: 1,
            max: 1_000_000,
            set: |s, v| s.watchdog.descriptor_growth = v,
        },
        "Open descriptors that grow steadily by more than this in that time are recorded.",
    ),
];
