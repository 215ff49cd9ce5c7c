//! Anthropic's Messages: blocks, signed thoughts, marks for the cache.

pub(super) mod error;
pub(super) mod request;
pub(super) mod stream;
