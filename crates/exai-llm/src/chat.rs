//! What is asked of a model and what comes back, in our words: those of the engine's model
//! port, and what is known of a model. No provider's field name appears here: the dialects
//! translate.

mod traits;

pub use exai_engine::ports::models::{
    Applied, AssistantTurn, CacheHint, CallKind, Carry, Change, ChatRequest, Collector,
    DEFAULT_MAX_OUTPUT, Done, DoneReason, Effort, Errand, Image, Message, Part, Recency,
    SearchReport, Searched, Shape, Source, StreamItem, Timing, ToolCall, ToolChoice, ToolResult,
    ToolSpec, UnknownEffort, Usage, WebSearch,
};
pub use traits::{ModelTraits, TemperatureRule, ThinkingStyle};
