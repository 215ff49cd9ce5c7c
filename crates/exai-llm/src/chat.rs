//! What is asked of a model and what comes back, in our words. No provider's field name
//! appears here: the dialects translate.

mod applied;
mod message;
mod request;
mod stream;
mod traits;

pub use applied::{Applied, Change};
pub use message::{AssistantTurn, CallKind, Carry, Image, Message, Part, ToolCall, ToolResult};
pub use request::{
    CacheHint, ChatRequest, DEFAULT_MAX_OUTPUT, Effort, Recency, Shape, ToolChoice, ToolSpec,
    UnknownEffort, WebSearch,
};
pub use stream::{Collector, Done, DoneReason, Searched, Source, StreamItem, Usage};
pub use traits::{ModelTraits, TemperatureRule, ThinkingStyle};
