//! How much may be asked of an endpoint, and when. State machines over a time that is handed
//! in; only [`gate`] waits. What a provider says about its limits is learned from every
//! answer, and holds for all who ask there, never for another endpoint.

pub mod breaker;
pub mod gate;
pub mod learned;
mod retry;
mod state;
#[cfg(test)]
mod tests;
mod window;

pub use retry::retry_wait;
