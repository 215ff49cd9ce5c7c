//! `listmodels`: which models are known, where they are served and what they cost. One model
//! a line, because a model reads this with tokens it pays for.

use crate::{
    Ports,
    catalogue::{Catalogue, Model},
    kind::{self, Answer},
    spec::{self, Words},
};
use exai_engine::tool::{Tool, ToolError, ToolOutput, ToolSpec};
use exai_protocol::Code;
use serde_json::{Value, json};
use std::sync::Arc;

/// What is true of this build, and what will change it.
pub(crate) const NO_PROVIDER: &str = "No provider is configured: this build of exai knows these \
     models but cannot call any yet. Calling models, with keys taken from the environment \
     variables in key_env, comes with a later version; setting them now changes nothing.";

pub(crate) fn spec() -> ToolSpec {
    spec::instant(&Words {
        name: "listmodels",
        title: "List models",
        description: "Known models with endpoint, aliases, token limits, abilities and price \
             in USD per million tokens, and whether any provider is configured.",
        schema: r#"{"type":"object","properties":{}}"#,
    })
}

pub(crate) fn tool(ports: &Ports) -> Arc<dyn Tool> {
    let catalogue = Arc::clone(&ports.catalogue);
    kind::from_memory(spec(), move |_| answer(&catalogue))
}

fn answer(catalogue: &Catalogue) -> Answer {
    let endpoints = catalogue.endpoints.iter().map(|(id, endpoint)| {
        json!({
            "id": id,
            "name": endpoint.name,
            "base_url": known(endpoint.base_url.as_ref()),
            "key_env": endpoint.key_env,
            "configured": false,
        })
    });
    let models = catalogue.models.iter().map(row);
    let text = format!(
        "{{\"configured\":false,\n\"note\":{},\n\"endpoints\":[\n{}\n],\n\"models\":[\n{}\n]}}",
        json!(NO_PROVIDER),
        lines(endpoints)?,
        lines(models)?,
    );
    Ok(ToolOutput::text(&text))
}

fn row(model: &Model) -> Value {
    json!({
        "id": model.id,
        "endpoint": model.endpoint,
        "aliases": model.aliases,
        "limits": { "context": known(model.context), "output": known(model.output) },
        "abilities": if model.abilities.is_empty() { json!("unknown") } else { json!(model.abilities) },
        "price": known(model.price),
    })
}

/// `null` would be read as none; what is not known is called so.
fn known(value: Option<impl serde::Serialize>) -> Value {
    value.map_or_else(|| json!("unknown"), |value| json!(value))
}

fn lines(rows: impl Iterator<Item = Value>) -> Result<String, ToolError> {
    let rows: Result<Vec<String>, _> = rows.map(|row| serde_json::to_string(&row)).collect();
    rows.map(|rows| rows.join(",\n"))
        .map_err(|error| ToolError::new(Code::Internal, format!("cannot write the list: {error}")))
}
