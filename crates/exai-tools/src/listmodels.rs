//! `listmodels`: which models can be asked, what they can and what they cost. One model a line
//! and only those that are ready, because a model reads this with tokens it pays for; what is
//! not ready is a name and what it lacks. Everything, on request, as JSON.

mod lines;

use crate::{
    Ports,
    args::Args,
    kind::{self, Answer},
    spec::{self, Words},
};
use exai_engine::{
    ports::models::{Listing, Models},
    tool::{Tool, ToolCall, ToolError, ToolOutput, ToolSpec},
};
use exai_protocol::Code;
use std::sync::Arc;

pub(crate) fn spec() -> ToolSpec {
    spec::instant(&Words {
        name: "listmodels",
        title: "List models",
        description: "Models that can be asked: context, abilities, US dollars per million \
             tokens; and what those that cannot lack.",
        schema: r#"{"type":"object","properties":{"endpoint":{"type":"string","description":"Only this endpoint's."},"ready":{"type":"boolean","default":false,"description":"Only what can be used now."},"full":{"type":"boolean","default":false,"description":"All that is known, as JSON."}}}"#,
    })
}

pub(crate) fn tool(ports: &Ports) -> Arc<dyn Tool> {
    let models = Arc::clone(&ports.models);
    kind::from_memory(spec(), move |call| answer(&*models, call))
}

fn answer(models: &dyn Models, call: &ToolCall) -> Answer {
    let args = Args::of(call)?;
    let (ready, full) = (args.flag("ready", false)?, args.flag("full", false)?);
    let endpoint = args.text("endpoint")?.filter(|name| !name.is_empty());
    let mut listing = (*models.listing()).clone();
    if let Some(name) = endpoint {
        only(&mut listing, name)?;
    }
    if ready {
        listing.endpoints.retain(|row| row.ready);
        listing.models.retain(|row| row.ready);
    }
    let text = if full {
        json(&listing)?
    } else {
        lines::compact(&listing, endpoint.is_some())
    };
    Ok(ToolOutput::text(&text))
}

fn only(listing: &mut Listing, name: &str) -> Result<(), ToolError> {
    if !listing.endpoints.iter().any(|row| row.name == name) {
        let known: Vec<&str> = listing.endpoints.iter().map(|row| &*row.name).collect();
        let known = known.join(", ");
        return Err(ToolError::invalid(format!(
            "'endpoint': there is no endpoint '{name}'; known are {known}"
        )));
    }
    listing.endpoints.retain(|row| row.name == name);
    listing.models.retain(|row| row.endpoint == name);
    Ok(())
}

/// One row a line, so that a person can read it too.
fn json(listing: &Listing) -> Result<String, ToolError> {
    let endpoints = rows(&listing.endpoints)?;
    let models = rows(&listing.models)?;
    let advice = serde_json::to_string(&listing.advice).map_err(|error| unwritten(&error))?;
    Ok(format!(
        "{{\"note\":\"null is: not known\",\n\"advice\":{advice},\n\"endpoints\":[\n{endpoints}\n],\n\"models\":[\n{models}\n]}}"
    ))
}

fn rows(rows: &[impl serde::Serialize]) -> Result<String, ToolError> {
    let rows: Result<Vec<String>, _> = rows.iter().map(serde_json::to_string).collect();
    rows.map(|rows| rows.join(",\n"))
        .map_err(|error| unwritten(&error))
}

fn unwritten(error: &serde_json::Error) -> ToolError {
    ToolError::new(Code::Internal, format!("cannot write the list: {error}"))
}
