//! Who pays and for what: the columns of every row about money.

use exai_protocol::{ClientId, Principal, RequestId, SessionId};
use std::sync::Arc;

/// Whom a cost belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Who {
    /// Whom the call is for.
    pub principal: Principal,
    /// The window, where it named itself; a session stands in for one that did not.
    pub client: Option<ClientId>,
    /// The session the call came in on.
    pub session: SessionId,
    /// The call, as its client names it. One call may ask models many times.
    pub request: RequestId,
    /// The conversation, where there is one.
    pub thread: Option<Arc<str>>,
}

/// One request to a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelCall {
    /// Whom it belongs to.
    pub who: Who,
    /// The named endpoint it goes to.
    pub endpoint: Arc<str>,
    /// The name of the key it uses, never the key; `None` where it needs none.
    pub key_ref: Option<Arc<str>>,
    /// The model, as its provider names it.
    pub model: Arc<str>,
    /// The tool that asks.
    pub tool: Arc<str>,
}
