//! Requests over real sockets, against the scripted provider: every fault of it ends in its
//! class within its limit, limits hold, and what is dropped is closed.

#![expect(clippy::unwrap_used, reason = "a test's helpers are part of the test")]

mod breaker;
mod cancel;
mod faults;
mod http;
mod limits;
mod many;
mod setup;
