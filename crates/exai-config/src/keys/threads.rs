//! The rows about conversations: how long they are kept and how large they may grow.

use super::{DAY, GIB, Key, Kind, Reader::Daemon, key};

/// In the order of the generated files.
pub(super) const KEYS: &[Key] = &[
    key(
        "threads.keep_secs",
        &["EXAI_THREADS_KEEP_SECS"],
        "7776000",
        Daemon,
        Kind::Seconds {
            min: 1.0,
            max: 3650.0 * DAY,
            set: |s, v| s.threads.keep = v,
        },
        "A conversation that is not used for so long is removed (90 days).",
    ),
    key(
        "threads.max_turns",
        &["EXAI_THREADS_MAX_TURNS", "MAX_CONVERSATION_TURNS"],
        "1000",
        Daemon,
        Kind::Whole {
            min: 1,
            max: 1_000_000,
            set: |s, v| s.threads.turns = u32::try_from(v).unwrap_or(u32::MAX),
        },
        "Turns of one conversation; a full one says so and can still be read.",
    ),
    key(
        "threads.max_bytes",
        &["EXAI_THREADS_MAX_BYTES"],
        "512 MiB",
        Daemon,
        Kind::Bytes {
            min: 4096,
            max: 64 * GIB,
            set: |s, v| s.threads.bytes = v,
        },
        "Bytes of all conversations; the one unused longest makes room. One may take a quarter.",
    ),
];
