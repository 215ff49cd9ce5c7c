//! The protocol is words and the engine opens nothing: no socket, no file, no process, no
//! clock of its own. That is why their tests run whole days in milliseconds.

use crate::{
    cargo::{Graph, Kind},
    fault::Fault,
    source::Source,
};

const PURE: [&str; 2] = ["crates/exai-protocol/src/", "crates/exai-engine/src/"];

/// Doors to the world.
const DOORS: [&str; 9] = [
    "std::fs",
    "std::net",
    "std::process",
    "std::env",
    "std::time::SystemTime",
    "tokio::net",
    "tokio::fs",
    "tokio::process",
    "tokio::signal",
];

/// What the protocol may be made of.
const PROTOCOL_MADE_OF: [&str; 6] = [
    "serde",
    "serde_json",
    "thiserror",
    "schemars",
    // The proof is a computation like any other.
    "hmac",
    "sha2",
];

/// Features of tokio that open something.
const OPENING_FEATURES: [&str; 6] = ["net", "fs", "process", "signal", "io-std", "full"];

/// Crates that open something, wherever they hide in the engine's manifest.
const OPENING_CRATES: [&str; 4] = ["reqwest", "rusqlite", "rmcp", "tokio-tungstenite"];

pub(super) fn check(graph: &Graph, sources: &[Source], faults: &mut Vec<Fault>) {
    check_manifests(graph, faults);
    for source in sources
        .iter()
        .filter(|source| PURE.iter().any(|pure| source.path.starts_with(pure)))
    {
        for (line, door) in doors(source) {
            faults.push(Fault::new(
                &source.path,
                line,
                format!("uses {door}; this crate opens nothing"),
                "take the value as an argument, or add a port that an adapter implements",
            ));
        }
    }
}

fn doors(source: &Source) -> Vec<(usize, String)> {
    let opens = |path: &str| {
        DOORS
            .iter()
            .any(|door| path == *door || path.starts_with(&format!("{door}::")))
    };
    let mut found: Vec<(usize, String)> = source
        .imports()
        .into_iter()
        .filter(|(_, path)| opens(path))
        .collect();
    for (line, code) in source.code_lines() {
        // `SystemTime` alone counts: however it was imported, it is a clock.
        let named = DOORS
            .iter()
            .find(|door| code.contains(&format!("{door}::")));
        let clock = code
            .contains("SystemTime")
            .then_some(&"std::time::SystemTime");
        if let Some(door) = named.or(clock)
            && !found.iter().any(|(known, _)| *known == line)
        {
            found.push((line, (*door).to_owned()));
        }
    }
    found
}

fn check_manifests(graph: &Graph, faults: &mut Vec<Fault>) {
    for package in &graph.ours {
        for dependency in package
            .dependencies
            .iter()
            .filter(|dependency| dependency.kind == Kind::Normal)
        {
            let name = dependency.name.as_str();
            let what = match package.name.as_str() {
                "exai-protocol" if !PROTOCOL_MADE_OF.contains(&name) => {
                    format!("exai-protocol must not depend on '{name}': it is words only")
                }
                "exai-engine" if OPENING_CRATES.contains(&name) => {
                    format!("exai-engine must not depend on '{name}': it opens nothing")
                }
                "exai-engine" if name == "tokio" => {
                    let opening = dependency
                        .features
                        .iter()
                        .find(|f| OPENING_FEATURES.contains(&f.as_str()));
                    let Some(feature) = opening else { continue };
                    format!("exai-engine must not use tokio's '{feature}': it opens nothing")
                }
                _ => continue,
            };
            faults.push(Fault::new(
                &package.manifest,
                1,
                what,
                "put it behind a port, in a crate above",
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<usize> {
        doors(&Source::new("crates/exai-engine/src/a.rs", text))
            .into_iter()
            .map(|(line, _)| line)
            .collect()
    }

    #[test]
    fn every_way_to_a_door_is_seen() {
        assert_eq!(lines("use std::{\n    io,\n    fs,\n};"), [1]);
        assert_eq!(lines("fn a() {\n    std::fs::read(\"x\");\n}"), [2]);
        assert_eq!(lines("use std::time::{Duration, SystemTime};"), [1]);
        assert_eq!(
            lines("use std::fs::File;\nuse tokio::net::TcpStream as T;"),
            [1, 2]
        );
    }

    #[test]
    fn what_opens_nothing_is_fine() {
        assert!(
            lines("//! opens no std::fs::File\nuse std::{fmt, sync::Arc};\nuse tokio::time;")
                .is_empty()
        );
    }
}
