//! The tool suite, one file a tool. Tools speak only to the engine's ports, so that each can
//! be tested with fakes and none can reach around the daemon. The scripted test tools are
//! the exception that proves it: they exist to be seen from outside.

mod activity;
mod apilookup;
mod args;
mod attempt;
mod challenge;
mod change;
mod chat;
mod clink;
mod consensus;
mod files;
mod files_preview;
mod health;
mod history;
mod kind;
pub mod language;
pub mod library;
mod listmodels;
mod log_lines;
mod models_refresh;
pub mod moment;
mod ollama;
pub mod own;
mod provider_capabilities;
mod provider_tools;
mod request;
mod self_check;
mod spec;
mod status;
mod testing;
mod threads;
mod tool_invoke;
mod toolcall_log_tail;
mod tools_search;
pub mod transcript;
mod version;
mod wish;
mod workflow;

#[cfg(test)]
mod fakes;
#[cfg(test)]
mod tests;

use exai_engine::{
    ports::{logs::Logs, models::Models, ollama::Ollama, threads::Threads, vitals::Vitals},
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
    /// The models that are known, and can be asked.
    pub models: Arc<dyn Models>,
    /// The Ollama servers, for whoever runs the daemon.
    pub ollama: Option<Arc<dyn Ollama>>,
    /// Conversations.
    pub threads: Arc<dyn Threads>,
}

/// The built-in tools, sorted by name.
#[must_use]
pub fn builtin(ports: &Ports) -> Vec<Arc<dyn Tool>> {
    let models = &ports.models;
    let mut tools = vec![
        activity::tool(ports),
        apilookup::tool(ports),
        challenge::tool(),
        chat::tool(models, &ports.threads),
        chat::once(models),
        clink::tool(ports),
        consensus::tool(models, &ports.threads),
        files_preview::tool(),
        health::tool(ports),
        listmodels::tool(ports),
        models_refresh::list(models),
        models_refresh::refresh(models),
        provider_capabilities::tool(ports),
        self_check::tool(ports),
        status::tool(ports),
        threads::import(&ports.threads),
        threads::tool(&ports.threads),
        tool_invoke::tool(),
        tools_search::tool(ports),
        toolcall_log_tail::tool(ports),
        version::tool(ports),
    ];
    tools.extend(provider_tools::tools(ports));
    tools.extend(workflow::tools(models, &ports.threads));
    if let Some(servers) = &ports.ollama {
        tools.extend(ollama::tools(servers));
    }
    tools.sort_by(|a, b| a.spec().name().cmp(b.spec().name()));
    tools
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
    let mut specs = vec![
        activity::spec(),
        apilookup::spec(),
        challenge::spec(),
        chat::spec(),
        clink::spec(),
        consensus::spec(),
        health::spec(),
        listmodels::spec(),
        provider_capabilities::spec(),
        self_check::spec(),
        status::spec(),
        threads::spec(),
        tool_invoke::spec(),
        toolcall_log_tail::spec(),
        tools_search::spec(),
        version::spec(),
    ];
    specs.extend(provider_tools::specs());
    specs.extend(workflow::specs());
    specs.sort_by(|a, b| a.name().cmp(b.name()));
    specs.into_iter().map(|spec| spec.entry).collect()
}
