//! The real binaries in a temporary home, and raw peers that speak to them. Tests only.
//!
//! Everything here looks at the product from outside: it knows the files, the environment,
//! the command line and the wire, and shares no code with them but the words of the protocol.
//! Every wait has a limit, and every process is gone when its handle or its sandbox is.

mod answer;
mod binaries;
mod daemon;
mod eventually;
mod files;
mod gate;
mod must;
mod output;
mod port;
mod process;
pub mod provider;
mod relay;
mod sandbox;
mod shim;
pub mod squatter;
mod stopwatch;
mod terminal;
mod ws;

pub use answer::answer;
pub use binaries::binary;
pub use daemon::Daemon;
pub use eventually::{Met, eventually};
pub use gate::Gate;
pub use must::Must;
pub use output::Output;
pub use port::free_port;
pub use process::{Process, is_alive, kill_pid, pause_pid, resume_pid};
pub use relay::Relay;
pub use sandbox::Sandbox;
pub use shim::{Heard, MODERN, REVISIONS, Shim};
pub use squatter::Squatter;
pub use stopwatch::Stopwatch;
pub use terminal::Terminal;
pub use ws::{Frame, Handshake, Ws};

use std::time::Duration;

/// How long anything may take before a test calls it lost. Generous: a test that waits this
/// long has failed, one that passes never waits for it.
pub const PATIENCE: Duration = Duration::from_secs(60);
