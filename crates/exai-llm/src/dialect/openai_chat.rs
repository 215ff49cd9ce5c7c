//! Chat completions: OpenAI's, and everybody else's idea of it. What differs is data in the
//! quirks; what comes back is read with tolerance.

mod calls;
pub(super) mod error;
pub(super) mod request;
pub(super) mod stream;
mod usage;
