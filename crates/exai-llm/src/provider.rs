//! Endpoints as data: where models are served, how they are spoken to, what holds the key.
//! Never the key itself: a file that contains one is refused, without repeating it.

mod check;
mod endpoint;
mod file;
mod key;
mod resolve;
#[cfg(test)]
mod tests;

pub use endpoint::{Endpoint, Limits, Timeouts};
pub use file::{Providers, ProvidersError, SHIPPED};
pub use key::{KeyRef, KeyState};
pub use resolve::{Resolved, Standing};
