//! `provider_capabilities`: what can be done here: the endpoints with their abilities, and
//! the tools.

use crate::{
    Ports,
    args::Args,
    catalogue::Catalogue,
    kind::{self, Answer},
    listmodels::NO_PROVIDER,
    spec::{self, Words},
};
use exai_engine::{
    ports::vitals::Vitals,
    tool::{Tool, ToolCall, ToolOutput, ToolSpec},
};
use serde_json::{Map, Value, json};
use std::{collections::BTreeSet, sync::Arc};

pub(crate) fn spec() -> ToolSpec {
    spec::instant(&Words {
        name: "provider_capabilities",
        title: "Provider capabilities",
        description: "Which providers are configured, what their models can do, and which tools exist.",
        schema: r#"{"type":"object","properties":{"include_tools":{"type":"boolean","default":true,"description":"List tool names."},"show_advanced":{"type":"boolean","default":false,"description":"Add addresses, key names, models."},"invalidate_cache":{"type":"boolean","default":false}}}"#,
    })
}

pub(crate) fn tool(ports: &Ports) -> Arc<dyn Tool> {
    let ports = ports.clone();
    kind::from_memory(spec(), move |call| {
        answer(&*ports.vitals, &ports.catalogue, call)
    })
}

fn answer(vitals: &dyn Vitals, catalogue: &Catalogue, call: &ToolCall) -> Answer {
    let args = Args::of(call)?;
    let include_tools = args.flag("include_tools", true)?;
    let advanced = args.flag("show_advanced", false)?;
    args.flag("invalidate_cache", false)?;
    let providers: Map<String, Value> = catalogue
        .endpoints
        .keys()
        .map(|id| (id.clone(), provider(catalogue, id, advanced)))
        .collect();
    let mut answer = json!({ "configured": [], "note": NO_PROVIDER, "providers": providers });
    if include_tools {
        let names: Vec<String> = vitals.tools().into_iter().map(|tool| tool.name).collect();
        answer["tools"] = json!(names);
    }
    ToolOutput::json(&answer)
}

fn provider(catalogue: &Catalogue, id: &str, advanced: bool) -> Value {
    let models = || catalogue.models.iter().filter(|model| model.endpoint == id);
    let abilities: BTreeSet<&str> = models()
        .flat_map(|model| model.abilities.iter().map(String::as_str))
        .collect();
    let mut facts = json!({
        "configured": false,
        "models": models().count(),
        "abilities": abilities.into_iter().collect::<Vec<_>>().join(", "),
        "largest_context": models().filter_map(|model| model.context).max(),
    });
    if advanced && let Some(endpoint) = catalogue.endpoints.get(id) {
        facts["name"] = json!(endpoint.name);
        facts["dialect"] = json!(endpoint.dialect);
        facts["base_url"] = json!(endpoint.base_url);
        facts["key_env"] = json!(endpoint.key_env);
        facts["max_inflight"] = json!(endpoint.max_inflight);
        facts["model_ids"] = models().map(|model| model.id.as_str()).collect();
    }
    facts
}
