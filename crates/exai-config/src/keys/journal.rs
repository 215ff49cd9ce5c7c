//! The rows about the journal: what is kept of calls, how safely, and for how long.

use super::{DAY, GIB, Key, Kind, Reader::Daemon, key};

/// In the order of the generated files.
pub(super) const KEYS: &[Key] = &[
    key(
        "journal.enabled",
        &["EXAI_JOURNAL"],
        "true",
        Daemon,
        Kind::Switch {
            set: |s, v| s.journal.enabled = v,
        },
        "Whether calls are written to the daemon's database before they run and before they are \
         answered, so that no death of a process loses one. Tools that answer at once need no entry.",
    ),
    key(
        "journal.sync",
        &["EXAI_JOURNAL_SYNC"],
        "1",
        Daemon,
        Kind::SecondsOrEach {
            max: 3600.0,
            set: |s, v| s.journal.sync = v,
        },
        "How much power loss may take, at most: the database is brought to the disk itself this \
         often. `full`: at every record. The death of a process never takes anything.",
    ),
    key(
        "journal.result_ttl_secs",
        &["EXAI_JOURNAL_RESULT_TTL"],
        "86400",
        Daemon,
        Kind::Seconds {
            min: 0.0,
            max: 365.0 * DAY,
            set: |s, v| s.journal.results_for = v,
        },
        "How long a journaled result can still be collected, also from a later daemon.",
    ),
    key(
        "journal.result_bytes",
        &["EXAI_JOURNAL_RESULT_BYTES"],
        "1 GiB",
        Daemon,
        Kind::Bytes {
            min: 0,
            max: 1024 * GIB,
            set: |s, v| s.journal.result_bytes = v,
        },
        "Bytes of journaled results; beyond it the oldest go.",
    ),
    key(
        "journal.largest_result",
        &["EXAI_JOURNAL_LARGEST_RESULT"],
        "256 MiB",
        Daemon,
        Kind::Bytes {
            min: 0,
            max: 64 * GIB,
            set: |s, v| s.journal.largest_result = v,
        },
        "A larger result is not journaled: it can be collected from this daemon only.",
    ),
    key(
        "journal.left_secs",
        &["EXAI_JOURNAL_LEFT_SECS"],
        "3600",
        Daemon,
        Kind::Seconds {
            min: 0.0,
            max: 365.0 * DAY,
            set: |s, v| s.journal.left_for = v,
        },
        "A client that stopped waiting and makes the same call again within this time gets the \
         result of the first, once. 0: never.",
    ),
    key(
        "journal.calls_secs",
        &["EXAI_JOURNAL_CALLS_SECS"],
        "2592000",
        Daemon,
        Kind::Seconds {
            min: 0.0,
            max: 3650.0 * DAY,
            set: |s, v| s.journal.calls_for = v,
        },
        "How long it is known that a call was made: so long no late retry runs it again.",
    ),
    key(
        "journal.calls",
        &["EXAI_JOURNAL_CALLS"],
        "200000",
        Daemon,
        Kind::Whole {
            min: 1,
            max: 100_000_000,
            set: |s, v| s.journal.calls = v,
        },
        "Calls that are known at most; beyond it the oldest go.",
    ),
];
