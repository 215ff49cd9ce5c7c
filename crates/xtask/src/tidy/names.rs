//! Some crates may be named in one room only: whoever else wants what they do asks that room.

use crate::{
    fault::Fault,
    source::{self, Source},
};

/// A crate's name in code, and the beginnings of the paths that may use it.
const ROOMS: [(&str, &[&str]); 9] = [
    ("rmcp", &["crates/exai-shim/"]),
    (
        "tokio_tungstenite",
        &[
            "crates/exai-server/",
            "crates/exai-client/",
            "crates/exai-testkit/",
            "tests/",
            // The bare echo server and the bare peer that the bench compares us with.
            "crates/exai-daemon/src/bench/",
        ],
    ),
    ("dotenvy", &["crates/exai-config/"]),
    (
        "sysinfo",
        &[
            "crates/exai-telemetry/",
            // There the parent can only be watched by looking it up.
            "crates/exai-shim/src/lifecycle/windows.rs",
        ],
    ),
    ("tracing_appender", &["crates/exai-telemetry/"]),
    ("clap", &["crates/exai-daemon/", "crates/exai-torture/"]),
    ("schemars", &["crates/exai-protocol/"]),
    ("rusqlite", &["crates/exai-store/"]),
    ("reqwest", &["crates/exai-llm/src/http/"]),
];

pub(super) fn check(sources: &[Source], faults: &mut Vec<Fault>) {
    for source in sources {
        for (name, rooms) in ROOMS {
            if rooms.iter().any(|room| source.path.starts_with(room)) {
                continue;
            }
            for (line, code) in source.code_lines() {
                if source::find_word(code, name).is_some() {
                    faults.push(Fault::new(
                        &source.path,
                        line,
                        format!("names '{name}', which belongs to {}", rooms.join(", ")),
                        "ask that crate for what is needed instead",
                    ));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_named_outside_its_room_is_a_fault() {
        let mut faults = Vec::new();
        let sources = [
            Source::new("crates/exai-shim/src/a.rs", "use rmcp::x;"),
            Source::new("crates/exai-daemon/src/a.rs", "// rmcp\nuse rmcp::x;"),
        ];
        check(&sources, &mut faults);
        assert_eq!(faults.len(), 1);
        assert_eq!(
            (faults[0].line, faults[0].file.to_str()),
            (2, Some("crates/exai-daemon/src/a.rs"))
        );
    }
}
