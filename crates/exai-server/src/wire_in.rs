//! Wire → engine. The reader hands every frame here and gets no work to wait for: calls go
//! on in tasks of their own, and everything else is answered at once.

use crate::{
    Control, Shared,
    outbox::{Outbox, encode},
    partings::Partings,
    recall::{self, Wish},
    wire_out::{Voice, seconds},
};
use exai_engine::{
    calls::{Behind, Refusal, Submission, Watcher},
    sessions::{Membership, Push, Session},
    tool,
};
use exai_protocol::{
    ClientId, Principal, RawValue, RequestId, Secret,
    control::{
        CallState, CancelRes, ErrorFrame, HealthRes, ListToolsRes, NotifyRes, Pong, RotateTokenRes,
        ShutdownRes, SubscribeRes, UnsubscribeRes,
    },
    event::Topic,
    limits::MAX_DEPTH,
    request::{CallTool, CancelMode, Op, Remains, Request, Subscribe},
    scan,
};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Why a frame is not served yet.
pub(crate) enum Later {
    /// The record of calls has to catch up.
    Recorded,
    /// The peer has to read first what it was sent.
    Read,
}

impl From<Behind> for Later {
    fn from(Behind: Behind) -> Self {
        Self::Recorded
    }
}

/// Serves the frames of one connection.
pub(crate) struct Desk<C> {
    pub(crate) shared: Arc<Shared<C>>,
    pub(crate) member: Membership,
    pub(crate) voice: Arc<Voice>,
    pub(crate) tasks: TaskTracker,
    pub(crate) closed: CancellationToken,
    pub(crate) subscription: Mutex<Option<CancellationToken>>,
    pub(crate) mcp_places: Arc<Semaphore>,
    pub(crate) partings: Arc<Partings>,
    pub(crate) revoked: CancellationToken,
}

impl<C: Control> Desk<C> {
    /// One text frame. Bad input is answered, and nothing else is touched by it.
    /// Only calls may have to wait for the record, because only they are recorded; and what asks
    /// for results that were kept waits until those are read that were sent.
    pub(crate) fn frame(&self, text: &str) -> Result<(), Later> {
        if let Err(fault) = scan::check(text.as_bytes(), MAX_DEPTH) {
            let remains = Remains::of(text);
            let id = remains.request_id.clone();
            return self.refuse(&remains, id, format!("invalid_message: {fault}"));
        }
        match Request::decode(text) {
            Ok(Request { request_id, op }) => self.op(request_id, op),
            Err(bad) => self.refuse(&Remains::of(text), bad.request_id, bad.message),
        }
    }

    /// A frame that cannot be served. If it meant a call it is recorded as any call that failed;
    /// of anything else there is a line in the log.
    fn refuse(
        &self,
        remains: &Remains<'_>,
        request_id: Option<RequestId>,
        message: String,
    ) -> Result<(), Later> {
        if !remains.is_call {
            self.error(request_id, message);
            return Ok(());
        }
        self.shared.engine.record_refusal(Refusal {
            session: &self.member.session,
            request_id: request_id.clone(),
            name: remains.name.as_deref(),
            arguments: remains.arguments,
            message: &message,
        })?;
        self.reply(&ErrorFrame {
            request_id,
            message,
        });
        Ok(())
    }

    fn op(&self, request_id: Option<RequestId>, op: Op<'_>) -> Result<(), Later> {
        if self.reads_behind() && self.is_for_a_kept_result(request_id.as_ref(), &op) {
            return Err(Later::Read);
        }
        let op = match self.guarded(request_id.as_ref(), op)? {
            Some(op) => op,
            None => return Ok(()),
        };
        match op {
            Op::CallTool(call) => return self.call_tool(request_id, call, false),
            Op::Operate(call) => return self.call_tool(request_id, call, true),
            Op::ListTools => self.list_tools(request_id),
            Op::Health => {
                let health = self.health();
                self.reply(&HealthRes {
                    request_id,
                    ok: true,
                    health,
                });
            }
            Op::Ping => {
                let t = seconds(self.shared.engine.now());
                self.reply(&Pong { request_id, t });
            }
            Op::RotateToken { old, new } => self.rotate_token(request_id, old, new),
            Op::Sessions => self.sessions(request_id),
            Op::Notify { to, level, message } => {
                self.notify(request_id, to.as_ref(), &level, &message)
            }
            Op::Mcp { method, params } => self.mcp(request_id, &method, params),
            Op::Subscribe(subscribe) => self.subscribe(request_id, &subscribe),
            Op::Unsubscribe => {
                self.replace_subscription(None);
                self.reply(&UnsubscribeRes {
                    request_id,
                    ok: true,
                });
            }
            Op::Shutdown { drain_ms, reason } => self.shutdown(request_id, drain_ms, &reason),
            Op::Cancel {
                mode: CancelMode::Stop,
                reason,
                scope: Some(scope),
                key,
            } => self.with_id(request_id, "cancel", |id| {
                self.stop_of(id, scope, key, reason);
            }),
            Op::Cancel {
                mode,
                reason,
                scope,
                key: _,
            } => self.with_id(request_id, "cancel", |id| {
                self.cancel(self.whose(scope.as_deref()), id, mode, reason);
            }),
            Op::Attach { scope } => self.with_id(request_id, "attach", |id| {
                self.attach(self.whose(scope.as_deref()), id);
            }),
            Op::Collect { limit: 0, .. } => {
                let why = "invalid_message: limit must be a whole number, 1 or more";
                self.error(request_id, why.to_owned());
            }
            Op::Collect {
                offset,
                limit,
                scope,
            } => self.with_id(request_id, "collect", |id| {
                self.collect(self.whose(scope.as_deref()), id, offset, limit);
            }),
        }
        Ok(())
    }

    fn reads_behind(&self) -> bool {
        let limit = self.shared.engine.config().limits.client_bytes;
        self.outbox().holds_more_than(limit)
    }

    /// A new call is the engine's to refuse; its refusal is small.
    fn is_for_a_kept_result(&self, id: Option<&RequestId>, op: &Op<'_>) -> bool {
        let known = || {
            let session = &self.member.session;
            id.is_some_and(|id| self.shared.engine.look_up(session, id).0 == CallState::Finished)
        };
        match op {
            Op::Attach { .. } | Op::Collect { .. } => true,
            Op::CallTool(_) | Op::Operate(_) => known(),
            _ => false,
        }
    }

    fn call_tool(
        &self,
        request_id: Option<RequestId>,
        call: CallTool<'_>,
        operator: bool,
    ) -> Result<(), Later> {
        if let Some(roots) = call.roots {
            self.member.session.set_roots(roots);
        }
        let arguments = call
            .arguments
            .map_or_else(tool::no_arguments, |raw| Arc::from(raw.to_owned()));
        Ok(self.shared.engine.submit(Submission {
            session: Arc::clone(&self.member.session),
            request_id: request_id.unwrap_or_else(|| self.shared.engine.mint_request_id()),
            name: call.name.into_owned(),
            operator,
            arguments,
            timeout: call.timeout_ms.map(Duration::from_millis),
            watcher: Arc::clone(&self.voice) as Arc<dyn Watcher>,
        })?)
    }

    fn list_tools(&self, request_id: Option<RequestId>) {
        let view = self.shared.engine.view(&self.member.session);
        let tools_hash = self.voice.abilities.rich.then(|| view.hash().to_string());
        let tools: Box<RawValue> = (**view.list()).to_owned();
        self.reply(&ListToolsRes {
            request_id,
            tools,
            tools_hash,
        });
    }

    /// The token is written to disk, which may block: not here.
    fn rotate_token(&self, request_id: Option<RequestId>, old: Secret, new: Secret) {
        let (control, voice) = (Arc::clone(&self.shared.control), Arc::clone(&self.voice));
        self.tasks.spawn_blocking(move || {
            let outcome = if old.is_empty() || new.is_empty() {
                Err("missing_params".to_owned())
            } else {
                control.rotate_token(&old, &new)
            };
            let frame = RotateTokenRes {
                request_id,
                ok: outcome.is_ok(),
                error: outcome.err(),
            };
            voice.outbox.answer(encode(&frame));
        });
    }

    /// Whose calls are meant: the asker's own, or those of another client of its principal.
    fn whose(&self, scope: Option<&str>) -> Arc<Session> {
        let own = &self.member.session;
        let Some(scope) = scope.filter(|scope| *scope != &*own.scope) else {
            return Arc::clone(own);
        };
        let engine = &self.shared.engine;
        let id = engine.mint_session_id().as_str().into();
        engine.sessions().of_scope(own, scope, id, engine.now())
    }

    fn cancel(&self, session: Arc<Session>, id: RequestId, mode: CancelMode, reason: String) {
        let member = Membership {
            session,
            peer: self.member.peer,
        };
        let state = self.shared.engine.cancel(&member, &id, mode, &reason);
        if self.is_for_the_ledger(state) {
            if mode == CancelMode::Detach {
                self.partings.note(&member.session, &id);
            }
            return self.ask_ledger(member.session, id, Wish::Cancel { mode, reason });
        }
        self.reply(&CancelRes {
            request_id: Some(id),
            state,
        });
    }

    /// Stops another client's call, of the same principal; the owner that of any.
    fn stop_of(&self, id: RequestId, scope: String, key: Option<String>, reason: String) {
        let engine = Arc::clone(&self.shared.engine);
        let own = || self.member.session.principal.clone();
        let principal = key.map_or_else(own, Principal::new);
        let voice = Arc::clone(&self.voice);
        self.tasks.spawn(async move {
            let state = engine.stop_of(principal, &scope, &id, &reason).await;
            voice.outbox.answer(encode(&CancelRes {
                request_id: Some(id),
                state,
            }));
        });
    }

    fn attach(&self, session: Arc<Session>, id: RequestId) {
        let watcher = Arc::clone(&self.voice) as Arc<dyn Watcher>;
        let engine = &self.shared.engine;
        let (state, _) = engine.look_up(&session, &id);
        if self.is_for_the_ledger(state) {
            self.partings.take(&session, &id);
            return self.ask_ledger(session, id, Wish::Attach);
        }
        self.reply(&recall::attach_res(engine, &session, id.clone(), state));
        // Between the two looks the call may have ended; then its end is what is told.
        engine.attach(&session, &id, watcher);
    }

    fn collect(&self, session: Arc<Session>, id: RequestId, offset: u64, limit: u64) {
        let (state, finished) = self.shared.engine.look_up(&session, &id);
        if self.is_for_the_ledger(state) {
            return self.ask_ledger(session, id, Wish::Collect { offset, limit });
        }
        let taken = id.clone();
        let frame = self
            .voice
            .page(id, state, finished.as_deref(), offset, limit);
        self.reply(&frame);
        if state == CallState::Finished {
            self.shared.engine.taken(&session, &taken);
        }
    }

    /// This life knows nothing of the call; the ledger may know more.
    fn is_for_the_ledger(&self, state: CallState) -> bool {
        matches!(state, CallState::Unknown | CallState::Expired) && self.shared.engine.remembers()
    }

    /// Asks the ledger, which takes a moment: the answer comes from a task.
    fn ask_ledger(&self, session: Arc<Session>, id: RequestId, wish: Wish) {
        let question = recall::Question {
            engine: Arc::clone(&self.shared.engine),
            session,
            peer: self.member.peer,
            voice: Arc::clone(&self.voice),
            partings: Arc::clone(&self.partings),
            id,
        };
        let closed = self.closed.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                () = closed.cancelled() => {}
                () = recall::answer(question, wish) => {}
            }
        });
    }

    fn subscribe(&self, request_id: Option<RequestId>, asked: &Subscribe) {
        if !self.voice.abilities.events {
            let why = "invalid_message: subscribe needs the feature 'events' in hello";
            return self.error(request_id, why.to_owned());
        }
        let topics = match topics(&asked.topics) {
            Ok(topics) => topics,
            Err(why) => return self.error(request_id, why),
        };
        self.replace_subscription(None);
        let bus = self.shared.engine.bus();
        let (mut subscription, resync_required) =
            bus.subscribe(topics, asked.since, asked.boot_id.as_deref());
        let (seq, boot_id) = (bus.newest(), bus.boot_id().clone());
        self.reply(&SubscribeRes {
            request_id,
            seq,
            boot_id,
            resync_required,
        });
        let stop = self.closed.child_token();
        self.replace_subscription(Some(stop.clone()));
        let voice = Arc::clone(&self.voice);
        self.tasks.spawn(async move {
            let pump = async {
                loop {
                    voice.outbox.room().await;
                    let delivery = subscription.next().await;
                    voice.deliver(&delivery);
                }
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = pump => {}
            }
        });
    }

    fn notify(
        &self,
        request_id: Option<RequestId>,
        to: Option<&ClientId>,
        level: &str,
        message: &str,
    ) {
        let level = if level.is_empty() { "info" } else { level };
        if !["info", "warning", "error"].contains(&level) {
            let why = format!(
                "invalid_message: level must be 'info', 'warning' or 'error', not {level:?}"
            );
            return self.error(request_id, why);
        }
        if message.is_empty() {
            let why = "invalid_message: notify requires 'message' (non-empty string)";
            return self.error(request_id, why.to_owned());
        }
        let from = self.member.session.client_name();
        let push = Push::Notice {
            from: &from,
            level,
            message,
        };
        let principal = &self.member.session.principal;
        let delivered = self.shared.engine.sessions().push(principal, to, &push);
        self.reply(&NotifyRes {
            request_id,
            delivered,
        });
    }

    fn replace_subscription(&self, next: Option<CancellationToken>) {
        let mut current = self
            .subscription
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(previous) = std::mem::replace(&mut *current, next) {
            previous.cancel();
        }
    }

    fn shutdown(&self, request_id: Option<RequestId>, drain_ms: u64, reason: &str) {
        let in_flight = self.shared.engine.live_calls() as u64;
        let pid = self.shared.control.health().pid;
        self.reply(&ShutdownRes {
            request_id,
            ok: true,
            in_flight,
            pid,
        });
        // Whoever has read the answer starts nothing any more.
        self.shared.engine.start_draining();
        self.shared
            .control
            .shutdown(Duration::from_millis(drain_ms), reason);
    }

    fn with_id(&self, request_id: Option<RequestId>, op: &str, then: impl FnOnce(RequestId)) {
        match request_id {
            Some(id) => then(id),
            None => self.error(
                None,
                format!("invalid_message: {op} requires 'request_id' (string)"),
            ),
        }
    }

    /// A frame that is no call and cannot be served: not recorded, but logged.
    pub(crate) fn error(&self, request_id: Option<RequestId>, message: String) {
        let (client, id) = (self.member.session.client_name(), request_id.as_ref());
        let why = message.as_str();
        tracing::warn!(%client, id = id.map(RequestId::as_str), why, "a frame was refused");
        self.reply(&ErrorFrame {
            request_id,
            message,
        });
    }

    pub(crate) fn reply(&self, frame: &impl serde::Serialize) {
        self.outbox().answer(encode(frame));
    }

    fn outbox(&self) -> &Outbox {
        &self.voice.outbox
    }
}

fn topics(names: &[String]) -> Result<Vec<Topic>, String> {
    if names.is_empty() {
        return Ok(Topic::ALL.to_vec());
    }
    let known = || Topic::ALL.map(Topic::as_str).join(", ");
    names
        .iter()
        .map(|name| {
            Topic::parse(name).ok_or_else(|| {
                format!(
                    "invalid_message: unknown topic {name:?}; topics are {}",
                    known()
                )
            })
        })
        .collect()
}
