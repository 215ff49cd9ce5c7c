//! What a tool wants of a model, beyond the words it sends.

use super::{Answer, ChatRequest, Errand, Pin};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// One wish. `chat.model` is filled in by whoever chooses.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// The tool that asks, for the record and for choosing.
    pub tool: Arc<str>,
    /// The model as the caller named it: used, or the call fails. `None` and `auto` let the
    /// daemon choose.
    pub model: Option<String>,
    /// Why this `model`, where the tool named it and its caller did not.
    pub chosen: Option<String>,
    /// What kind of work it is, for choosing.
    pub category: Category,
    /// The model a conversation already has; it keeps it unless `model` says otherwise.
    pub pin: Option<Pin>,
    /// The conversation, for budgets and the record.
    pub thread: Option<Arc<str>>,
    /// The words.
    pub chat: ChatRequest,
    /// Files whose text only a provider can read; they stand before the last turn.
    pub documents: Vec<Document>,
    /// What of the answer is shown while it grows.
    pub watch: Watch,
    /// Work to be done in a folder, by an agent.
    pub errand: Option<Errand>,
    /// The caller has seen the price and wants it all the same.
    pub confirmed: bool,
}

/// A file that holds its text in a form of its own (PDF, office files).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// As shown to people and models.
    pub name: String,
    /// `application/pdf` and so on.
    pub media_type: String,
    /// The whole file.
    pub bytes: Arc<[u8]>,
}

/// Kinds of work, which ask different things of a model.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// A quick answer matters more than a deep one.
    Fast,
    /// Everyday work.
    #[default]
    Balanced,
    /// Hard problems: thinking matters most.
    Deep,
    /// Pictures have to be seen.
    Vision,
}

/// What of an answer is shown while it grows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Watch {
    /// Its text, to whoever watches the call.
    #[default]
    Text,
    /// Nothing: several models answer at once, or the text is no reading matter.
    Silent,
}

impl Answer {
    /// What a conversation remembers, to stay with this model.
    #[must_use]
    pub fn pin(&self) -> Pin {
        Pin {
            endpoint: self.endpoint.clone(),
            model: self.model.clone(),
        }
    }
}
