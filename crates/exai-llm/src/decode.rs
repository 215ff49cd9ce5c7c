//! Bytes to events, without any reader or socket: push bytes as they come, take the events
//! they complete. However the bytes are cut, the events are the same, and nothing is read
//! twice, so a hostile or slow stream costs no more than its length.

mod lines;
mod ndjson;
mod sse;
#[cfg(test)]
mod tests;

pub use ndjson::NdjsonDecoder;
pub use sse::{SseDecoder, SseEvent};

/// The largest event taken unless told otherwise: some final events repeat the whole output.
pub const MAX_EVENT_BYTES: usize = 8 * 1024 * 1024;

/// The stream cannot be read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an event of the stream is larger than {cap} bytes")]
pub struct TooLong {
    /// The bound.
    pub cap: usize,
}
