//! The door to models. A tool says what it wants in our words; which provider answers, how it
//! is spoken to, what it may cost and what is tried when it fails is the business of whoever
//! implements [`Models`].

mod answer;
mod applied;
mod listing;
mod message;
mod request;
mod search;
mod stream;
mod wish;

pub use answer::{Answer, Attempt, Pin, Price, Spent};
pub use applied::{Applied, Change};
pub use listing::{EndpointRow, Listing, ModelRow, PriceRow};
pub use message::{AssistantTurn, CallKind, Carry, Image, Message, Part, ToolCall, ToolResult};
pub use request::{
    CacheHint, ChatRequest, DEFAULT_MAX_OUTPUT, Effort, Recency, Shape, ToolChoice, ToolSpec,
    UnknownEffort, WebSearch,
};
pub use search::SearchReport;
pub use stream::{Collector, Done, DoneReason, Searched, Source, StreamItem, Timing, Usage};
pub use wish::{Category, Document, Watch, Wish};

use crate::tool::{self, ToolError};
use std::{future::Future, pin::Pin as Pinned, sync::Arc};

/// What a model port returns.
pub type ModelFuture<'a, T> = Pinned<Box<dyn Future<Output = T> + Send + 'a>>;

/// The models of this daemon.
pub trait Models: Send + Sync + 'static {
    /// Asks a model and waits for its whole answer, within the call's deadline. Dropping the
    /// future, or the call's cancellation, ends the request at the provider at once.
    ///
    /// # Errors
    /// A [`ToolError`] that says what happened, whether anything was sent, and the next step;
    /// its metadata names endpoint, model, attempts and cause.
    fn ask<'a>(
        &'a self,
        call: &'a tool::ToolCall,
        wish: Wish,
    ) -> ModelFuture<'a, Result<Answer, ToolError>>;

    /// What is known and what could be used now.
    fn listing(&self) -> Arc<Listing>;

    /// Brings the list of an endpoint's models up to date by asking the provider; without a
    /// name, of every endpoint that can be used. Tells what was found, one line each.
    fn refresh<'a>(
        &'a self,
        endpoint: Option<&'a str>,
    ) -> ModelFuture<'a, Result<Vec<String>, ToolError>>;
}
