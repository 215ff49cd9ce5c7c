//! A call from its first sign of life to its end, for every command that makes one: progress,
//! text as it grows, and Ctrl-C.

use super::{live::Live, show, show::Progress};
use crate::{
    commands::{Interrupts, for_people},
    exit::{self, Code},
    output,
};
use anyhow::Result;
use exai_client::{CallEvent, CallSpec, CallStream, Client};
use exai_protocol::{
    Code as WireCode, RawValue, WireError, call::CallToolRes, request::CancelMode,
};
use serde_json::Value;

/// The largest result that is put together from pages.
const MOST: u64 = 1 << 30;

/// A call for whoever runs the daemon, as the wire wants it.
pub(in crate::commands) fn spec(
    client: &Client,
    tool: &str,
    arguments: &Value,
) -> Result<CallSpec> {
    Ok(CallSpec {
        request_id: client.mint(),
        name: tool.to_owned(),
        arguments: Some(RawValue::from_string(arguments.to_string())?),
        timeout_ms: None,
        roots: None,
        repeatable: false,
    })
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "at most a day"
)]
pub(in crate::commands) fn milliseconds(seconds: f64) -> u64 {
    (seconds * 1000.0).ceil() as u64
}

/// The first Ctrl-C stops the call and waits for its end, the second leaves at once; then there
/// is no end to return.
pub(in crate::commands) async fn follow(
    mut stream: CallStream,
    interrupts: &mut Interrupts,
    progress: &mut Progress,
    live: &mut Live,
) -> Result<Option<CallToolRes>> {
    let mut asked = false;
    let mut tick = tokio::time::interval(show::TICK);
    loop {
        tokio::select! {
            event = stream.next() => match event {
                Some(CallEvent::Finished(result)) => {
                    progress.clear();
                    return Ok(Some(result));
                }
                Some(CallEvent::Acknowledged { timeout }) => progress.accepted(timeout),
                Some(CallEvent::Progress(news)) => progress.heard(&news),
                Some(CallEvent::Partial(text)) => {
                    progress.reads(&text, live.is_on());
                    live.grow(&text)?;
                }
                // Only what was attached to hears that.
                Some(CallEvent::Attached { .. }) => {}
                None => return Ok(None),
            },
            _ = tick.tick() => progress.tick(),
            () = interrupts.next() => {
                live.pause()?;
                if std::mem::replace(&mut asked, true) {
                    progress.say("not waiting any longer; the daemon ends the call by itself");
                    return Ok(None);
                }
                progress.say("stopping the call (Ctrl-C again: do not wait for its end)");
                stream.cancel(CancelMode::Stop, "Ctrl-C in exai-daemon").await;
            }
        }
    }
}

/// The result with all its bytes: what is over a frame's limit is collected in pages.
pub(in crate::commands) async fn whole(client: &Client, mut result: CallToolRes) -> CallToolRes {
    let too_large = result
        .error
        .as_ref()
        .is_some_and(|error| error.code == WireCode::TooLarge);
    if too_large
        && let Ok(whole) = client
            .collect(&client.handle(&result.request_id), MOST)
            .await
    {
        output::hint(format!(
            "a large result ({} bytes), collected in pages",
            whole.outputs.len()
        ));
        result.outputs = RawValue::from_string(whole.outputs).ok();
        result.error = whole.error.filter(|error| error.code != WireCode::TooLarge);
    }
    result
}

/// How a call's end ends a command; an error is told first, in the words of commands.
pub(in crate::commands) fn code(error: Option<&WireError>) -> Code {
    code_told(error, for_people::told)
}

/// The same, in these words.
pub(in crate::commands) fn code_told(
    error: Option<&WireError>,
    words: fn(&WireError) -> String,
) -> Code {
    let Some(error) = error else {
        return exit::OK;
    };
    let again = error
        .retry_after
        .map(|seconds| format!(" (try again in {seconds} s)"));
    output::error(&format!(
        "{}{}",
        output::tame(&words(error)),
        again.unwrap_or_default()
    ));
    Code::of(error.code.outcome())
}
