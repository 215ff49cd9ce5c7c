//! The predecessor's tools that were named after a provider, for agents whose instructions name
//! them. Each is what exai does anyway, under its old name and with its old arguments; none of
//! them is listed unless a profile says so.

mod extract;
mod preview;
mod search;
mod twins;
mod with_tools;

#[cfg(test)]
mod tests;

use crate::Ports;
use exai_engine::{
    ports::models::Models,
    tool::{Tool, ToolError, ToolSpec},
};
use std::sync::Arc;

pub(crate) fn tools(ports: &Ports) -> Vec<Arc<dyn Tool>> {
    let mut all = twins::tools(ports);
    all.extend([
        extract::tool(ports),
        preview::tool(ports),
        search::tool(ports),
        with_tools::tool(ports),
    ]);
    all
}

pub(crate) fn specs() -> Vec<ToolSpec> {
    let mut all = twins::specs();
    all.extend([
        extract::spec(),
        preview::spec(),
        search::spec(),
        with_tools::spec(),
    ]);
    all
}

/// A model, and why it is this one where the caller named none.
type Chosen = (String, Option<String>);

/// The model that was named, or the first at this endpoint that can be asked now.
fn model_at(models: &dyn Models, endpoint: &str, named: Option<&str>) -> Result<Chosen, ToolError> {
    let named = named.map(str::trim).filter(|name| !name.is_empty());
    if let Some(name) = named.filter(|name| !name.eq_ignore_ascii_case("auto")) {
        return Ok((name.to_owned(), None));
    }
    let listing = models.listing();
    let mut rows = listing.models.iter().filter(|row| row.endpoint == endpoint);
    if let Some(row) = rows.find(|row| row.ready) {
        let why = format!("the first at {endpoint} that can be asked");
        return Ok((format!("{}@{endpoint}", row.id), Some(why)));
    }
    let known = listing.endpoints.iter().find(|row| row.name == endpoint);
    let lacks = known.and_then(|row| row.lacks.clone());
    let lacks = lacks.unwrap_or_else(|| "none of its models is known".to_owned());
    Err(ToolError::invalid(format!(
        "no model at {endpoint} can be asked: {lacks}. Nothing was sent; name a 'model' of another \
         provider, or use chat"
    )))
}
