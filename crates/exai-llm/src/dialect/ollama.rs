//! Ollama's own `/api/chat`. Its OpenAI-compatible door cannot pin the context, and what does
//! not fit there is cut without a word.

pub(super) mod error;
pub(super) mod request;
pub(super) mod stream;
