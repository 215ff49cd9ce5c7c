//! Where providers of one dialect differ, as data. The defaults are the dialect as its
//! inventor documents it; `config/providers.toml` states the rest.

use super::AnswerFormat;
use crate::chat::ThinkingStyle;
use serde::{Deserialize, Serialize};

/// An endpoint's peculiarities.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Quirks {
    /// What the output ceiling is called.
    pub max_tokens_field: MaxTokensField,
    /// Whether usage in the stream must, and may, be asked for.
    pub stream_usage: bool,
    /// How thinking is asked for, unless the model says otherwise.
    pub thinking: ThinkingStyle,
    /// Effort words it takes, weakest first, unless the model says otherwise.
    pub efforts: Vec<String>,
    /// How structured output is asked for.
    pub schema: SchemaStyle,
    /// Which tool choices it takes.
    pub tool_choice: ToolChoiceStyle,
    /// Whether instructions go under the role `developer`.
    pub developer_role: bool,
    /// The highest temperature it takes.
    pub temperature_max: f64,
    /// Whether its thinking models refuse a temperature.
    pub thinkers_fix_temperature: bool,
    /// How its own web search is asked for.
    pub search: SearchStyle,
    /// The search engine or tool version to name, where there is a choice.
    pub search_engine: Option<String>,
    /// Whether it refuses its search beside other tools.
    pub search_excludes_tools: bool,
    /// Whether it refuses its search while thinking.
    pub search_excludes_thinking: bool,
    /// When thoughts are sent back with a turn.
    pub replay_reasoning: Replay,
    /// How caching is asked for.
    pub cache: CacheStyle,
    /// Whether thoughts come as `<think>` in the text.
    pub think_tags: bool,
    /// Whether tool calls sometimes come as text.
    pub textual_tool_calls: bool,
    /// Whether it fetches pictures by address.
    pub image_urls: bool,
    /// Ollama: the context pinned for every request; a change reloads the model.
    pub num_ctx: Option<u64>,
    /// Ollama: how long the model stays loaded.
    pub keep_alive: Option<String>,
    /// Command lines: how what they print is read.
    pub answer: AnswerFormat,
}

impl Default for Quirks {
    fn default() -> Self {
        Self {
            max_tokens_field: MaxTokensField::MaxTokens,
            stream_usage: true,
            thinking: ThinkingStyle::None,
            efforts: Vec::new(),
            schema: SchemaStyle::JsonSchema,
            tool_choice: ToolChoiceStyle::Full,
            developer_role: false,
            temperature_max: 2.0,
            thinkers_fix_temperature: false,
            search: SearchStyle::None,
            search_engine: None,
            search_excludes_tools: false,
            search_excludes_thinking: false,
            replay_reasoning: Replay::Never,
            cache: CacheStyle::None,
            think_tags: false,
            textual_tool_calls: false,
            image_urls: true,
            num_ctx: None,
            keep_alive: None,
            answer: AnswerFormat::default(),
        }
    }
}

/// What the output ceiling is called.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MaxTokensField {
    /// `max_tokens`.
    #[default]
    MaxTokens,
    /// `max_completion_tokens`.
    MaxCompletionTokens,
}

/// How structured output is asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SchemaStyle {
    /// The schema is enforced.
    #[default]
    JsonSchema,
    /// Only "some JSON object" is; the schema goes into the instructions.
    JsonObject,
    /// Nothing is; the schema goes into the instructions.
    Prompt,
}

/// Which tool choices are taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolChoiceStyle {
    /// All.
    #[default]
    Full,
    /// All, where `required` is spelt `any`.
    Any,
    /// Only to let the model decide, or to offer no tools.
    AutoOnly,
    /// The parameter is not known.
    Absent,
}

/// How a provider's own web search is asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SearchStyle {
    /// It has none.
    #[default]
    None,
    /// Kimi's `$web_search`, whose arguments are echoed.
    KimiBuiltin,
    /// GLM's `web_search` tool with its parameters.
    Glm,
    /// OpenRouter's `web` plugin.
    OpenrouterPlugin,
    /// `web_search_options`, for OpenAI's search models.
    OpenaiOptions,
    /// The built-in of the dialect: Responses, Anthropic, Gemini.
    Builtin,
}

/// When thoughts are sent back with a turn. Some providers refuse them in the history, some
/// need them while tools are being called.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Replay {
    /// Never.
    #[default]
    Never,
    /// With the turns that call tools, since the last user's turn.
    ToolTurns,
}

/// How caching is asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CacheStyle {
    /// It caches by itself, or not at all.
    #[default]
    None,
    /// `prompt_cache_key`.
    Key,
    /// `prompt_cache_key` and the context-cache headers (Kimi).
    Kimi,
    /// `cache_control` marks (Anthropic, and OpenRouter for Anthropic's models).
    Marks,
}
