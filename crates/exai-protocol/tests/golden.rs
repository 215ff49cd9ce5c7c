//! Old bytes are contracts. Every frame has a file here; files are only ever added to.
//!
//! * `frames/v1`: the predecessor's frames that we speak: decoding and encoding again gives
//!   the same values in the same order.
//! * `frames/v1.1`: the same for our additions.
//! * `frames/v2`: frames of predecessors that we only have to understand.
//!
//! `frames/index.txt` remembers each file's hash. `EXAI_GOLDEN_ADD=1` appends new files to
//! it; nothing rewrites a line of it.

#![expect(clippy::unwrap_used, reason = "a test's helpers are part of the test")]

mod reencode;

use exai_protocol::{
    call::{CallToolAck, CallToolRes, Partial, Progress},
    control::*,
    hello::{Hello, HelloAck, HelloFault},
    proof::{Proof, Prove},
    request::Request,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use std::{fs, io::Write as _, path::PathBuf};

/// Reads a frame as its receiver does and writes it as its sender does.
fn through(name: &str, text: &str) -> String {
    if name.starts_with("client_hello") {
        return Hello::decode(text)
            .unwrap_or_else(|fault| panic!("{name}: {fault:?}"))
            .encode();
    }
    if name.starts_with("client_prove") {
        return typed::<Prove>(name, text);
    }
    if name.starts_with("client_") {
        return Request::decode(text)
            .map(|request| reencode::request(&request).to_string())
            .unwrap_or_else(|bad| panic!("{name}: {}", bad.message));
    }
    let op = serde_json::from_str::<Value>(text).unwrap()["op"]
        .as_str()
        .unwrap()
        .to_owned();
    match op.as_str() {
        "proof" => typed::<Proof>(name, text),
        "hello_ack" => typed::<HelloAck>(name, text),
        "call_tool_ack" => typed::<CallToolAck>(name, text),
        "progress" => typed::<Progress>(name, text),
        "partial" => typed::<Partial>(name, text),
        "call_tool_res" => typed::<CallToolRes>(name, text),
        "error" => typed::<ErrorFrame>(name, text),
        "list_tools_res" => typed::<ListToolsRes>(name, text),
        "health_res" => typed::<HealthRes>(name, text),
        "rotate_token_res" => typed::<RotateTokenRes>(name, text),
        "cancel_res" => typed::<CancelRes>(name, text),
        "attach_res" => typed::<AttachRes>(name, text),
        "collect_res" => typed::<CollectRes>(name, text),
        "subscribe_res" => typed::<SubscribeRes>(name, text),
        "unsubscribe_res" => typed::<UnsubscribeRes>(name, text),
        "pong" => typed::<Pong>(name, text),
        "sessions_res" => typed::<SessionsRes>(name, text),
        "notify_res" => typed::<NotifyRes>(name, text),
        "mcp_res" => typed::<McpRes>(name, text),
        "shutdown_res" => typed::<ShutdownRes>(name, text),
        "notify" => typed::<Notify>(name, text),
        "tools_changed" => typed::<ToolsChanged>(name, text),
        "resources_changed" => typed::<ResourcesChanged>(name, text),
        "event" => typed::<EventFrame>(name, text),
        "lagged" => typed::<Lagged>(name, text),
        other => panic!("{name}: no type for op {other}"),
    }
}

fn typed<T: Serialize + DeserializeOwned>(name: &str, text: &str) -> String {
    let frame: T = serde_json::from_str(text).unwrap_or_else(|error| panic!("{name}: {error}"));
    serde_json::to_string(&frame).unwrap()
}

fn folder() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "frames"]
        .iter()
        .collect()
}

/// Name and text of every frame of a version.
fn frames(version: &str) -> Vec<(String, String)> {
    let mut frames: Vec<(String, String)> = fs::read_dir(folder().join(version))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap().replace("\r\n", "\n");
            (path.file_name().unwrap().to_str().unwrap().to_owned(), text)
        })
        .collect();
    frames.sort();
    assert!(!frames.is_empty());
    frames
}

/// Equal, in the same order; `240` and `240.0` are one number.
fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => left.as_f64() == right.as_f64(),
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .zip(right)
                    .all(|(left, right)| same(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .zip(right)
                    .all(|((a, left), (b, right))| a == b && same(left, right))
        }
        _ => left == right,
    }
}

#[test]
fn i08_every_frame_comes_back_as_it_was() {
    for version in ["v1", "v1.1"] {
        for (name, text) in frames(version) {
            let back = through(&name, text.trim_end());
            let (was, is) = (
                serde_json::from_str(&text).unwrap(),
                serde_json::from_str(&back).unwrap(),
            );
            assert!(same(&was, &is), "{version}/{name}\n was {text} is  {back}");
        }
    }
}

#[test]
fn i08_frames_of_predecessors_are_understood() {
    for (name, text) in frames("v2") {
        let back: Value = serde_json::from_str(&through(&name, text.trim_end())).unwrap();
        let was: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(back["op"], was["op"], "{name}");
        assert_eq!(back.get("request_id"), was.get("request_id"), "{name}");
    }
}

#[test]
fn i08_an_error_code_of_the_future_does_not_hide_the_result() {
    let text = r#"{"op":"call_tool_res","request_id":"r","outputs":[],"error":{"code":"BRAND_NEW","message":"m"}}"#;
    let frame: CallToolRes = serde_json::from_str(text).unwrap();
    assert_eq!(frame.error.unwrap().message, "m");
    assert_eq!(frame.outputs.unwrap().get(), "[]");
}

#[test]
fn i08_bad_frames_are_answered_in_v1s_words() {
    for (frame, message, id) in [
        ("nonsense", "invalid_json", None),
        ("", "invalid_json", None),
        (
            "[1]",
            "invalid_message: message must be a JSON object",
            None,
        ),
        (
            "\"hello\"",
            "invalid_message: message must be a JSON object",
            None,
        ),
        (
            "{}",
            "invalid_message: missing or invalid 'op' field (must be string)",
            None,
        ),
        (
            r#"{"op":7,"request_id":"r"}"#,
            "invalid_message: missing or invalid 'op' field (must be string)",
            Some("r"),
        ),
        (
            r#"{"op":"call_tool"}"#,
            "invalid_message: call_tool requires 'name' (non-empty string)",
            None,
        ),
        (
            r#"{"op":"call_tool","name":"","request_id":"r"}"#,
            "invalid_message: call_tool requires 'name' (non-empty string)",
            Some("r"),
        ),
        (
            r#"{"op":"call_tool","name":"a","request_id":1}"#,
            "invalid_message: request_id must be a string",
            None,
        ),
        (
            r#"{"op":"call_tool","name":"a","request_id":"r","arguments":[]}"#,
            "invalid_message: arguments must be a JSON object",
            Some("r"),
        ),
        (
            r#"{"op":"rotate_token","old":1,"new":"b"}"#,
            "invalid_message: rotate_token requires 'old' and 'new' (strings)",
            None,
        ),
        (
            r#"{"op":"dance","request_id":"r"}"#,
            "Unknown op: dance",
            Some("r"),
        ),
        (r#"{"op":"hello"}"#, "Unknown op: hello", None),
    ] {
        let bad = Request::decode(frame)
            .err()
            .unwrap_or_else(|| panic!("{frame} was taken"));
        assert_eq!(
            (
                bad.message.as_str(),
                bad.request_id.as_ref().map(|id| id.as_str())
            ),
            (message, id),
            "{frame}"
        );
    }
}

#[test]
fn i08_bad_hellos_are_told_apart() {
    let fault = |text: &str| Hello::decode(text).err().unwrap();
    assert!(matches!(fault("nonsense"), HelloFault::Invalid(_)));
    assert!(matches!(fault("[]"), HelloFault::Invalid(_)));
    assert_eq!(fault(r#"{"op":"list_tools"}"#), HelloFault::Missing);
    assert!(matches!(
        fault(r#"{"op":"hello","protocol":"2.0"}"#),
        HelloFault::UnsupportedProtocol(_)
    ));
}

#[test]
fn golden_files_are_only_added_to() {
    let path = folder().join("index.txt");
    let index = fs::read_to_string(&path)
        .unwrap_or_default()
        .replace("\r\n", "\n");
    let known: Vec<(&str, &str)> = index
        .lines()
        .filter_map(|line| line.split_once(' '))
        .collect();
    let now: Vec<(String, String)> = ["v1", "v1.1", "v2"]
        .into_iter()
        .flat_map(|version| {
            frames(version)
                .into_iter()
                .map(move |(name, text)| (format!("{version}/{name}"), hash(&text)))
        })
        .collect();
    for (file, hash) in &known {
        let found = now.iter().find(|(name, _)| name == file);
        let found =
            found.unwrap_or_else(|| panic!("{file} is gone; golden files are never removed"));
        assert_eq!(
            found.1, *hash,
            "{file} changed; golden files are never edited, add a new one"
        );
    }
    let fresh: Vec<String> = now
        .iter()
        .filter(|(name, _)| !known.iter().any(|(file, _)| file == name))
        .map(|(name, hash)| format!("{name} {hash}\n"))
        .collect();
    if std::env::var_os("EXAI_GOLDEN_ADD").is_some() {
        let mut opened = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .unwrap();
        opened.write_all(fresh.concat().as_bytes()).unwrap();
        return;
    }
    assert!(
        fresh.is_empty(),
        "run with EXAI_GOLDEN_ADD=1 to add:\n{}",
        fresh.concat()
    );
}

/// FNV-1a: this guards against accidents, not against forgers.
fn hash(text: &str) -> String {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
}

/// The schema of a frame names every field its golden files hold.
#[cfg(feature = "schema")]
#[test]
fn the_schema_knows_every_golden_field() {
    let schema = exai_protocol::schema::wire();
    for version in ["v1", "v1.1"] {
        for (name, text) in frames(version) {
            let frame: Value = serde_json::from_str(&text).unwrap();
            let side = if name.starts_with("client_") {
                "client_frame"
            } else {
                "daemon_frame"
            };
            let defs = schema["$defs"][side]["oneOf"].as_array().unwrap();
            let def = defs
                .iter()
                .filter_map(|one| schema.pointer(one["$ref"].as_str()?.strip_prefix('#')?))
                .find(|def| def["properties"]["op"]["const"] == frame["op"])
                .unwrap_or_else(|| panic!("{version}/{name}: its op is not in the schema"));
            for field in frame.as_object().unwrap().keys() {
                assert!(
                    def["properties"].get(field).is_some(),
                    "{version}/{name}: {field}"
                );
            }
            for field in def["required"].as_array().unwrap() {
                assert!(
                    frame.get(field.as_str().unwrap()).is_some(),
                    "{version}/{name}: {field}"
                );
            }
        }
    }
}
