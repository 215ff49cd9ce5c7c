//! `provider_capabilities`: what can be done here: the endpoints with their abilities, and
//! the tools.

use crate::{
    Ports,
    args::Args,
    kind::{self, Answer},
    spec::{self, Words},
};
use exai_engine::{
    ports::models::{EndpointRow, Listing, ModelRow},
    tool::{Tool, ToolCall, ToolOutput, ToolSpec},
};
use serde_json::{Map, Value, json};
use std::{collections::BTreeSet, sync::Arc};

pub(crate) fn spec() -> ToolSpec {
    spec::instant(&Words {
        name: "provider_capabilities",
        title: "Provider capabilities",
        description: "Which providers are configured, what their models can do, and which tools exist.",
        schema: r#"{"type":"object","properties":{"include_tools":{"type":"boolean","default":true,"description":"List tool names."},"show_advanced":{"type":"boolean","default":false,"description":"Add addresses and key names."},"invalidate_cache":{"type":"boolean","default":false}}}"#,
    })
}

pub(crate) fn tool(ports: &Ports) -> Arc<dyn Tool> {
    let ports = ports.clone();
    kind::from_memory(spec(), move |call| answer(&ports, call))
}

fn answer(ports: &Ports, call: &ToolCall) -> Answer {
    let args = Args::of(call)?;
    let include_tools = args.flag("include_tools", true)?;
    let advanced = args.flag("show_advanced", false)?;
    args.flag("invalidate_cache", false)?;
    let listing = ports.models.listing();
    let endpoints = listing.endpoints.iter();
    let providers: Map<String, Value> = endpoints
        .map(|row| (row.name.clone(), provider(&listing, row, advanced)))
        .collect();
    let ready = listing.endpoints.iter().filter(|row| row.ready);
    let configured: Vec<&str> = ready.map(|row| row.name.as_str()).collect();
    let mut answer = json!({ "configured": configured, "providers": providers });
    if !listing.advice.is_empty() {
        answer["advice"] = json!(listing.advice);
    }
    if include_tools {
        let names: Vec<String> = ports
            .vitals
            .tools()
            .into_iter()
            .map(|tool| tool.name)
            .collect();
        answer["tools"] = json!(names);
    }
    ToolOutput::json(&answer)
}

/// What cannot be used is told in a line, unless all was asked for.
fn provider(listing: &Listing, row: &EndpointRow, advanced: bool) -> Value {
    let mut facts = json!({ "configured": row.ready });
    if let Some(lacks) = &row.lacks {
        facts["lacks"] = json!(lacks);
    }
    if row.ready || advanced {
        let models = || {
            listing
                .models
                .iter()
                .filter(|model| model.endpoint == row.name)
        };
        let words: BTreeSet<&str> = models().flat_map(abilities).collect();
        facts["models"] = json!(models().count());
        facts["abilities"] = json!(words.into_iter().collect::<Vec<_>>().join(", "));
        facts["largest_context"] = json!(models().filter_map(|model| model.context).max());
    }
    if row.breaker_cause.is_some() {
        facts["breaker"] = json!(row.breaker);
        facts["breaker_cause"] = json!(row.breaker_cause);
    }
    if advanced {
        facts["name"] = json!(row.title);
        facts["dialect"] = json!(row.dialect);
        facts["base_url"] = json!(row.base_url);
        facts["key_from"] = json!(row.key_from);
        facts["in_flight"] = json!(row.in_flight);
        facts["max_inflight"] = json!(row.concurrency);
    }
    facts
}

fn abilities(model: &ModelRow) -> impl Iterator<Item = &str> {
    model.abilities.iter().map(String::as_str)
}
