//! The door: a frame becomes a call, or meets the call it repeats. Never waits; what cannot
//! end at once goes on in a task of its own.

use super::{
    CallKey, Known, ShareKey, Update, Watcher,
    asked::Question,
    at_once,
    backlog::Behind,
    call::{Call, Limit, Parts, Stop, Whose},
    invoked::unwrapped,
    life,
    outcome::Asked,
    refusal::kept_name,
};
use crate::{
    engine::Engine,
    sessions::Session,
    tool::{Tool, ToolSpec},
};
use exai_protocol::{
    Code, RawValue, RequestId, WireError, control::CallState, error::Ran, record::CallFacts,
};
use sha2::{Digest, Sha256};
use std::{
    future::Future,
    panic::AssertUnwindSafe,
    pin::pin,
    sync::Arc,
    task::{Context, Waker},
    time::Duration,
};

/// A call as it arrives.
pub struct Submission {
    /// Who asks.
    pub session: Arc<Session>,
    /// Its id; minted by the edge where the client gave none.
    pub request_id: RequestId,
    /// The tool's name as the client knows it.
    pub name: String,
    /// Whether operator tools may be meant.
    pub operator: bool,
    /// Always an object.
    pub arguments: Arc<RawValue>,
    /// How long the client will wait, where it says so.
    pub timeout: Option<Duration>,
    /// Who hears of it.
    pub watcher: Arc<dyn Watcher>,
}

impl Engine {
    /// Runs a call, or attaches to the same call that is already known.
    ///
    /// # Errors
    /// [`Behind`], and nothing happened: the call is to be kept back until there is room.
    pub fn submit(self: &Arc<Self>, submission: Submission) -> Result<(), Behind> {
        if self.backlog().is_full() {
            return Err(Behind);
        }
        self.take_as(submission, None, None);
        Ok(())
    }

    /// `asked`: what is known to have been asked, whatever the submission has of it. `stop`:
    /// why it is to end before it begins.
    pub(super) fn take_as(
        self: &Arc<Self>,
        submission: Submission,
        asked: Option<Asked>,
        stop: Option<String>,
    ) {
        let key = self.key(&submission.session, submission.request_id.clone());
        let snapshot = self.registry().snapshot();
        let submission = unwrapped(submission, &snapshot);
        let rules = (!submission.operator).then(|| self.rules(&submission.session));
        let permits = |entry| rules.as_ref().is_none_or(|rules| rules.permits(entry));
        let found = snapshot
            .find(&submission.name, submission.operator)
            .filter(|(_, tool)| permits(&tool.spec().entry));
        let name = found.map_or_else(|| kept_name(&submission.name), |(name, _)| Arc::clone(name));
        let tool = found.map(|(_, tool)| Arc::clone(tool));
        let promised = asked.is_some();
        let asked = asked.unwrap_or_else(|| Asked {
            tool: name,
            arguments: Sha256::digest(submission.arguments.get().as_bytes()).into(),
        });
        if let Some(tool) = tool.as_ref().filter(|tool| tool.spec().runs_at_once())
            && matches!(self.calls().look_up(&key), Known::New)
        {
            let call = self.make_call(&key, &submission, Some(&**tool), asked);
            return at_once::run(self, call, Arc::clone(tool), submission.arguments);
        }
        let make = || self.make_call(&key, &submission, tool.as_deref(), asked.clone());
        match self.calls().enter(&key, self.remembers(), make) {
            (known, Some(call)) => {
                self.calls()
                    .heed_early_word(&call, submission.watcher.peer());
                if let Some(reason) = stop {
                    call.stop(Stop::Asked(reason));
                }
                let question = Question {
                    arguments: submission.arguments,
                    operator: submission.operator,
                    timeout: submission.timeout,
                    expired: matches!(known, Known::Expired),
                    promised,
                };
                let engine = Arc::clone(self);
                let on_its_way = self.unwritten().one_more();
                let name = submission.name;
                self.begin(life::live(engine, call, tool, name, question, on_its_way));
            }
            (known, None) => self.meet(known, &key, &asked, &submission),
        }
    }

    /// Watches a known call again; tells its state, and its updates to the watcher.
    pub fn attach(
        &self,
        session: &Session,
        id: &RequestId,
        watcher: Arc<dyn Watcher>,
    ) -> CallState {
        let known = self.calls().look_up(&self.key(session, id.clone()));
        let state = known.state();
        match known {
            Known::Live(call) => call.attach(&watcher),
            Known::Finished(end) => self.replay(&end, session, id, &*watcher),
            Known::Expired | Known::New => {}
        }
        state
    }

    /// How long ago a call that has not ended was accepted, and the last it said.
    #[must_use]
    pub fn standing(&self, session: &Session, id: &RequestId) -> Option<(Duration, Arc<str>)> {
        match self.calls().look_up(&self.key(session, id.clone())) {
            Known::Live(call) => Some((call.accepted_at.elapsed(), call.last_words())),
            _ => None,
        }
    }

    /// What is known of a call.
    #[must_use]
    pub fn look_up(
        &self,
        session: &Session,
        id: &RequestId,
    ) -> (CallState, Option<Arc<super::Finished>>) {
        let known = self.calls().look_up(&self.key(session, id.clone()));
        let state = known.state();
        match known {
            Known::Finished(finished) => (state, Some(finished)),
            _ => (state, None),
        }
    }

    /// A frame with the identity of a call that is known: attached where it asks the same,
    /// refused where it asks something else or comes too late.
    fn meet(&self, known: Known, key: &CallKey, asked: &Asked, submission: &Submission) {
        let error = match known {
            Known::Live(call) if call.asked == *asked => {
                let watcher = &submission.watcher;
                call.attach(watcher);
                if self.calls().is_overtaken(key, watcher.peer()) {
                    call.left_before();
                }
                return;
            }
            Known::Finished(end) if end.asked == *asked => {
                return self.replay(
                    &end,
                    &submission.session,
                    &key.request_id,
                    &*submission.watcher,
                );
            }
            Known::Live(call) => reused(&key.request_id, &call.asked.tool),
            Known::Finished(end) => reused(&key.request_id, &end.asked.tool),
            Known::Expired => expired(),
            Known::New => return,
        };
        self.refuse(submission, asked, error);
    }

    /// Tells a watcher of an end that came before it.
    pub fn replay(
        &self,
        end: &Arc<super::Finished>,
        session: &Session,
        id: &RequestId,
        watcher: &dyn Watcher,
    ) {
        let facts = self.facts_of(session, id.clone(), Arc::clone(&end.tool), None);
        self.taken(session, id);
        watcher.update(
            &facts,
            &Update::Finished {
                end,
                attached: false,
                replayed: true,
            },
        );
    }

    /// A refusal that is no call of its own identity: recorded under its own number.
    fn refuse(&self, submission: &Submission, asked: &Asked, error: WireError) {
        let (session, id) = (&submission.session, submission.request_id.clone());
        let mut facts = self.facts_of(
            session,
            id,
            Arc::clone(&asked.tool),
            Some(&*submission.arguments),
        );
        facts.args_hash = asked.short_hash();
        self.answer(&Arc::new(facts), error, &*submission.watcher);
    }

    fn make_call(
        &self,
        key: &CallKey,
        submission: &Submission,
        tool: Option<&dyn Tool>,
        asked: Asked,
    ) -> Arc<Call> {
        let session = Arc::clone(&submission.session);
        let spec = tool.map(Tool::spec);
        let arguments = Some(&*submission.arguments);
        let mut facts = self.facts_of(
            &session,
            key.request_id.clone(),
            Arc::clone(&asked.tool),
            arguments,
        );
        facts.provider = spec
            .and_then(|spec| spec.provider.clone())
            .unwrap_or_default();
        facts.args_hash = asked.short_hash();
        session.call_began(facts.args_bytes, facts.received_at);
        let share = spec
            .filter(|spec| {
                spec.coalesce
                    && !self
                        .config()
                        .never_coalesce
                        .iter()
                        .any(|name| name == spec.name())
            })
            .map(|_| ShareKey {
                principal: key.principal.clone(),
                tool: Arc::clone(&asked.tool),
                arguments: asked.arguments,
            });
        let limit = self.limit(spec.and_then(ToolSpec::limit), submission.timeout);
        let key = key.clone();
        let parts = Parts {
            key,
            facts: Arc::new(facts),
            session,
            asked,
            share,
            limit,
            repeatable: spec.is_some_and(ToolSpec::repeatable),
        };
        Call::new(parts, Arc::clone(&submission.watcher))
    }

    /// The tool's own limit, or the daemon's; a client may only ask for less.
    fn limit(&self, tool: Option<Duration>, client: Option<Duration>) -> Limit {
        let own = match tool {
            Some(after) => Limit {
                after,
                whose: Whose::Tool,
            },
            None => Limit {
                after: self.config().call_timeout,
                whose: Whose::Daemon,
            },
        };
        match client {
            Some(after) if after < own.after => Limit {
                after,
                whose: Whose::Client,
            },
            _ => own,
        }
    }

    pub(crate) fn facts_of(
        &self,
        session: &Session,
        request_id: RequestId,
        tool: Arc<str>,
        arguments: Option<&RawValue>,
    ) -> CallFacts {
        CallFacts {
            number: self.next_number(),
            principal: session.principal.clone(),
            session_id: session.id.clone(),
            client_id: session.client_id(),
            client_name: session.client_name(),
            request_id,
            tool,
            provider: Arc::default(),
            args_bytes: arguments.map_or(0, |raw| raw.get().len() as u64),
            args_hash: 0,
            arguments: arguments
                .filter(|_| self.config().log_arguments)
                .map(ToOwned::to_owned),
            received_at: self.now(),
        }
    }

    pub(crate) fn key(&self, session: &Session, request_id: RequestId) -> CallKey {
        CallKey {
            principal: session.principal.clone(),
            scope: Arc::clone(&session.scope),
            request_id,
        }
    }

    /// Gives the call's life its first step here and now, so that a call that is refused or
    /// finds a free permit is told so in the reader's own step; it goes on in a task.
    fn begin(self: &Arc<Self>, life: impl Future<Output = ()> + Send + 'static) {
        let mut life = Box::pin(life);
        let first_step = AssertUnwindSafe(|| {
            let life = pin!(&mut life);
            life.poll(&mut Context::from_waker(Waker::noop()))
                .is_ready()
        });
        // A panic here is a bug of the engine; dropping the life fires the call's guard.
        if let Ok(false) = std::panic::catch_unwind(first_step) {
            self.spawn(life);
        }
    }
}

pub(super) fn expired() -> WireError {
    let message = "this call finished, but its result is no longer kept; it was not run again. Send a new request_id to run it anew";
    WireError::new(Code::Expired, message).ran(Ran::Yes)
}

pub(super) fn reused(id: &RequestId, tool: &str) -> WireError {
    let id = id.as_str();
    let message = format!(
        "request_id {id:?} already names a call of {tool} with other arguments; send a new id for a new call"
    );
    WireError::new(Code::InvalidArgument, message).ran(Ran::No)
}
