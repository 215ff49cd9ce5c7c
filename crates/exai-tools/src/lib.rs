//! The tool suite, one file a tool. Tools speak only to the engine's ports, so that each can
//! be tested with fakes and none can reach around the daemon. The scripted test tools are
//! the exception that proves it: they exist to be seen from outside.

mod activity;
mod args;
pub mod catalogue;
mod challenge;
mod chat;
mod files;
mod health;
mod kind;
mod listmodels;
mod log_lines;
mod models_refresh;
pub mod moment;
mod provider_capabilities;
mod self_check;
mod spec;
mod status;
mod testing;
mod toolcall_log_tail;
mod version;

#[cfg(test)]
mod fakes;
#[cfg(test)]
mod tests;

use catalogue::Catalogue;
use exai_engine::{
    ports::{logs::Logs, models::Models, vitals::Vitals},
    tool::Tool,
};
use exai_protocol::tool::ToolEntry;
use std::sync::Arc;

/// What the built-in tools may use; cloned into each.
#[derive(Clone)]
pub struct Ports {
    /// Facts of the running process.
    pub vitals: Arc<dyn Vitals>,
    /// The daemon's own logs.
    pub logs: Arc<dyn Logs>,
    /// The models that are known.
    pub catalogue: Arc<Catalogue>,
    /// Who can be asked; without them there is no tool that asks.
    pub models: Option<Arc<dyn Models>>,
}

/// The built-in tools, sorted by name.
#[must_use]
pub fn builtin(ports: &Ports) -> Vec<Arc<dyn Tool>> {
    let mut tools = vec![
        activity::tool(ports),
        challenge::tool(),
        health::tool(ports),
        listmodels::tool(ports),
        provider_capabilities::tool(ports),
        self_check::tool(ports),
        status::tool(ports),
        toolcall_log_tail::tool(ports),
        version::tool(ports),
    ];
    if let Some(models) = &ports.models {
        tools.extend(asking(models));
    }
    tools.sort_by(|a, b| a.spec().name().cmp(b.spec().name()));
    tools
}

/// Those that ask models, and the command line's doors to what is known of them.
fn asking(models: &Arc<dyn Models>) -> Vec<Arc<dyn Tool>> {
    vec![
        chat::tool(models),
        chat::operator_tool(models),
        models_refresh::list(models),
        models_refresh::refresh(models),
    ]
}

/// The scripted tools of the tests; registered only when the environment asks for them.
#[must_use]
pub fn test_tools() -> Vec<Arc<dyn Tool>> {
    testing::all()
}

/// What [`builtin`] lists, without a daemon around it: the list a shim shows before it has
/// ever seen one. Sorted by name.
#[must_use]
pub fn entries() -> Vec<ToolEntry> {
    [
        activity::spec(),
        challenge::spec(),
        health::spec(),
        listmodels::spec(),
        provider_capabilities::spec(),
        self_check::spec(),
        status::spec(),
        toolcall_log_tail::spec(),
        version::spec(),
    ]
    .into_iter()
    .map(|spec| spec.entry)
    .collect()
}
