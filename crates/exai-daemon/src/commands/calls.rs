//! `calls`: the journal. Read from the database itself, so that it works with and without a
//! running daemon; only to stop a call takes one.

mod show;

use super::{moment_of, next_step};
use crate::{
    cli::{Calls, CallsAction},
    compose,
    context::Context,
    dial::Connection,
    exit::{self, Code},
    funds,
    lifecycle::alive,
    output,
};
use anyhow::{Context as _, Result, bail};
use exai_protocol::{RequestId, control::CallState};
use exai_store::{CallRow, CallsQuery, Reader};

/// Calls that may share one request id, each of another client.
const NAMESAKES: usize = 20;

pub(super) async fn run(context: &Context, options: &Calls) -> Result<Code> {
    match &options.action {
        None => list(context, options),
        Some(CallsAction::Show { id, json }) => {
            let call = one(context, id)?;
            if *json {
                output::json(&show::json(&call, &alive::with_work(&context.home)))?;
                return Ok(exit::OK);
            }
            for line in output::columns(&show::details(&call, &alive::with_work(&context.home))) {
                output::line(line)?;
            }
            Ok(exit::OK)
        }
        Some(CallsAction::Result { id, json }) => result(context, id, *json),
        Some(CallsAction::Cancel { id }) => cancel(context, &one(context, id)?).await,
    }
}

fn list(context: &Context, options: &Calls) -> Result<Code> {
    let now = (compose::system_clock())();
    let since = options.since.as_deref();
    let since = since.map(|text| moment_of("--since", text, now, false));
    let query = CallsQuery {
        since: since.transpose()?,
        open: options.open,
        failed: options.failed,
        which: None,
        most: usize::try_from(options.lines).unwrap_or(usize::MAX),
    };
    let calls = match reader(context)? {
        Some(reader) => reader.calls(&query)?,
        None => Vec::new(),
    };
    let lives = alive::with_work(&context.home);
    if options.json {
        let rows = calls.iter().map(|call| show::json(call, &lives));
        output::json(&rows.collect::<Vec<_>>())?;
        return Ok(exit::OK);
    }
    if calls.is_empty() {
        next_step(
            "no such call is in the journal; tools that answer at once are not written there",
        );
        return Ok(exit::OK);
    }
    for line in output::columns(&show::rows(&calls, &lives, now)) {
        output::line(line)?;
    }
    Ok(exit::OK)
}

fn result(context: &Context, id: &str, json: bool) -> Result<Code> {
    let call = one(context, id)?;
    let reader = reader(context)?.context("there is no database yet")?;
    let kept = reader.result(call.id, &funds::results_of(&context.home))?;
    let Some(outputs) = kept.and_then(|kept| kept.outputs.clone()) else {
        let why = match (&call.error, call.state.as_str()) {
            (Some(error), _) => format!("it returned nothing: {error}"),
            (None, "finished") => "its result is no longer kept".to_owned(),
            (None, state) => format!("it has no end yet: {state}"),
        };
        bail!(exit::FAILURE.because(format!("call {}: {why}", call.id)));
    };
    if json {
        output::line(outputs.get())?;
    } else {
        output::raw(show::text(outputs.get()).as_bytes())?;
    }
    Ok(exit::OK)
}

async fn cancel(context: &Context, call: &CallRow) -> Result<Code> {
    if call.state == "finished" {
        let outcome = call.outcome.as_deref().unwrap_or("finished");
        bail!(exit::FAILURE.because(format!("call {} has ended: {outcome}", call.id)));
    }
    let connection = Connection::open(context).await?;
    let id = RequestId::new(&*call.request);
    let owner = crate::named::owner();
    let key = Some(&*call.principal).filter(|key| *key != owner.as_str());
    let reply = connection.client.stop_of(key, &call.scope, &id).await;
    connection.close().await;
    let words = match reply?.state {
        CallState::Running => "was running and is being stopped",
        CallState::Queued => "waited and will not run",
        CallState::Finished | CallState::Expired => "has ended meanwhile",
        CallState::Unknown => "is not known to the daemon",
    };
    output::line(format!(
        "call {} of {}: {words}",
        call.id,
        output::tame(&call.tool)
    ))?;
    Ok(exit::OK)
}

/// The one call of that name.
fn one(context: &Context, id: &str) -> Result<CallRow> {
    let which = Some(id.to_owned());
    let query = CallsQuery {
        which,
        most: NAMESAKES,
        ..CallsQuery::default()
    };
    let mut found = match reader(context)? {
        Some(reader) => reader.calls(&query)?,
        None => Vec::new(),
    };
    if let Some(at) = found.iter().position(|call| call.id.to_string() == id) {
        return Ok(found.swap_remove(at));
    }
    match found.len() {
        1 => Ok(found.remove(0)),
        0 => bail!(exit::FAILURE.because(format!(
            "the journal has no call {id}; `exai-daemon calls` lists them"
        ))),
        many => {
            let numbers: Vec<String> = found.iter().map(|call| call.id.to_string()).collect();
            bail!(exit::USAGE.because(format!(
                "{many} calls of different clients are named {id}; say which by its number: {}",
                numbers.join(", ")
            )))
        }
    }
}

fn reader(context: &Context) -> Result<Option<Reader>> {
    let file = context.home.database();
    Ok(file.exists().then(|| Reader::open(&file)).transpose()?)
}
