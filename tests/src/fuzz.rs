//! Fuzz targets: each takes any bytes, and panics when a promise about them does not hold.

pub mod corpus;
pub mod frames;
pub mod lines;
pub mod mutate;
pub mod scan;
pub mod streams;

/// One target.
pub type Target = fn(&[u8]);

/// All of them by name, as `tests/fuzz/fuzz_targets` has them.
pub const TARGETS: [(&str, Target); 7] = [
    ("request", frames::request),
    ("daemon_frame", frames::daemon_frame),
    ("scan", scan::scan),
    ("lines", lines::lines),
    ("sse", streams::sse),
    ("ndjson", streams::ndjson),
    ("answer", streams::answer),
];
