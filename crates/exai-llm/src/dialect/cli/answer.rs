//! How what a command line prints is read, as data: one table of rules fits every agent that
//! prints JSON, and a new one needs no code.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How an answer is read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AnswerFormat {
    /// What is printed.
    pub format: AnswerKind,
    /// What a JSON text means; all rules that fit are applied, in this order.
    pub events: Vec<AnswerRule>,
}

/// What is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AnswerKind {
    /// The answer, and nothing else.
    #[default]
    Text,
    /// One JSON text.
    Json,
    /// One JSON text a line; lines that are none are passed over.
    JsonLines,
}

/// What one kind of event means. A path is field names with dots between them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AnswerRule {
    /// Fits where all these paths hold these words; empty fits everything.
    pub when: BTreeMap<String, String>,
    /// Path of more of the answer.
    pub text: Option<String>,
    /// Path of a message that stands by itself: a second one is set apart from the first.
    pub message: Option<String>,
    /// Path of the answer as a whole, taken where nothing of it came before.
    pub whole: Option<String>,
    /// Path of more of the thoughts.
    pub reasoning: Option<String>,
    /// Path of the session's name, to go on with it later.
    pub session: Option<String>,
    /// Path of the reason why it stopped.
    pub reason: Option<String>,
    /// Paths of the counts.
    pub usage: Option<UsagePaths>,
    /// Path of what went wrong: nothing more will come.
    pub error: Option<String>,
    /// Path of a trouble it may get over by itself; told only if it does not.
    pub complaint: Option<String>,
    /// Whether this is the end. Where no rule has it, the end of the output is.
    pub done: bool,
}

/// Where counts are. Several paths are added up: what we call input includes what was cached.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UsagePaths {
    /// Tokens read, cached ones included.
    pub input: Vec<String>,
    /// Of these, read from a cache.
    pub cached: Vec<String>,
    /// Of these, written to a cache.
    pub cache_written: Vec<String>,
    /// Tokens written, thoughts included.
    pub output: Vec<String>,
    /// Of these, thought.
    pub reasoning: Vec<String>,
    /// Whether the counts are of one step, and the steps' counts add up.
    pub add: bool,
}
