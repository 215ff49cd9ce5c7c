//! What a conversation is made of.

use crate::ports::models::{Carry, Pin, Spent};
use exai_protocol::{Principal, UnixMillis};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{any::Any, sync::Arc};

/// What one turn of a tool leaves behind.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Said {
    /// The tool.
    pub tool: String,
    /// What it was asked, without files and without earlier turns.
    pub question: String,
    /// Standing instructions in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instructions: Option<String>,
    /// What the caller had found out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub findings: Option<String>,
    /// Files and pictures that went along.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<Sent>,
    /// The code of the marks around those files, so that they are sent again byte for byte.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mark: Option<String>,
    /// The answer in full; `None` where no model was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
    /// What an expert said of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expert: Option<String>,
    /// What the tool itself goes on from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<Value>,
    /// Who answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pin: Option<Pin>,
    /// What it took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spent: Option<Spent>,
    /// What the provider wants back unchanged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub carry: Option<Carry>,
}

/// A file that went along with a question: where it was, and a fingerprint of what it held.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sent {
    /// Where it was.
    pub path: String,
    /// As it was shown.
    pub name: String,
    /// SHA-256 of the whole file, in hex; empty where it was not read here.
    pub sha256: String,
    /// The first line of it that was sent; 0, in old conversations, for the first of all.
    pub from: u64,
    /// Lines of it that were sent.
    pub lines: u64,
    /// What it was.
    pub kind: SentKind,
}

/// Kinds of files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SentKind {
    /// Text, sent between marks.
    #[default]
    Text,
    /// A picture.
    Picture,
    /// A document a provider read.
    Document,
}

/// One turn as it is kept.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Turn {
    /// Counts from one within its conversation.
    pub number: u32,
    /// The turn it goes on from; `None` for a first one.
    pub parent: Option<u32>,
    /// When it was kept.
    pub at: UnixMillis,
    /// What was said.
    #[serde(flatten)]
    pub said: Said,
}

/// A conversation opened for one turn.
pub struct Open {
    /// Its id, also of one that does not exist yet.
    pub id: Arc<str>,
    /// Whose it is.
    pub principal: Principal,
    /// The folder it is about; empty where the client named none.
    pub workspace: String,
    /// The turns that lead here, oldest first.
    pub turns: Arc<[Turn]>,
    /// Turns it has in all branches.
    pub count: u32,
    /// Keeps others out until it is dropped.
    pub lease: Option<Box<dyn Any + Send + Sync>>,
}

impl Open {
    /// The turn the next one goes on from.
    #[must_use]
    pub fn parent(&self) -> Option<u32> {
        self.turns.last().map(|turn| turn.number)
    }

    /// The model the conversation has.
    #[must_use]
    pub fn pin(&self) -> Option<Pin> {
        self.turns
            .iter()
            .rev()
            .find_map(|turn| turn.said.pin.clone())
    }
}

/// A turn that was tried and came to nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Failure {
    /// When.
    pub at: UnixMillis,
    /// The tool.
    pub tool: String,
    /// The code of its error.
    pub code: String,
    /// What went wrong, in words.
    pub why: String,
}

/// All of a conversation.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Thread {
    /// Its id.
    pub id: String,
    /// What people call it.
    pub title: String,
    /// The folder it is about; empty where none was named.
    pub workspace: String,
    /// When it began.
    pub created_at: UnixMillis,
    /// When something was last said.
    pub touched_at: UnixMillis,
    /// In the order in which they were kept, all branches.
    pub turns: Vec<Turn>,
    /// What was tried and failed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<Failure>,
}

/// A conversation from elsewhere.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Imported {
    /// The id it had.
    pub id: String,
    /// Its title; empty: made of its first question.
    pub title: String,
    /// The folder it is about.
    pub workspace: String,
    /// Its turns, oldest first; a parent is a number of an earlier one.
    pub turns: Vec<Turn>,
}
