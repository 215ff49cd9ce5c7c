//! The files of a home, as an outsider reads them.

use crate::{Must as _, Sandbox};
use serde_json::Value;
use std::{fs, path::PathBuf};

impl Sandbox {
    /// A file of `logs/`.
    #[must_use]
    pub fn log_path(&self, name: &str) -> PathBuf {
        self.home().join("logs").join(name)
    }

    /// A file of `.exai/run/`.
    #[must_use]
    pub fn run_path(&self, name: &str) -> PathBuf {
        self.home().join(".exai").join("run").join(name)
    }

    /// The text of a log; empty while it is not there.
    #[must_use]
    pub fn log(&self, name: &str) -> String {
        fs::read(self.log_path(name))
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// The whole lines of a `.jsonl` log; a line that is no JSON ends the test.
    #[must_use]
    pub fn jsonl(&self, name: &str) -> Vec<Value> {
        let text = self.log(name);
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole
            .lines()
            .map(|line| {
                serde_json::from_str(line).must(format_args!("read this line of {name}: {line:?}"))
            })
            .collect()
    }

    /// `tool_calls_all.jsonl`.
    #[must_use]
    pub fn calls(&self) -> Vec<Value> {
        self.jsonl("tool_calls_all.jsonl")
    }

    /// `tool_failures.jsonl`.
    #[must_use]
    pub fn failures(&self) -> Vec<Value> {
        self.jsonl("tool_failures.jsonl")
    }

    /// The records of one call in `tool_calls_all.jsonl`.
    #[must_use]
    pub fn records_of(&self, request_id: &str) -> Vec<Value> {
        self.calls()
            .into_iter()
            .filter(|record| record["request_id"] == request_id)
            .collect()
    }

    /// `ws_daemon.health.json`, while there is a whole one.
    #[must_use]
    pub fn health(&self) -> Option<Value> {
        serde_json::from_str(&self.log("ws_daemon.health.json")).ok()
    }

    /// The endpoint record, while there is one.
    #[must_use]
    pub fn endpoint(&self) -> Option<Value> {
        let text = fs::read_to_string(self.run_path("endpoint.json")).ok()?;
        serde_json::from_str(&text).ok()
    }

    /// The daemon's process, as the endpoint record names it.
    #[must_use]
    pub fn daemon_pid(&self) -> Option<u32> {
        u32::try_from(self.endpoint()?["pid"].as_u64()?).ok()
    }

    /// The token, while there is one.
    #[must_use]
    pub fn token(&self) -> Option<String> {
        let text = fs::read_to_string(self.run_path("token")).ok()?;
        Some(text.trim().to_owned()).filter(|token| !token.is_empty())
    }

    /// How often `test_count` ran with this file, by the lines it left.
    #[must_use]
    pub fn counted(&self, file: &str) -> usize {
        fs::read_to_string(self.work().join(file)).map_or(0, |text| text.lines().count())
    }
}
