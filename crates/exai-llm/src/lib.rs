//! Models, without opening anything yet: the words of a request and of its answer, the
//! dialects as pure functions, providers as data, prices and estimates. Whoever moves the
//! bytes (transport, limits, breaker) stands on top and needs no dialect of its own.

pub mod catalogue;
pub mod chat;
pub mod choice;
pub mod cli;
pub mod decode;
pub mod dialect;
pub mod fault;
pub mod listing;
pub mod price;
pub mod provider;
pub mod refresh;
pub mod search;
