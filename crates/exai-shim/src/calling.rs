//! Tool calls, from the client's request to its answer. They are the shim's own: the MCP library
//! never sees one. Each ends with an answer whatever the daemon does, and without one when the
//! client has let go.

use crate::{
    answer::{self, Era},
    bridge::Bridge,
    catalog::Catalog,
    envelope::Call,
    inside, pages,
    progress::Reporter,
    stdout::Output,
    tickets::{LetGo, Ticket, Tickets},
};
use exai_client::{CallEvent, CallSpec, CallStream, LinkState};
use exai_protocol::{Code, RequestId, WireError, call::CallToolRes, error::Ran};
use futures_util::FutureExt as _;
use rmcp::model;
use std::{panic::AssertUnwindSafe, sync::Arc};
use tokio::{sync::watch, time::sleep_until};
use tokio_util::task::TaskTracker;

/// What all calls need, and the calls that run.
pub(crate) struct Calling {
    /// The name we go by.
    pub(crate) name: String,
    pub(crate) bridge: Arc<Bridge>,
    catalog: Arc<Catalog>,
    pub(crate) output: Output,
    pub(crate) tickets: Tickets,
    pub(crate) running: TaskTracker,
}

/// The client already waits for a call under this id.
#[derive(Debug)]
pub(crate) struct Twice;

impl Calling {
    pub(crate) fn new(
        name: String,
        bridge: Arc<Bridge>,
        catalog: Arc<Catalog>,
        output: Output,
    ) -> Arc<Self> {
        Arc::new(Self {
            name,
            bridge,
            catalog,
            output,
            tickets: Tickets::default(),
            running: TaskTracker::new(),
        })
    }

    /// Begins a call of a client that speaks this revision.
    pub(crate) fn begin(
        self: &Arc<Self>,
        call: Call,
        version: &model::ProtocolVersion,
    ) -> Result<(), Twice> {
        let ticket = self.tickets.open(&call.id).ok_or(Twice)?;
        let (calling, is_modern) = (Arc::clone(self), !version.has_initialize());
        self.running.spawn(async move {
            let server = &calling.name;
            let era = if is_modern {
                Era::Modern { server }
            } else {
                Era::Legacy
            };
            calling.guarded(call, ticket, era).await;
        });
        Ok(())
    }

    /// The way to the daemon.
    pub(crate) fn bridge(&self) -> &Bridge {
        &self.bridge
    }

    /// The client lets go of a request; `false` when that is no call.
    pub(crate) fn let_go(&self, id: &model::RequestId, reason: &str) -> bool {
        self.tickets.let_go(id, reason)
    }

    /// Waits for the end of every call; no more may begin.
    pub(crate) async fn ended(&self) {
        self.running.close();
        self.running.wait().await;
    }

    /// How many calls the client waits for.
    pub(crate) fn open(&self) -> usize {
        self.tickets.len()
    }

    /// Runs a call so that not even a bug of ours leaves it without an answer.
    async fn guarded(&self, call: Call, mut ticket: Ticket, era: Era<'_>) {
        let id = call.id.clone();
        let run = AssertUnwindSafe(self.run(call, &mut ticket)).catch_unwind();
        let result = run.await.unwrap_or_else(|_| Some(panicked(&id)));
        if let Some(result) = result
            && self.tickets.close(&id, &mut ticket)
        {
            let line = answer::of_call(&id, &result, era);
            // While the client does not read it is kept once.
            drop(result);
            // A closed stdout ends the process elsewhere.
            let _ = self.output.send(line).await;
        }
    }

    /// The result; `None` once the client has let go.
    async fn run(&self, call: Call, ticket: &mut Ticket) -> Option<CallToolRes> {
        let Some(client) = self.bridge.client(|| call.meta.client_info()) else {
            return Some(inside::refused(&call.name));
        };
        let mut reporter = call
            .progress
            .map(|token| Reporter::new(token, self.output.clone()));
        let mut link = client.link();
        if let Some(reporter) = &mut reporter {
            reporter.say(words(&link.borrow_and_update()));
        }
        let spec = CallSpec {
            request_id: client.mint(),
            repeatable: self.catalog.list().is_repeatable(&call.name),
            name: call.name,
            arguments: call.arguments,
            timeout_ms: self.bridge.call_budget_ms(),
            roots: self.bridge.roots(),
        };
        let mut stream = client.call(spec).await;
        match follow(&mut stream, ticket, &mut link, reporter.as_mut()).await {
            // Seldom, and large: a future of its own keeps that of every call small.
            Ok(result) if pages::are_due(&result) => {
                Some(Box::pin(pages::put_together(client, stream.id(), result)).await)
            }
            Ok(result) => Some(result),
            Err(LetGo { mode, reason }) => {
                stream.cancel(mode, &reason).await;
                None
            }
        }
    }
}

fn panicked(id: &model::RequestId) -> CallToolRes {
    tracing::error!(%id, "a call of this shim panicked");
    let message = format!(
        "exai-shim failed internally during this call (reference: pid {}, id {id}; see \
         ws_shim.log). Whether the tool ran is not known.",
        std::process::id()
    );
    let error = WireError::new(Code::Internal, message).ran(Ran::Unknown);
    CallToolRes::failed("".into(), error)
}

/// Waits for the end, and says meanwhile how far the call is.
async fn follow(
    stream: &mut CallStream,
    ticket: &mut Ticket,
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
                Some(CallEvent::Progress(progress)) => {
                    if let Some(reporter) = &mut reporter {
                        reporter.hears(&progress);
                    }
                }
                Some(CallEvent::Acknowledged { .. }) => say(&mut reporter, || "accepted".to_owned()),
                Some(CallEvent::Partial(text)) => {
                    if let Some(reporter) = &mut reporter {
                        reporter.reads(&text);
                    }
                }
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
