//! What the tools may know of the daemon around them.

use crate::tool::ToolCall;
use exai_protocol::{BootId, health::Health, tool::ToolEntry};
use std::path::PathBuf;

/// Facts of the running process, for `version`, `status`, `health` and `self-check`.
pub trait Vitals: Send + Sync + 'static {
    /// The same snapshot as the `health` op.
    fn health(&self) -> Health;
    /// The registered tools, sorted by name.
    fn tools(&self) -> Vec<ToolEntry>;
    /// Those the caller may call, sorted by name, whether its list shows them or not.
    fn tools_for(&self, call: &ToolCall) -> Vec<ToolEntry>;
    /// What does not change while the process lives.
    fn identity(&self) -> &Identity;
}

/// What does not change while the process lives.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The product's version.
    pub version: String,
    /// The commit it was built from, or `unknown`.
    pub build: String,
    /// `major.minor` of the wire.
    pub protocol: String,
    /// Its process.
    pub pid: u32,
    /// Which run this is.
    pub boot_id: BootId,
    /// The home it serves.
    pub home: PathBuf,
    /// Whether the scripted test tools are registered.
    pub test_tools: bool,
}
