//! The birth, the identity, the pulse and the end of a daemon process.

pub(crate) mod alive;
pub(crate) mod door;
pub(crate) mod identity;
pub(crate) mod instance;
pub(crate) mod port_fault;
pub(crate) mod pulse;
pub(crate) mod signal;
#[cfg(unix)]
pub(crate) mod socket;
pub(crate) mod spawn;
mod tcp;
