//! Where fuzzing begins: every golden frame, every golden stream of a model's provider, the
//! shapes of MCP's lines, and a few shapes that have broken parsers before.

use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// The seeds.
///
/// # Errors
/// When the golden files cannot be read.
pub fn seeds() -> std::io::Result<Vec<Vec<u8>>> {
    let mut seeds: Vec<Vec<u8>> = HOSTILE
        .iter()
        .map(|seed| seed.as_bytes().to_vec())
        .collect();
    seeds.push(vec![b'['; 200]);
    seeds.push(b"{\"a\":".repeat(200));
    seeds.push(b"\xff\xfe{}".to_vec());
    for version in ["v1", "v1.1", "v2"] {
        let folder = golden("exai-protocol", &["tests", "frames", version]);
        for file in files(&folder)? {
            seeds.push(fs::read(file)?);
        }
    }
    for file in files(&golden("exai-llm", &["tests", "golden", "streams"]))? {
        let fixture: Value = serde_json::from_slice(&fs::read(file)?)?;
        let lines = fixture["body"].as_array().into_iter().flatten();
        let lines: Vec<&str> = lines.filter_map(Value::as_str).collect();
        seeds.push(lines.join("\n").into_bytes());
    }
    Ok(seeds)
}

fn golden(package: &str, below: &[&str]) -> PathBuf {
    let mut path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "..", "crates", package]
        .iter()
        .collect();
    path.extend(below);
    path
}

fn files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    files.sort();
    Ok(files)
}

const HOSTILE: [&str; 16] = [
    "",
    "null",
    "\"\\ud800\"",
    "\"\\u0000\"",
    "{\"op\":\"call_tool\",\"name\":\"a\",\"arguments\":{\"a\":1,\"a\":2}}",
    "{\"op\":\"call_tool\",\"name\":\"a\",\"arguments\":1e999}",
    "{\"op\":\"collect\",\"request_id\":\"r\",\"offset\":-1}",
    "{\"op\":\"hello\",\"op\":\"hello\"}",
    "{\"OP\":\"hello\"}",
    "{\"op\":\"hello\",\"protocol\":\"1\",\"client\":{\"pid\":4294967296}}",
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-06-18\",\"capabilities\":{},\"clientInfo\":{\"name\":\"x\",\"version\":\"1\"}}}",
    "{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"method\":\"tools/call\",\"params\":{\"name\":\"chat\",\"arguments\":{},\"_meta\":{\"progressToken\":1}}}",
    "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":1,\"reason\":\"timed out\"}}",
    "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}]",
    "{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"ping\"}",
    "{\"jsonrpc\":\"2.0\",\"id\":1.5,\"method\":7}\r\n\r\n{}",
];
