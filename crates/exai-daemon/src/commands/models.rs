//! `models`: what can be asked, what it takes and costs; the providers' own lists; and one tiny
//! real question, to see where the time goes.

mod table;
mod test;

use super::{
    Interrupts,
    call::{
        follow::{self, follow, spec},
        live::Live,
        show::{self, Progress},
    },
    next_step,
};
use crate::{
    cli::{Models, ModelsAction},
    context::Context,
    dial::Connection,
    exit::{self, Code},
    output,
};
use anyhow::{Context as _, Result};
use exai_client::Client;
use exai_protocol::call::CallToolRes;
use serde_json::{Value, json};

pub(super) async fn run(context: &Context, options: &Models) -> Result<Code> {
    let connection = Connection::named(context, "exai-daemon-models").await?;
    let client = &connection.client;
    let code = match &options.action {
        None => list(client, options).await,
        Some(ModelsAction::Refresh { endpoint }) => refresh(client, endpoint.as_deref()).await,
        Some(ModelsAction::Test { name, json }) => test::run(client, name, *json).await,
    };
    connection.close().await;
    code
}

/// Runs one of the daemon's tools for its owner; `None` when the person left.
async fn operate(
    client: &Client,
    (tool, shown): (&str, &str),
    arguments: &Value,
) -> Result<Option<CallToolRes>> {
    let stream = client.operate(spec(client, tool, arguments)?).await;
    let (mut progress, mut live) = (Progress::new(shown, false), Live::new(false));
    match follow(stream, &mut Interrupts::new(), &mut progress, &mut live).await? {
        Some(result) => Ok(Some(follow::whole(client, result).await)),
        None => Ok(None),
    }
}

fn text(result: &CallToolRes) -> String {
    result
        .outputs
        .as_ref()
        .map(|raw| show::text(raw.get()))
        .unwrap_or_default()
}

async fn list(client: &Client, options: &Models) -> Result<Code> {
    let result = operate(client, ("models_list", "models"), &json!({})).await?;
    let Some(result) = result else {
        return Ok(exit::CANCELLED);
    };
    if result.error.is_some() {
        return Ok(follow::code(result.error.as_ref()));
    }
    if options.json {
        let value: Value = serde_json::from_str(&text(&result))?;
        output::json(&value)?;
        return Ok(exit::OK);
    }
    let listing: table::Listing =
        serde_json::from_str(&text(&result)).context("the list of models cannot be read")?;
    for line in listing.lines(options.all) {
        output::line(output::tame(&line))?;
    }
    for words in listing.advice() {
        next_step(&output::tame(words));
    }
    Ok(exit::OK)
}

async fn refresh(client: &Client, endpoint: Option<&str>) -> Result<Code> {
    let arguments = endpoint.map_or_else(|| json!({}), |name| json!({ "endpoint": name }));
    let result = operate(client, ("models_refresh", "models refresh"), &arguments).await?;
    let Some(result) = result else {
        return Ok(exit::CANCELLED);
    };
    let found = text(&result);
    if !found.is_empty() {
        output::line(output::tame(&found))?;
    }
    Ok(follow::code(result.error.as_ref()))
}
