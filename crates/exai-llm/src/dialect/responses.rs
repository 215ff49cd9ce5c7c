//! OpenAI's Responses: items instead of messages, named events, thoughts kept by the caller
//! in encrypted form. Nothing is stored at the provider.

pub(super) mod error;
pub(super) mod request;
pub(super) mod stream;
