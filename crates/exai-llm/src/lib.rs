//! Models: the words of a request and of its answer, the dialects as pure functions, providers
//! as data, prices and estimates; and what moves the bytes: one HTTP client, keys, limits, the
//! breaker, one request and its stream.

pub mod attempt;
pub mod catalogue;
pub mod chat;
pub mod choice;
pub mod cli;
pub mod decode;
pub mod desk;
pub mod dialect;
pub mod endpoint;
pub mod fault;
pub mod files;
pub mod herald;
pub mod http;
pub mod keys;
pub mod limits;
pub mod listing;
pub mod ollama;
pub mod price;
pub mod provider;
pub mod refresh;
pub mod search;
