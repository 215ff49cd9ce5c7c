//! Runs an agent's command line for one answer: in a process group of its own, in an empty
//! directory, with an environment that is counted out and not inherited, its output bounded,
//! and gone with everything it started when the answer is there, the time is up or nobody
//! waits any more.
//!
//! A daemon that is killed cannot end what it runs; the next one does (`note`).
//!
//! What leaves the group by itself (`setsid`) is not followed; nothing portable can.

mod environment;
mod errand;
mod failure;
mod found;
mod group;
mod note;
mod place;
mod run;
mod tail;
#[cfg(test)]
#[cfg(unix)]
mod tests;

pub use environment::Environment;
pub use found::{Found, found, look};
pub(crate) use run::Job;
pub use run::Runner;
