//! What is known of a model, from the catalogue. `None` is "not known", and what is not known
//! is neither promised nor forbidden, with one exception: thinking parameters go only to
//! models known to think, because a provider that takes them from others may run away.

use serde::{Deserialize, Serialize};

/// What is known of a model.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelTraits {
    /// Tokens it can read.
    pub context: Option<u64>,
    /// Tokens it can write.
    pub output: Option<u64>,
    /// Whether it sees pictures.
    pub vision: Option<bool>,
    /// Whether it calls tools.
    pub tools: Option<bool>,
    /// Whether it thinks and takes parameters about that.
    pub thinking: Option<bool>,
    /// Whether it can use its provider's web search.
    pub search: Option<bool>,
    /// Its effort words, weakest first; `None` takes the endpoint's.
    pub efforts: Option<Vec<String>>,
    /// How thinking is asked for, where it differs from its endpoint's way.
    pub thinking_style: Option<ThinkingStyle>,
    /// What it does with a temperature.
    pub temperature: TemperatureRule,
}

impl ModelTraits {
    /// From the catalogue's words. A model it lists has only the abilities it lists; one
    /// without any listed is unknown.
    #[must_use]
    pub fn from_abilities(abilities: &[String], context: Option<u64>, output: Option<u64>) -> Self {
        let has = |word: &str| {
            (!abilities.is_empty()).then(|| abilities.iter().any(|known| known == word))
        };
        Self {
            context,
            output,
            vision: has("vision"),
            tools: has("tools"),
            thinking: has("thinking"),
            search: has("search"),
            ..Self::default()
        }
    }
}

/// What a model does with a temperature.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TemperatureRule {
    /// Takes any its endpoint takes.
    #[default]
    Free,
    /// Refuses the parameter, or anything but its own value: it is never sent.
    Fixed,
}

/// How thinking is asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ThinkingStyle {
    /// There is no way.
    #[default]
    None,
    /// `reasoning_effort: "low"`.
    ReasoningEffort,
    /// `thinking: {type: enabled|disabled}` (GLM, Kimi, DeepSeek).
    ThinkingType,
    /// `reasoning: {effort}` (OpenRouter, OpenAI Responses).
    ReasoningObject,
    /// `chat_template_kwargs: {enable_thinking}` (llama.cpp, vLLM).
    ChatTemplate,
    /// `thinking: {type: adaptive}` and `output_config: {effort}` (Anthropic).
    Adaptive,
    /// `thinking: {type: enabled, budget_tokens}` (older Anthropic), `thinkingBudget` (Gemini 2.5).
    Budget,
    /// `thinkingLevel` (Gemini 3).
    Level,
    /// `think: true|"low"` (Ollama).
    Think,
}
