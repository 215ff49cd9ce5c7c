//! What a finished call returned, page by page.

use super::Client;
use crate::{asks::RequestError, handle::Handle, outbound::Frame};
use exai_protocol::{
    WireError,
    control::{CallState, CollectRes},
    limits::MAX_COLLECT_BYTES,
};

/// A finished call's outputs, put together from their pages.
#[derive(Debug)]
pub struct Collected {
    /// The bytes of `outputs`.
    pub outputs: String,
    /// The call's own error, where it ended in one.
    pub error: Option<WireError>,
}

impl Client {
    /// A finished call's outputs, page by page, up to `max_bytes`.
    ///
    /// # Errors
    /// [`RequestError`]; `TooLarge` when there are more, `Refused` when there is no result.
    pub async fn collect(
        &self,
        handle: &Handle,
        max_bytes: u64,
    ) -> Result<Collected, RequestError> {
        let mut outputs = String::new();
        loop {
            let page = self
                .collect_page(handle, outputs.len() as u64, MAX_COLLECT_BYTES as u64)
                .await?;
            if page.state != CallState::Finished {
                let state = format!("{:?}", page.state).to_lowercase();
                return Err(RequestError::Refused(format!("the call is {state}")));
            }
            if page.total_bytes > max_bytes {
                return Err(RequestError::TooLarge(format!(
                    "the result is {} bytes; the limit given is {max_bytes}",
                    page.total_bytes
                )));
            }
            outputs.push_str(&page.chunk);
            if page.eof {
                return Ok(Collected {
                    outputs,
                    error: page.error,
                });
            }
            if page.chunk.is_empty() {
                return Err(RequestError::Malformed(
                    "an empty page before the end".to_owned(),
                ));
            }
        }
    }

    /// One page of a finished call's outputs.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn collect_page(
        &self,
        handle: &Handle,
        offset: u64,
        limit: u64,
    ) -> Result<CollectRes, RequestError> {
        let call = &handle.call;
        let frame = Frame::new("collect", call)
            .scope(self.scope_of(handle).as_deref())
            .number("offset", offset)
            .number("limit", limit);
        self.ask(frame, call.clone(), "collect_res", true).await
    }
}
