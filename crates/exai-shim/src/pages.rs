//! A result too large for one frame of the daemon's, fetched in pages and put together for a
//! client that knows nothing of pages.

use exai_client::{Client, Handle};
use exai_protocol::{Code, RawValue, call::CallToolRes, error::Ran};
use std::time::Duration;

/// Largest result put together from pages for a client.
const MAX_COLLECTED: u64 = 32 * 1024 * 1024;
/// Longest time for that.
const COLLECT_WITHIN: Duration = Duration::from_secs(20);

/// The tool ran, and its result did not fit a frame.
pub(crate) fn are_due(result: &CallToolRes) -> bool {
    let error = result.error.as_ref();
    error.is_some_and(|error| error.code == Code::TooLarge && error.ran == Some(Ran::Yes))
}

/// The whole result, if it is not absurd.
pub(crate) async fn put_together(
    client: &Client,
    handle: &Handle,
    result: CallToolRes,
) -> CallToolRes {
    let collected =
        tokio::time::timeout(COLLECT_WITHIN, client.collect(handle, MAX_COLLECTED)).await;
    match collected {
        Ok(Ok(collected)) => match RawValue::from_string(collected.outputs) {
            Ok(outputs) => CallToolRes {
                outputs: Some(outputs),
                error: collected.error.filter(|error| error.code != Code::TooLarge),
                ..result
            },
            Err(_) => result,
        },
        Ok(Err(error)) => {
            tracing::info!(%handle, %error, "a large result was not fetched");
            absurd(result)
        }
        Err(_) => absurd(result),
    }
}

/// The daemon's words are for programs that can page; a model can only ask for less.
fn absurd(mut result: CallToolRes) -> CallToolRes {
    if let Some(error) = &mut result.error {
        error.message = format!(
            "The tool ran, and its result is too large to be passed on (more than {} MiB). Ask \
             for less: a narrower filter, fewer lines, a smaller range.",
            MAX_COLLECTED / (1024 * 1024)
        );
    }
    result
}
