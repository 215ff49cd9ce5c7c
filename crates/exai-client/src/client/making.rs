//! Calls: made, watched again, left and stopped.

use super::Client;
use crate::{
    asks::RequestError,
    call::{CallSpec, CallStream, Pen, Slot},
    command::{Command, Submit},
    explain,
    handle::Handle,
    outbound::{self},
    state::LinkState,
};
use exai_protocol::{RequestId, control::CancelRes, request::CancelMode};
use std::{sync::Arc, time::Duration};
use tokio::sync::mpsc;

impl Client {
    /// Makes a call. The stream's last event is its end, whatever happens.
    pub async fn call(&self, spec: CallSpec) -> CallStream {
        self.send("call_tool", spec).await
    }

    /// The same for whoever runs the daemon: tools that are not listed are found too.
    pub async fn operate(&self, spec: CallSpec) -> CallStream {
        self.send("operate", spec).await
    }

    async fn send(&self, op: &str, spec: CallSpec) -> CallStream {
        let frame = Some(outbound::call(op, &spec));
        let CallSpec {
            request_id,
            name,
            timeout_ms,
            repeatable,
            ..
        } = spec;
        self.submit(request_id.clone(), |pen| Submit {
            id: request_id,
            name: name.into(),
            scope: None,
            frame,
            timeout_ms,
            repeatable,
            pen,
        })
        .await
    }

    /// Watches a call that was made before, in this client or in another of the same principal;
    /// it ends at once with `EXPIRED` when the daemon does not know it.
    pub async fn attach(&self, handle: &Handle) -> CallStream {
        self.submit(handle.call.clone(), |pen| Submit {
            id: handle.call.clone(),
            name: "the call".into(),
            scope: self.scope_of(handle),
            frame: None,
            timeout_ms: None,
            repeatable: false,
            pen,
        })
        .await
    }

    async fn submit(&self, id: RequestId, make: impl FnOnce(Pen) -> Submit) -> CallStream {
        let slot = Arc::new(Slot::default());
        let submit = make(Pen::new(id.clone(), Arc::clone(&slot)));
        let stream = CallStream::new(id, slot, self.commands.clone());
        if let Err(mpsc::error::SendError(Command::Submit(submit))) =
            self.commands.send(Command::Submit(submit)).await
        {
            let error = explain::unavailable(&LinkState::Closed, Duration::ZERO);
            submit.pen.fail(error);
        }
        stream
    }

    /// Stops a call that was made before, in this client or in another of the same principal.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn stop(&self, handle: &Handle, reason: &str) -> Result<CancelRes, RequestError> {
        let scope = self.scope_of(handle);
        if scope.is_none() {
            // A closed channel fails the question below.
            let unwanted = Command::Unwanted(handle.call.clone());
            let _ = self.commands.send(unwanted).await;
        }
        let mode = CancelMode::Stop;
        let frame = outbound::cancel(&handle.call, scope.as_deref(), mode, reason);
        self.ask_text(frame, handle.call.clone(), "cancel_res", true)
            .await
    }

    /// Lets go of any call of this client identity, also one made by another process.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn cancel(
        &self,
        call: &RequestId,
        mode: CancelMode,
        reason: &str,
    ) -> Result<CancelRes, RequestError> {
        self.ask_text(
            outbound::cancel(call, None, mode, reason),
            call.clone(),
            "cancel_res",
            true,
        )
        .await
    }

    /// Stops another client's call; `scope` is that client's, as the journal names it, and `key` the
    /// principal's, where that is not ours.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn stop_of(
        &self,
        key: Option<&str>,
        scope: &str,
        call: &RequestId,
    ) -> Result<CancelRes, RequestError> {
        let mut frame = outbound::Frame::new("cancel", call).text("scope", scope);
        if let Some(key) = key {
            frame = frame.text("key", key);
        }
        self.ask_text(frame.done(), call.clone(), "cancel_res", true)
            .await
    }
}
