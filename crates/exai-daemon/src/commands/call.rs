//! `call`: one call as a person wants it: what it is doing while it runs, its text when it is
//! done, a clear way to stop it. The result alone goes to standard output.

mod arguments;
mod show;

use super::Interrupts;
use crate::{
    cli::Call,
    context::Context,
    dial::Connection,
    exit::{self, Code},
    output,
};
use anyhow::Result;
use exai_client::{CallEvent, CallSpec, CallStream, Client};
use exai_protocol::{
    Code as WireCode, RawValue, call::CallToolRes, names, request::CancelMode, tool::ToolEntry,
};
use show::Progress;

/// The largest result that is put together from pages.
const MOST: u64 = 1 << 30;

pub(super) async fn run(context: &Context, options: &Call) -> Result<Code> {
    let given = arguments::given(options)?;
    let connection = Connection::named(context, "exai-daemon-call").await?;
    let ended = made(&connection.client, options, given).await;
    let code = match ended {
        Ok(Some(result)) => tell(&connection.client, options, result).await,
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
    follow(stream, Progress::new(&options.tool, options.quiet)).await
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "at most a day"
)]
fn milliseconds(seconds: f64) -> u64 {
    (seconds * 1000.0).ceil() as u64
}

/// The first Ctrl-C stops the call and waits for its end, the second leaves at once.
async fn follow(mut stream: CallStream, mut progress: Progress) -> Result<Option<CallToolRes>> {
    let mut interrupts = Interrupts::new();
    let mut asked = false;
    let mut tick = tokio::time::interval(show::TICK);
    loop {
        tokio::select! {
            event = stream.next() => match event {
                Some(CallEvent::Finished(result)) => return Ok(Some(result)),
                Some(CallEvent::Acknowledged { timeout }) => progress.accepted(timeout),
                Some(CallEvent::Progress(news)) => progress.heard(&news),
                Some(CallEvent::Partial(_)) => {}
                None => return Ok(None),
            },
            _ = tick.tick() => progress.tick(),
            () = interrupts.next() => {
                if std::mem::replace(&mut asked, true) {
                    progress.say("not waiting any longer; the daemon ends the call by itself");
                    return Ok(None);
                }
                progress.say("stopping the call (Ctrl-C again: do not wait for its end)");
                stream.cancel(CancelMode::Stop, "Ctrl-C in exai-daemon call").await;
            }
        }
    }
}

/// Prints a result and says how it ended.
async fn tell(client: &Client, options: &Call, mut result: CallToolRes) -> Result<Code> {
    let too_large = result
        .error
        .as_ref()
        .is_some_and(|error| error.code == WireCode::TooLarge);
    if too_large && let Ok(whole) = client.collect(&result.request_id, MOST).await {
        output::hint(format!(
            "a large result ({} bytes), collected in pages",
            whole.outputs.len()
        ));
        result.outputs = RawValue::from_string(whole.outputs).ok();
        result.error = whole.error.filter(|error| error.code != WireCode::TooLarge);
    }
    if options.full {
        output::json(&result)?;
    } else if let Some(outputs) = &result.outputs {
        let text = show::text(outputs.get());
        let tamed = if output::data_is_watched() {
            output::tame(&text)
        } else {
            text
        };
        if !tamed.is_empty() {
            output::raw(tamed.as_bytes())?;
            output::raw(if tamed.ends_with('\n') { b"" } else { b"\n" })?;
        }
    }
    let Some(error) = result.error else {
        return Ok(exit::OK);
    };
    let again = error
        .retry_after
        .map(|seconds| format!(" (try again in {seconds} s)"));
    output::error(&format!(
        "{}{}",
        output::tame(&error.to_string()),
        again.unwrap_or_default()
    ));
    Ok(Code::of(error.code.outcome()))
}
