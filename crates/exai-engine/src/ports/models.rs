//! The door to models. A tool says what it wants in our words; which provider answers, how it
//! is spoken to, what it may cost and what is tried when it fails is the business of whoever
//! implements [`Models`].

mod answer;
mod applied;
mod errand;
mod listing;
mod message;
mod request;
mod search;
mod stream;
mod wish;

pub use answer::{Answer, Attempt, Pin, Price, Spent};
pub use applied::{Applied, Change};
pub use errand::Errand;
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
use exai_protocol::Code;
use serde_json::Value;
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

    /// The request that a wish would become, and where it would go. Nothing is sent.
    ///
    /// # Errors
    /// Why it would be refused.
    fn preview(&self, _wish: Wish) -> Result<Value, ToolError> {
        Err(nobody("shows its requests"))
    }

    /// A document's text, as the provider behind an endpoint reads it.
    ///
    /// # Errors
    /// What went wrong there.
    fn extract<'a>(
        &'a self,
        _call: &'a tool::ToolCall,
        _endpoint: &'a str,
        _document: Document,
    ) -> ModelFuture<'a, Result<String, ToolError>> {
        Box::pin(std::future::ready(Err(nobody("reads documents"))))
    }
}

/// For models of which there is only an answer to be had.
fn nobody(does: &str) -> ToolError {
    ToolError::new(Code::Unavailable, format!("nobody here {does}"))
}
