//! A model provider that does what a script says: a real HTTP/1.1 server on the loopback that
//! speaks every dialect, in its own time, and fails in every way providers fail.
//!
//! Written by hand over TCP because the bytes and the moments *are* the test: a library would
//! repair what must be broken. It lives on a thread and a runtime of its own, so a test that
//! blocks, or pauses tokio's clock, does not stop it.
//!
//! ```ignore
//! let provider = Provider::start().await;
//! provider.script([
//!     Reply::status(429).retry_after(2),
//!     Reply::text("Grüß Gott").chunks(4).every(ms(20)).split_inside_characters(),
//! ]);
//! // … let the product call provider.url(Dialect::Anthropic) …
//! assert_eq!(provider.requests()[1].model(), Some("m"));
//! assert!(provider.hung_up(1).is_none());
//! ```
//!
//! Only model calls take from the script, in the order in which they arrive. Everything else
//! (lists of models, files, Ollama's management) is answered by doors with a memory, unless
//! [`Provider::when`] or [`Provider::always`] says otherwise. A model call without a reply
//! gets 501, so that a forgotten line of script is seen.
//!
//! Nothing here is recorded from a provider: each wire shape was written from the
//! documentation that its file names, as it stood on the date that its file gives.

mod act;
mod answer;
mod book;
mod clock;
mod control;
mod dialect;
mod doors;
mod event;
mod incoming;
mod plan;
mod play;
mod reply;
mod request;
mod serve;
mod wire;

#[cfg(test)]
mod tests;

pub use act::{At, Cut, Gate, Stall, Tls};
pub use answer::{Finish, ToolCall, Usage, UsagePlace};
pub use control::Provider;
pub use dialect::{Dialect, Route};
pub use doors::{Ollama, OllamaModel, Upload};
pub use reply::Reply;
pub use request::Request;
