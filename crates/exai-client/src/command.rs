//! What handles may ask of the driver.

use crate::{asks::Ask, call::Pen, events::EventSink};
use exai_protocol::{
    RequestId,
    hello::ClientInfo,
    request::{CancelMode, Subscribe},
};
use std::sync::Arc;
use tokio::sync::oneshot;
use tokio_tungstenite::tungstenite::Utf8Bytes;

pub(crate) enum Command {
    /// Make a call, or watch one that was made.
    Submit(Submit),
    /// Stop or detach a call.
    LetGo {
        id: RequestId,
        mode: CancelMode,
        reason: String,
    },
    /// A call that is being left somewhere is not wanted at all.
    Unwanted(RequestId),
    /// Anything with one reply.
    Ask(Ask),
    /// Follow events.
    Follow {
        subscribe: Subscribe,
        sink: EventSink,
    },
    /// Announce this from the next hello on.
    Introduce(ClientInfo),
    /// Say goodbye.
    Close(oneshot::Sender<()>),
}

pub(crate) struct Submit {
    pub(crate) id: RequestId,
    pub(crate) name: Arc<str>,
    /// Whose call it is, where it is another client's.
    pub(crate) scope: Option<Arc<str>>,
    /// The whole `call_tool` frame; absent when only watching.
    pub(crate) frame: Option<Utf8Bytes>,
    pub(crate) timeout_ms: Option<u64>,
    pub(crate) repeatable: bool,
    pub(crate) pen: Pen,
}
