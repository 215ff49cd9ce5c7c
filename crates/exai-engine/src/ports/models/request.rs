//! A wish to a model. Everything in it is what the caller asked for; what becomes of it at a
//! given endpoint is reported in [`super::Applied`].

use super::Message;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The output ceiling where nobody named one. There always is one: a request without a
/// ceiling has no price that could be known before it is sent.
pub const DEFAULT_MAX_OUTPUT: u64 = 8192;

/// One request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ChatRequest {
    /// The name its endpoint knows; opaque, sent unchanged.
    pub model: String,
    /// The conversation, oldest first.
    pub messages: Vec<Message>,
    /// What the model may call.
    pub tools: Vec<ToolSpec>,
    /// Whether it may, must or must not.
    pub tool_choice: ToolChoice,
    /// The form of the answer.
    pub shape: Shape,
    /// How hard to think; `None` leaves it to the provider.
    pub effort: Option<Effort>,
    /// `None` leaves it to the provider.
    pub temperature: Option<f64>,
    /// Tokens it may write, thoughts included where the provider counts them; 0 leaves the
    /// ceiling to whoever knows the model.
    pub max_output: u64,
    /// `None` is no search, whatever any default says.
    pub search: Option<WebSearch>,
    /// What may be kept between requests.
    pub cache: CacheHint,
}

impl Default for ChatRequest {
    fn default() -> Self {
        Self {
            model: String::new(),
            messages: Vec::new(),
            tools: Vec::new(),
            tool_choice: ToolChoice::Auto,
            shape: Shape::Text,
            effort: None,
            temperature: None,
            max_output: DEFAULT_MAX_OUTPUT,
            search: None,
            cache: CacheHint::default(),
        }
    }
}

/// A tool offered to the model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolSpec {
    /// Its name.
    pub name: String,
    /// What it does.
    pub description: String,
    /// JSON Schema of its arguments.
    pub parameters: Value,
}

/// How free the model is to call tools.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolChoice {
    /// It decides.
    #[default]
    Auto,
    /// It may not.
    Never,
    /// It must call one.
    Required,
    /// It must call this one.
    Named(String),
}

/// The form of the answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// Prose.
    #[default]
    Text,
    /// Some JSON object.
    Json,
    /// JSON of this schema.
    Schema {
        /// What the schema is called.
        name: String,
        /// The schema.
        schema: Value,
    },
}

/// How hard to think: one scale, mapped to each dialect's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effort {
    /// Not at all.
    Off,
    /// Hardly.
    Minimal,
    /// A little.
    Low,
    /// Some.
    Medium,
    /// Much.
    High,
    /// As much as the model can.
    Max,
}

impl Effort {
    /// The scale's own word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Minimal => "minimal",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Max => "max",
        }
    }
}

/// A word that is no effort.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no effort; write one of off, minimal, low, medium, high, max")]
pub struct UnknownEffort(String);

impl std::str::FromStr for Effort {
    type Err = UnknownEffort;

    fn from_str(word: &str) -> Result<Self, UnknownEffort> {
        match word.to_ascii_lowercase().as_str() {
            "off" | "none" | "disabled" => Ok(Self::Off),
            "minimal" => Ok(Self::Minimal),
            "low" => Ok(Self::Low),
            "medium" => Ok(Self::Medium),
            "high" => Ok(Self::High),
            "max" | "xhigh" => Ok(Self::Max),
            _ => Err(UnknownEffort(word.to_owned())),
        }
    }
}

/// A wish that the provider search the web itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebSearch {
    /// Results wanted, where the provider lets us say.
    pub count: Option<u32>,
    /// How recent they must be.
    pub recency: Recency,
    /// Only these sites.
    pub domains: Vec<String>,
}

/// How recent search results must be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Recency {
    /// Of any age.
    #[default]
    Any,
    /// Within a day.
    Day,
    /// Within a week.
    Week,
    /// Within a month.
    Month,
    /// Within a year.
    Year,
}

/// What may be kept at the provider between requests. Only ever a saving: leaving it out
/// changes no answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CacheHint {
    /// Leading messages that will be sent again unchanged, tools and instructions included.
    pub stable_messages: usize,
    /// Groups requests that share a beginning, for example the thread.
    pub key: Option<String>,
    /// A token the provider handed out for this beginning (Kimi).
    pub token: Option<String>,
}
