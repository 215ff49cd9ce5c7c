//! One endpoint, as `config/providers.toml` describes it.

use super::{CommandSpec, FileDoor, KeyRef};
use crate::dialect::{Dialect, Quirks};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Where models are served.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// For people.
    pub title: String,
    /// How it is spoken to.
    pub dialect: Dialect,
    /// Where requests go; absent where only a person can say.
    pub base_url: Option<String>,
    /// Variables that may say otherwise, best first.
    #[serde(default)]
    pub base_url_env: Vec<String>,
    /// What holds the key; absent where none is needed.
    pub key: Option<KeyRef>,
    /// A key is used where there is one, and not missed where there is none.
    #[serde(default)]
    pub key_optional: bool,
    /// Whether it is used as soon as it can be. Local servers are offered first, and used
    /// once a person says so.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Whether unencrypted requests may leave this machine.
    #[serde(default)]
    pub allow_http: bool,
    /// Sent with every request; keys have no place here.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Headers whose value a variable holds, sent when it is set.
    #[serde(default)]
    pub header_env: BTreeMap<String, String>,
    /// Where the list of models is, after the base URL.
    pub models_path: Option<String>,
    /// For the dialect `cli`: what is run.
    pub command: Option<CommandSpec>,
    /// Where it takes files and gives their text, if it does.
    pub files: Option<FileDoor>,
    /// Where it is documented.
    pub docs: Option<String>,
    /// If not empty, only these models; a `*` at the end stands for any rest.
    #[serde(default)]
    pub allow_models: Vec<String>,
    /// Never these.
    #[serde(default)]
    pub deny_models: Vec<String>,
    /// How much at once.
    #[serde(default)]
    pub limits: Limits,
    /// How long.
    #[serde(default)]
    pub timeouts: Timeouts,
    /// Where it differs from its dialect.
    #[serde(default)]
    pub quirks: Quirks,
}

fn yes() -> bool {
    true
}

impl Endpoint {
    /// Whether this endpoint's lists let the model through.
    #[must_use]
    pub fn allows(&self, model: &str) -> bool {
        let named = |list: &[String]| {
            list.iter().any(|entry| match entry.strip_suffix('*') {
                Some(start) => model.starts_with(start),
                None => entry == model,
            })
        };
        !named(&self.deny_models) && (self.allow_models.is_empty() || named(&self.allow_models))
    }
}

/// How much may be asked at once. What is absent is learned from headers or not limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Requests under way.
    pub concurrency: u32,
    /// Requests begun in a minute.
    pub requests_per_minute: Option<u32>,
    /// Tokens in a minute.
    pub tokens_per_minute: Option<u64>,
    /// Times a request is repeated before its first delta.
    pub retries: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            concurrency: 8,
            requests_per_minute: None,
            tokens_per_minute: None,
            retries: 2,
        }
    }
}

/// How long may be waited. There is no total: the call's deadline is that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Timeouts {
    /// For a connection.
    pub connect_ms: u64,
    /// From the request to the first event of its answer.
    pub first_event_ms: u64,
    /// Between two events; comments that keep a connection alive are none.
    pub idle_ms: u64,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect_ms: 10_000,
            first_event_ms: 120_000,
            idle_ms: 90_000,
        }
    }
}
