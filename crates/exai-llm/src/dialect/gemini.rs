//! Google's `streamGenerateContent`: parts, signed thoughts, grounding.

pub(super) mod error;
pub(super) mod request;
pub(super) mod stream;
