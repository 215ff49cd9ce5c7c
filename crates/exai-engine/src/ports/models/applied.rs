//! What became of a wish. Nothing is dropped or bent silently: each difference between what
//! was requested and what was sent is a [`Change`] that reaches the result and the record.

use serde::{Deserialize, Serialize};

/// What was sent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Applied {
    /// The model, as sent.
    pub model: String,
    /// The output ceiling, as sent.
    pub max_output: u64,
    /// The effort in the provider's word, or `None` when nothing was said about it.
    pub effort: Option<String>,
    /// The temperature, or `None` when nothing was said about it.
    pub temperature: Option<f64>,
    /// Whether the provider was asked to be able to search.
    pub search: bool,
    /// `json_schema`, `json_object` or nothing.
    pub shape: Option<String>,
    /// How caching was asked for, or nothing.
    pub cache: Option<String>,
    /// Where it differs from the wish.
    pub changes: Vec<Change>,
}

/// One difference between wish and deed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// What it is about.
    pub field: String,
    /// The wish.
    pub requested: String,
    /// The deed.
    pub applied: String,
    /// The reason, for a person.
    pub why: String,
}

impl Applied {
    /// Notes a difference.
    pub fn change(
        &mut self,
        field: &str,
        requested: impl ToString,
        applied: impl ToString,
        why: impl Into<String>,
    ) {
        self.changes.push(Change {
            field: field.to_owned(),
            requested: requested.to_string(),
            applied: applied.to_string(),
            why: why.into(),
        });
    }
}
