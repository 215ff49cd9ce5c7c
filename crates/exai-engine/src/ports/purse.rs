//! Who pays. What a request may cost is held before it is sent, and what it cost is counted
//! when it is known; whoever keeps the sums implements [`Purse`].

use crate::{ports::models::ModelFuture, tool::ToolCall};
use exai_protocol::{ClientId, Principal, RequestId, SessionId};
use std::sync::Arc;

/// The sums and their ceilings.
pub trait Purse: Send + Sync + 'static {
    /// Holds the most a request may cost, under every ceiling at once. A caller that stops
    /// waiting holds nothing.
    ///
    /// # Errors
    /// [`Refusal`]: the request must not be sent.
    fn reserve(&self, ask: Ask) -> ModelFuture<'_, Result<Grant, Refusal>>;
}

/// Money held for one request. Dropping it without a word counts all it may have cost.
pub trait Held: Send {
    /// The request is over and used this.
    fn settle(self: Box<Self>, used: Used);
    /// Nothing was sent: what is held is free again.
    fn release(self: Box<Self>);
}

/// Permission to send one request.
pub struct Grant {
    /// Keep it while the request is under way.
    pub held: Box<dyn Held>,
    /// Ceilings that are nearly reached, a sentence each.
    pub warnings: Vec<String>,
}

/// May this be sent?
#[derive(Debug, Clone)]
pub struct Ask {
    /// Whose call it is.
    pub who: Who,
    /// The conversation, where there is one.
    pub thread: Option<Arc<str>>,
    /// The tool that asks.
    pub tool: Arc<str>,
    /// The named endpoint it goes to.
    pub endpoint: Arc<str>,
    /// The name of the key it uses, never the key.
    pub key_ref: Option<Arc<str>>,
    /// The model, as sent.
    pub model: Arc<str>,
    /// Estimated tokens of the prompt.
    pub input: u64,
    /// The ceiling of the answer's tokens.
    pub output: u64,
    /// The most it may cost.
    pub cost: Amount,
    /// The caller has seen the price and wants it all the same.
    pub confirmed: bool,
}

/// Whose call it is.
#[derive(Debug, Clone)]
pub struct Who {
    /// Whom it is for.
    pub principal: Principal,
    /// The window, where it named itself.
    pub client: Option<ClientId>,
    /// The session it came in on.
    pub session: SessionId,
    /// The call.
    pub request: RequestId,
}

impl Who {
    /// The one behind a call.
    #[must_use]
    pub fn of(call: &ToolCall) -> Self {
        Self {
            principal: call.principal.clone(),
            client: call.client_id.clone(),
            session: call.session_id.clone(),
            request: call.request_id.clone(),
        }
    }
}

/// An amount of money, or why nobody can say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Amount {
    /// Millionths of a millionth of a US dollar.
    Picos(u64),
    /// For example: the catalogue has no price for the model.
    Unknown(Arc<str>),
}

/// What a request used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Used {
    /// All of the prompt, cached or not.
    pub input: u64,
    /// All of the answer, thoughts included.
    pub output: u64,
    /// The part of `input` that came from a cache.
    pub cached: u64,
    /// The part of `output` that was thought.
    pub reasoning: u64,
    /// Web searches the provider ran.
    pub searches: u64,
    /// What it cost.
    pub cost: Amount,
    /// Counted by us, because the provider did not report.
    pub estimated: bool,
}

/// Why a request must not be sent; each says the next step.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A ceiling stands in the way; with the numbers.
    #[error("{0}")]
    OverBudget(String),
    /// It costs more than is spent without asking; with the numbers.
    #[error("{0}")]
    Confirm(String),
    /// The sums cannot be kept now, so nothing may be promised.
    #[error("{0}")]
    Unavailable(String),
}
