//! Tool calls, from the client's request to its answer. They are the shim's own: the MCP library
//! never sees one. Each ends with an answer whatever the daemon does, in the time the client has,
//! and without one when the client has let go.

mod continued;
mod task;

use crate::{
    answer::{self, Beside, Era, Reply},
    bridge::Bridge,
    catalog::Catalog,
    continuing::{self, Turns},
    envelope::Call,
    goes_on::GoesOn,
    inside,
    listeners::Listeners,
    pages, parts,
    patience::Patience,
    progress::Reporter,
    shelf::Shelf,
    stdout::Output,
    tasks::{self, TaskAsk},
    tickets::{LetGo, Ticket, Tickets},
    waiting::{End, Waiting},
};
use exai_client::{CallSpec, CallStream, Client, Detached, Handle, LinkState};
use exai_config::clients::Profile;
use exai_protocol::{Code, WireError, call::CallToolRes, error::Ran};
use futures_util::FutureExt as _;
use rmcp::model::{self, ErrorData};
use std::{panic::AssertUnwindSafe, sync::Arc};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

/// What the daemon is told of a call whose client has been answered before its end.
const PATIENCE: &str = "the client's time for a call is over";

/// What all calls need, and the calls that run.
pub(crate) struct Calling {
    /// The name we go by.
    pub(crate) name: String,
    pub(crate) bridge: Arc<Bridge>,
    catalog: Arc<Catalog>,
    pub(crate) output: Output,
    pub(crate) listeners: Arc<Listeners>,
    pub(crate) shelf: Arc<Shelf>,
    pub(crate) tickets: Tickets,
    turns: Turns,
    pub(crate) running: TaskTracker,
}

/// The client already waits for a call under this id.
#[derive(Debug)]
pub(crate) struct Twice;

/// What a wait for a call needs to know of whoever asked.
struct Asker<'a> {
    client: &'a Client,
    profile: &'a Profile,
    /// It can follow a task.
    takes_tasks: bool,
}

impl Calling {
    pub(crate) fn new(
        name: String,
        bridge: Arc<Bridge>,
        catalog: Arc<Catalog>,
        output: Output,
        listeners: Arc<Listeners>,
        shelf: Arc<Shelf>,
    ) -> Arc<Self> {
        Arc::new(Self {
            name,
            bridge,
            catalog,
            output,
            listeners,
            shelf,
            tickets: Tickets::default(),
            turns: Turns::default(),
            running: TaskTracker::new(),
        })
    }

    /// Begins a call of a client that speaks this revision.
    pub(crate) fn begin(
        self: &Arc<Self>,
        call: Call,
        version: &model::ProtocolVersion,
    ) -> Result<(), Twice> {
        let mut ticket = self.tickets.open(&call.id).ok_or(Twice)?;
        let (calling, is_modern) = (Arc::clone(self), !version.has_initialize());
        let began = Instant::now();
        self.running.spawn(async move {
            let id = call.id.clone();
            let run = calling.run(call, &mut ticket, began, is_modern);
            let run = AssertUnwindSafe(run).catch_unwind();
            let reply = run.await.unwrap_or_else(|_| Some(panicked(&id).into()));
            calling.reply(&id, &mut ticket, reply, is_modern).await;
        });
        Ok(())
    }

    /// Begins a question about a task; only clients of the new era have any.
    pub(crate) fn begin_task(self: &Arc<Self>, ask: TaskAsk) -> Result<(), Twice> {
        let mut ticket = self.tickets.open(&ask.id).ok_or(Twice)?;
        let calling = Arc::clone(self);
        let began = Instant::now();
        self.running.spawn(async move {
            let id = ask.id.clone();
            let run = AssertUnwindSafe(calling.of_task(ask, &mut ticket, began)).catch_unwind();
            let failed = |_| {
                Some(Reply::Error(ErrorData::internal_error(
                    "a bug of exai's",
                    None,
                )))
            };
            let reply = run.await.unwrap_or_else(failed);
            calling.reply(&id, &mut ticket, reply, true).await;
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

    /// Writes the answer, unless the client has let go.
    async fn reply(
        &self,
        id: &model::RequestId,
        ticket: &mut Ticket,
        reply: Option<Reply>,
        is_modern: bool,
    ) {
        if let Some(reply) = reply
            && self.tickets.close(id, ticket)
        {
            let server = &self.name;
            let era = if is_modern {
                Era::Modern { server }
            } else {
                Era::Legacy
            };
            let line = answer::of_call(id, &reply, era);
            // While the client does not read it is kept once.
            drop(reply);
            // A closed stdout ends the process elsewhere.
            let _ = self.output.send(line).await;
        }
    }

    /// The answer; `None` once the client has let go.
    async fn run(
        &self,
        call: Call,
        ticket: &mut Ticket,
        began: Instant,
        is_modern: bool,
    ) -> Option<Reply> {
        let who = call.meta.client_info();
        let profile = self.bridge.profile(who.as_ref());
        let Some(client) = self.bridge.client(|| who) else {
            return Some(inside::refused(&call.name).into());
        };
        let asker = Asker {
            client,
            profile: &profile,
            takes_tasks: is_modern && tasks::are_declared(&call.meta),
        };
        let patience = Patience::new(began, &profile, call.progress.is_some());
        let by = if asker.takes_tasks {
            patience.task_by()
        } else {
            patience.answer_by()
        };
        let reporter = call
            .progress
            .map(|token| Reporter::new(token, self.output.clone(), patience.alive()));
        let mut waiting = Waiting::new(client.link(), reporter, patience, by);
        if continuing::is_meant(&call.name) {
            // Seldom: a future of its own keeps that of every call small.
            let arguments = call.arguments;
            return Box::pin(self.go_on(&asker, arguments, ticket, waiting)).await;
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
        let end = waiting.follow(&mut stream, ticket).await;
        self.conclude(&asker, stream, None, waiting, end).await
    }

    /// What the client is answered, now that this wait has ended so. `handle`: where the call
    /// was known by one; `part`: which part of the answer is wanted.
    async fn conclude(
        &self,
        asker: &Asker<'_>,
        stream: CallStream,
        asked: Option<(&Handle, Option<usize>)>,
        waiting: Waiting,
        end: End,
    ) -> Option<Reply> {
        let handle = || match asked {
            Some((handle, _)) => handle.clone(),
            None => asker.client.handle(stream.id()),
        };
        let result = match end {
            End::Result(result) => result,
            End::LetGo(LetGo { mode, reason }) => {
                stream.cancel(mode, &reason).await;
                return None;
            }
            End::OutOfPatience => {
                let handle = handle();
                return match stream.detach(PATIENCE).await {
                    Detached::Left => Some(self.goes_on(asker, &handle, waiting)),
                    Detached::NotSent => Some(unsent(&handle, asked.is_some(), &waiting).into()),
                    Detached::Ended(result) => {
                        Some(finished(asker, *result, &handle, asked, &waiting))
                    }
                };
            }
        };
        let handle = handle();
        // Seldom, and large.
        let result = if pages::are_due(&result) {
            Box::pin(pages::put_together(asker.client, &handle, result)).await
        } else {
            result
        };
        Some(finished(asker, result, &handle, asked, &waiting))
    }

    fn goes_on(&self, asker: &Asker<'_>, handle: &Handle, waiting: Waiting) -> Reply {
        let call = GoesOn {
            heard: waiting.is_kept,
            tool: waiting.tool,
            handle: handle.to_string(),
            since: waiting.began.elapsed(),
            last: waiting.last,
            unwatched: self.bridge.unwatched(),
        };
        if asker.takes_tasks {
            Reply::Task(call)
        } else {
            Reply::GoesOn(call)
        }
    }
}

/// A call's end as this client can show it.
fn finished(
    asker: &Asker<'_>,
    result: CallToolRes,
    handle: &Handle,
    asked: Option<(&Handle, Option<usize>)>,
    waiting: &Waiting,
) -> Reply {
    let word = handle.to_string();
    let result = match asked {
        Some(_) => continuing::told(result, &word),
        None => result,
    };
    let is_kept = waiting.is_kept || asked.is_some();
    let part = asked.and_then(|(_, part)| part);
    // What another window asked is no resource of this one.
    let call = asked.is_none().then_some(handle.call.as_str());
    let known = is_kept.then_some(parts::Rest {
        handle: &word,
        call,
    });
    let (result, place) = parts::cut(result, asker.profile.output, part, known);
    let handle = place.is_some().then_some(word);
    Reply::Result(result, Beside { handle, place })
}

/// A call, or a question about one, that never left.
fn unsent(handle: &Handle, is_question: bool, waiting: &Waiting) -> CallToolRes {
    let link: LinkState = waiting.link();
    let error = exai_client::unavailable(&link, waiting.waited());
    let result = CallToolRes::failed(handle.call.clone(), error);
    if is_question {
        continuing::told(result, &handle.to_string())
    } else {
        result
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
