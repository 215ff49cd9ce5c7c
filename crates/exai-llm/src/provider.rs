//! Endpoints as data: where models are served, how they are spoken to, what holds the key.
//! Never the key itself: a file that contains one is refused, without repeating it.

mod check;
mod command;
mod endpoint;
mod file;
mod file_door;
mod key;
mod resolve;
#[cfg(test)]
mod tests;

pub(crate) use check::is_near;
pub use command::{AgentSpec, CommandSpec, Manner, Sign};
pub use endpoint::{Endpoint, Limits, Timeouts};
pub use file::{Providers, ProvidersError, SHIPPED};
pub use file_door::FileDoor;
pub use key::{KeyRef, KeyState};
pub use resolve::{Resolved, Standing};
