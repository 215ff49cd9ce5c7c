//! HTTP, and the only module that names its client library. One pool of connections for all
//! endpoints; no redirects, no cookies, no total limit of time. Dropping a request or an
//! answer closes what it held at once: that is how a cancelled call ends at the provider.

mod ask;
mod client;
mod fail;
mod flow;

pub use ask::{Ask, Body, Field, Method};
pub use client::Http;
pub use fail::Lost;
pub use flow::{Flow, Whole};

/// Header lines, as they were sent or received.
pub type Headers = Vec<(String, String)>;
