//! The rendezvous record in the run directory: where the daemon of this home is to be found.
//! A hint, never a proof; proof is the handshake.

use crate::BootId;
use serde::{Deserialize, Serialize};

/// `.exai/run/endpoint.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Endpoint {
    /// Where to connect.
    pub host: String,
    /// Where to connect.
    pub port: u16,
    /// The daemon's process.
    pub pid: u32,
    /// When that process began, in the system's own ticks; null where it cannot be read.
    pub pid_started: Option<u64>,
    /// Which run wrote it.
    pub boot_id: BootId,
    /// `major.minor`.
    pub protocol: String,
    /// The daemon's version.
    pub version: String,
    /// The daemon's Unix socket, where it has one: the way in for its own user's programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub socket: Option<String>,
}
