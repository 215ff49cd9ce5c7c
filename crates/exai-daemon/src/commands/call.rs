//! `call`: one call as a person wants it: what it is doing while it runs, its text when it is
//! done, a clear way to stop it. The result alone goes to standard output.

mod arguments;
pub(super) mod follow;
pub(super) mod live;
pub(super) mod show;

use super::{Interrupts, for_people};
use crate::{
    cli::Call,
    context::Context,
    dial::Connection,
    exit::{self, Code},
    lifecycle::spawn,
    output,
};
use anyhow::Result;
use exai_client::{CallSpec, Client};
use exai_protocol::{RawValue, call::CallToolRes, names, tool::ToolEntry};
use follow::{follow, milliseconds};
use live::Live;
use show::Progress;

pub(super) async fn run(context: &Context, options: &Call) -> Result<Code> {
    anyhow::ensure!(
        !spawn::is_inside(),
        "exai runs this agent (EXAI_CLI_DEPTH is set), so it calls none of exai's tools: it could \
         be handed its own task again without end. Nothing was run; work without them."
    );
    let given = arguments::given(options)?;
    let connection = Connection::named(context, "exai-daemon-call").await?;
    // The whole result as JSON is no reading matter until it is whole.
    let mut live = Live::new(output::data_is_watched() && !options.full);
    let ended = made(&connection.client, options, given, &mut live).await;
    let code = match ended {
        Ok(Some(result)) => tell(&connection.client, options, result, live).await,
        Ok(None) => Ok(exit::CANCELLED),
        Err(error) => Err(error),
    };
    connection.close().await;
    code
}

/// Makes the call and follows it; `None` when the person did not want to see its end.
async fn made(
    client: &Client,
    options: &Call,
    given: arguments::Given,
    live: &mut Live,
) -> Result<Option<CallToolRes>> {
    let tools: Vec<ToolEntry> = serde_json::from_str(client.list_tools().await?.tools.get())?;
    let exists = |name: &str| tools.iter().any(|tool| tool.name == name);
    let name = names::resolve(&options.tool, exists);
    let tool = tools.iter().find(|tool| Some(tool.name.as_str()) == name);
    let arguments = given.shaped(tool.map(|tool| tool.input_schema.get()))?;
    let spec = CallSpec {
        request_id: client.mint(),
        name: options.tool.clone(),
        arguments: Some(RawValue::from_string(arguments)?),
        timeout_ms: options.timeout.map(milliseconds),
        roots: None,
        repeatable: tool
            .and_then(|tool| tool.annotations)
            .is_some_and(|hints| hints.repeatable()),
    };
    let stream = client.call(spec).await;
    let mut progress = Progress::new(&options.tool, options.quiet);
    follow(stream, &mut Interrupts::new(), &mut progress, live).await
}

/// Prints a result and says how it ended.
async fn tell(client: &Client, options: &Call, result: CallToolRes, live: Live) -> Result<Code> {
    let result = follow::whole(client, result).await;
    if options.full {
        output::json(&result)?;
    } else {
        let text = result.outputs.as_ref().map(|raw| show::text(raw.get()));
        live.finish(&text.unwrap_or_default())?;
    }
    let words = for_people::told_of_a_call;
    Ok(follow::code_told(result.error.as_ref(), words))
}
