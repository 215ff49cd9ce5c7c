//! The turns of a conversation. Reasoning is kept apart from text, and what a provider wants
//! back unchanged travels beside both, so that no turn is ever rebuilt from its rendering.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One turn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Message {
    /// Standing instructions.
    System(String),
    /// A person, or whoever speaks for one.
    User(Vec<Part>),
    /// The model.
    Assistant(AssistantTurn),
    /// What a tool answered.
    Tool(ToolResult),
}

impl Message {
    /// A user's turn of nothing but text.
    #[must_use]
    pub fn user(text: impl Into<String>) -> Self {
        Self::User(vec![Part::Text(text.into())])
    }
}

/// A piece of a user's turn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Words.
    Text(String),
    /// A picture.
    Image(Image),
}

/// A picture, here or elsewhere.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Image {
    /// Its bytes.
    Inline {
        /// `image/png` and so on.
        media_type: String,
        /// The bytes in base64.
        base64: String,
    },
    /// Where the provider may fetch it.
    Url(String),
}

/// What a model said in one turn.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AssistantTurn {
    /// Its answer.
    pub text: String,
    /// Its thoughts, as far as it showed them.
    pub reasoning: String,
    /// The tools it wants run.
    pub tool_calls: Vec<ToolCall>,
    /// What its provider wants back unchanged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub carry: Option<Carry>,
}

/// Provider state that is returned unchanged, and only to where it came from: signatures and
/// encrypted thoughts are refused elsewhere.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Carry {
    /// How `items` is to be read.
    pub dialect: String,
    /// The endpoint that made it.
    pub endpoint: String,
    /// The model that made it.
    pub model: String,
    /// The state itself.
    pub items: Value,
}

/// A tool the model wants run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolCall {
    /// Ties the result to the call.
    pub id: String,
    /// Which tool.
    pub name: String,
    /// JSON text exactly as received: some providers want it back to the byte.
    pub arguments: String,
    /// Who answers it.
    #[serde(default)]
    pub kind: CallKind,
}

/// Who answers a tool call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallKind {
    /// Whoever offered the tool.
    #[default]
    Function,
    /// The provider, once its own arguments are echoed (Kimi's `$web_search`).
    Builtin,
    /// Written into the text instead of called; read out of it by us.
    Textual,
}

/// What a tool answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolResult {
    /// The call it answers.
    pub call_id: String,
    /// The tool; some dialects match by name.
    pub name: String,
    /// The answer.
    pub content: String,
    /// Whether it is a failure.
    #[serde(default)]
    pub is_error: bool,
}
