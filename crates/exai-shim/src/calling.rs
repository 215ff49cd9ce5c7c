//! One tool call, from the client's request to its answer. It ends with an answer whatever the
//! daemon does, and without one when the client has let go.

use crate::{
    answer,
    handler::Shim,
    progress::{self, Reporter},
    tickets::{LetGo, Ticket},
};
use exai_client::{CallEvent, CallSpec, CallStream, Client, LinkState};
use exai_protocol::{Code, RequestId, WireError, call::CallToolRes, error::Ran};
use futures_util::FutureExt as _;
use rmcp::{
    RoleServer,
    model::{CallToolResult, ErrorData},
    service::RequestContext,
};
use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};
use tokio::{sync::watch, time::sleep_until};

/// Largest result put together from pages for a client.
const MAX_COLLECTED: u64 = 32 * 1024 * 1024;
/// Longest time for that.
const COLLECT_WITHIN: Duration = Duration::from_secs(20);

/// Runs a call so that not even a bug of ours leaves it without an answer.
pub(crate) async fn guarded(
    shim: &Shim,
    name: &str,
    context: &RequestContext<RoleServer>,
) -> Result<CallToolResult, ErrorData> {
    let run = AssertUnwindSafe(run(shim, name, context)).catch_unwind();
    run.await.unwrap_or_else(|_| {
        let id = &context.id;
        tracing::error!(%id, tool = name, "a call of this shim panicked");
        let message = format!(
            "exai-shim failed internally during this call (reference: pid {}, id {id}; see \
             ws_shim.log). Whether the tool ran is not known.",
            std::process::id()
        );
        answer::of_error(
            WireError::new(Code::Internal, message).ran(Ran::Unknown),
            shim.era(context),
        )
    })
}

async fn run(
    shim: &Shim,
    name: &str,
    context: &RequestContext<RoleServer>,
) -> Result<CallToolResult, ErrorData> {
    let Some(ticket) = context.extensions.get::<Arc<Ticket>>().cloned() else {
        return Err(ErrorData::internal_error(
            "the call lost its arguments",
            None,
        ));
    };
    let client = shim.bridge.client(|| context.client_info());
    let token = context.meta.get_progress_token();
    let mut reporter = token.map(|token| Reporter::new(token, shim.output.clone()));
    let mut link = client.link();
    if let Some(reporter) = &mut reporter {
        reporter.say(words(&link.borrow_and_update()));
    }
    let spec = CallSpec {
        request_id: client.mint(),
        name: name.to_owned(),
        arguments: ticket.take_arguments(),
        timeout_ms: shim.bridge.call_budget_ms(),
        roots: shim.bridge.roots(),
        repeatable: shim.catalog.list().is_repeatable(name),
    };
    let mut stream = client.call(spec).await;
    match follow(&mut stream, &ticket, &mut link, reporter.as_mut()).await {
        Ok(result) => answer::of_call(whole(client, stream.id(), result).await, shim.era(context)),
        Err(LetGo { mode, reason }) => {
            stream.cancel(mode, &reason).await;
            // The library drops the answer of a request that was cancelled.
            Ok(CallToolResult::default())
        }
    }
}

/// Waits for the end, and says meanwhile how far the call is.
async fn follow(
    stream: &mut CallStream,
    ticket: &Ticket,
    link: &mut watch::Receiver<LinkState>,
    mut reporter: Option<&mut Reporter>,
) -> Result<CallToolRes, LetGo> {
    loop {
        let due = reporter.as_ref().and_then(|reporter| reporter.due());
        tokio::select! {
            biased;
            let_go = ticket.let_go() => return Err(let_go),
            event = stream.next() => match event {
                Some(CallEvent::Finished(result)) => return Ok(result),
                Some(CallEvent::Progress(progress)) => say(&mut reporter, || progress::words(&progress)),
                Some(CallEvent::Acknowledged { .. }) => say(&mut reporter, || "accepted".to_owned()),
                Some(CallEvent::Partial(_)) => {}
                None => return Ok(lost(stream.id())),
            },
            Ok(()) = link.changed(), if reporter.is_some() => {
                let words = words(&link.borrow_and_update());
                say(&mut reporter, || words);
            }
            () = sleep_until(due.unwrap_or_else(tokio::time::Instant::now)), if due.is_some() => {
                if let Some(reporter) = &mut reporter {
                    reporter.tell();
                }
            }
        }
    }
}

fn say(reporter: &mut Option<&mut Reporter>, words: impl FnOnce() -> String) {
    if let Some(reporter) = reporter {
        reporter.say(words());
    }
}

fn words(link: &LinkState) -> String {
    match link {
        LinkState::Ready(_) => "sent to the exai daemon".to_owned(),
        other => format!("waiting for the exai daemon: {}", other.describe()),
    }
}

/// Cannot happen while the client keeps its word.
fn lost(id: &RequestId) -> CallToolRes {
    let message = "the call ended without an answer; whether it ran is not known";
    CallToolRes::failed(
        id.clone(),
        WireError::new(Code::Internal, message).ran(Ran::Unknown),
    )
}

/// A result over the daemon's frame limit is fetched in pages, if it is not absurd.
async fn whole(client: &Client, id: &RequestId, result: CallToolRes) -> CallToolRes {
    let paged = result
        .error
        .as_ref()
        .is_some_and(|error| error.code == Code::TooLarge && error.ran == Some(Ran::Yes));
    if !paged {
        return result;
    }
    let collected = tokio::time::timeout(COLLECT_WITHIN, client.collect(id, MAX_COLLECTED)).await;
    match collected {
        Ok(Ok(collected)) => match exai_protocol::RawValue::from_string(collected.outputs) {
            Ok(outputs) => CallToolRes {
                outputs: Some(outputs),
                error: collected.error.filter(|error| error.code != Code::TooLarge),
                ..result
            },
            Err(_) => result,
        },
        Ok(Err(error)) => {
            tracing::info!(%id, %error, "a large result was not fetched");
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
