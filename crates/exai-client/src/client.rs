//! The handle: cheap to clone, safe to drop, and every question has a typed answer.

use crate::{
    asks::{Ask, Reply, RequestError},
    call::{CallSpec, CallStream, Pen, Slot},
    command::{Command, Submit},
    config::ClientConfig,
    dial::Dial,
    driver::Driver,
    events::{self, EventStream, News},
    explain,
    handle::{self, Handle},
    outbound::{self, Frame},
    state::{LinkState, Session},
};
use exai_protocol::{
    ClientId, RawValue, RequestId, Secret, WallClock, WireError,
    control::{
        CallState, CancelRes, CollectRes, ListToolsRes, McpRes, NotifyRes, Pong, RotateTokenRes,
        SessionsRes, ShutdownRes,
    },
    health::Health,
    hello::ClientInfo,
    limits::MAX_COLLECT_BYTES,
    request::{CancelMode, Subscribe},
};
use serde::de::DeserializeOwned;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio_util::task::TaskTracker;

/// Commands that may wait for the driver; more wait with their callers.
const QUEUE: usize = 256;
/// News kept for a slow listener.
const NEWS: usize = 16;

/// A connection to the daemon that is always coming back.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
    commands: mpsc::Sender<Command>,
}

struct Shared {
    link: watch::Receiver<LinkState>,
    news: broadcast::Sender<News>,
    /// What this client is known by.
    own: ClientId,
    /// What all ids of this client begin with.
    ours: String,
    minted: AtomicU64,
}

/// A finished call's outputs, put together from their pages.
#[derive(Debug)]
pub struct Collected {
    /// The bytes of `outputs`.
    pub outputs: String,
    /// The call's own error, where it ended in one.
    pub error: Option<WireError>,
}

impl Client {
    /// Starts the driver on `tracker`; it ends when every handle is dropped, or at
    /// [`Client::close`].
    #[must_use]
    pub fn spawn<D: Dial>(
        mut config: ClientConfig,
        dial: D,
        wall: WallClock,
        tracker: &TaskTracker,
    ) -> Self {
        let mut rng = config
            .seed
            .map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed);
        let nonce = rng.u64(..);
        let minted = || handle::client_id(rng.u64(..), nonce);
        let own = config.client.id.get_or_insert_with(minted).clone();
        let (commands, queue) = mpsc::channel(QUEUE);
        let (news, _) = broadcast::channel(NEWS);
        let driver = Driver::new(Arc::new(config), wall, news.clone());
        let shared = Shared {
            link: driver.link(),
            news,
            own,
            ours: handle::calls_prefix(nonce),
            minted: AtomicU64::new(0),
        };
        tracker.spawn(driver.run(dial, queue));
        Self {
            shared: Arc::new(shared),
            commands,
        }
    }

    /// Makes a call. The stream's last event is its end, whatever happens.
    pub async fn call(&self, spec: CallSpec) -> CallStream {
        self.send("call_tool", spec).await
    }

    /// The same for whoever runs the daemon: tools that are not listed are found too.
    pub async fn operate(&self, spec: CallSpec) -> CallStream {
        self.send("operate", spec).await
    }

    async fn send(&self, op: &str, spec: CallSpec) -> CallStream {
        let frame = Some(outbound::call(op, &spec));
        let CallSpec {
            request_id,
            name,
            timeout_ms,
            repeatable,
            ..
        } = spec;
        self.submit(request_id.clone(), |pen| Submit {
            id: request_id,
            name: name.into(),
            scope: None,
            frame,
            timeout_ms,
            repeatable,
            pen,
        })
        .await
    }

    /// A call of this client's in one word.
    #[must_use]
    pub fn handle(&self, call: &RequestId) -> Handle {
        Handle {
            client: self.shared.own.clone(),
            call: call.clone(),
        }
    }

    /// The scope to name for it; none for this client's own.
    fn scope_of(&self, handle: &Handle) -> Option<Arc<str>> {
        let is_own = handle.client == self.shared.own;
        (!is_own).then(|| Arc::from(handle.scope()))
    }

    /// Watches a call that was made before, in this client or in another of the same principal;
    /// it ends at once with `EXPIRED` when the daemon does not know it.
    pub async fn attach(&self, handle: &Handle) -> CallStream {
        self.submit(handle.call.clone(), |pen| Submit {
            id: handle.call.clone(),
            name: "the call".into(),
            scope: self.scope_of(handle),
            frame: None,
            timeout_ms: None,
            repeatable: false,
            pen,
        })
        .await
    }

    /// Stops a call that was made before, in this client or in another of the same principal.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn stop(&self, handle: &Handle, reason: &str) -> Result<CancelRes, RequestError> {
        let scope = self.scope_of(handle);
        if scope.is_none() {
            // A closed channel fails the question below.
            let unwanted = Command::Unwanted(handle.call.clone());
            let _ = self.commands.send(unwanted).await;
        }
        let mode = CancelMode::Stop;
        let frame = outbound::cancel(&handle.call, scope.as_deref(), mode, reason);
        self.ask_text(frame, handle.call.clone(), "cancel_res", true)
            .await
    }

    async fn submit(&self, id: RequestId, make: impl FnOnce(Pen) -> Submit) -> CallStream {
        let slot = Arc::new(Slot::default());
        let submit = make(Pen::new(id.clone(), Arc::clone(&slot)));
        let stream = CallStream::new(id, slot, self.commands.clone());
        if let Err(mpsc::error::SendError(Command::Submit(submit))) =
            self.commands.send(Command::Submit(submit)).await
        {
            let error = explain::unavailable(&LinkState::Closed, Duration::ZERO);
            submit.pen.fail(error);
        }
        stream
    }

    /// A fresh request id, unique among all clients of this machine.
    #[must_use]
    pub fn mint(&self) -> RequestId {
        let count = self.shared.minted.fetch_add(1, Ordering::Relaxed);
        RequestId::new(self.shared.ours.clone() + &count.to_string())
    }

    /// The link, to watch.
    #[must_use]
    pub fn link(&self) -> watch::Receiver<LinkState> {
        self.shared.link.clone()
    }

    /// The session, while the link is good.
    #[must_use]
    pub fn session(&self) -> Option<Arc<Session>> {
        self.shared.link.borrow().session().cloned()
    }

    /// Waits for a good link.
    ///
    /// # Errors
    /// [`RequestError::Unavailable`] with the link's last state, at once where waiting cannot
    /// help.
    pub async fn ready(&self, within: Duration) -> Result<Arc<Session>, RequestError> {
        let mut link = self.link();
        let settled = |state: &LinkState| {
            matches!(
                state,
                LinkState::Ready(_) | LinkState::Refused(_) | LinkState::Closed
            )
        };
        // A closed channel or a missed deadline: the state says it all.
        let _ = tokio::time::timeout(within, link.wait_for(settled)).await;
        let state = self.shared.link.borrow();
        state
            .session()
            .cloned()
            .ok_or_else(|| RequestError::Unavailable(state.describe()))
    }

    /// News from now on.
    #[must_use]
    pub fn news(&self) -> broadcast::Receiver<News> {
        self.shared.news.subscribe()
    }

    /// Who to announce from the next hello on; without an id the present one stays.
    pub async fn introduce(&self, client: ClientInfo) {
        // A closed client introduces nobody.
        let _ = self.commands.send(Command::Introduce(client)).await;
    }

    /// The tools this client sees.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn list_tools(&self) -> Result<ListToolsRes, RequestError> {
        let id = self.mint();
        self.ask(Frame::new("list_tools", &id), id, "list_tools_res", true)
            .await
    }

    /// The daemon's vital signs.
    ///
    /// # Errors
    /// [`RequestError`]; `Malformed` from a predecessor, whose facts are fewer: see
    /// [`Client::health_raw`].
    pub async fn health(&self) -> Result<Health, RequestError> {
        let raw = self.health_raw().await?;
        serde_json::from_str(raw.get()).map_err(|error| RequestError::Malformed(error.to_string()))
    }

    /// The same as the daemon wrote it.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn health_raw(&self) -> Result<Box<RawValue>, RequestError> {
        #[derive(serde::Deserialize)]
        struct Envelope {
            health: Box<RawValue>,
        }
        let id = self.mint();
        let reply: Envelope = self
            .ask(Frame::new("health", &id), id, "health_res", true)
            .await?;
        Ok(reply.health)
    }

    /// Everybody who is connected.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn sessions(&self) -> Result<SessionsRes, RequestError> {
        let id = self.mint();
        self.ask(Frame::new("sessions", &id), id, "sessions_res", true)
            .await
    }

    /// Are you there, and what time is it.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn ping(&self) -> Result<Pong, RequestError> {
        let id = self.mint();
        self.ask(Frame::new("ping", &id), id, "pong", true).await
    }

    /// Tells one client, or all, something.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn notify(
        &self,
        to: Option<&ClientId>,
        level: &str,
        message: &str,
    ) -> Result<NotifyRes, RequestError> {
        let id = self.mint();
        let mut frame = Frame::new("notify", &id)
            .text("level", level)
            .text("message", message);
        if let Some(to) = to {
            frame = frame.text("to", to.as_str());
        }
        self.ask(frame, id, "notify_res", false).await
    }

    /// Replaces the token.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn rotate_token(
        &self,
        old: &Secret,
        new: &Secret,
    ) -> Result<RotateTokenRes, RequestError> {
        let id = self.mint();
        let frame = Frame::new("rotate_token", &id)
            .text("old", old.expose())
            .text("new", new.expose());
        self.ask(frame, id, "rotate_token_res", false).await
    }

    /// Lets go of any call of this client identity, also one made by another process.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn cancel(
        &self,
        call: &RequestId,
        mode: CancelMode,
        reason: &str,
    ) -> Result<CancelRes, RequestError> {
        self.ask_text(
            outbound::cancel(call, None, mode, reason),
            call.clone(),
            "cancel_res",
            true,
        )
        .await
    }

    /// Stops another client's call; `scope` is that client's, as the journal names it, and `key` the
    /// principal's, where that is not ours.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn stop_of(
        &self,
        key: Option<&str>,
        scope: &str,
        call: &RequestId,
    ) -> Result<CancelRes, RequestError> {
        let mut frame = outbound::Frame::new("cancel", call).text("scope", scope);
        if let Some(key) = key {
            frame = frame.text("key", key);
        }
        self.ask_text(frame.done(), call.clone(), "cancel_res", true)
            .await
    }

    /// A finished call's outputs, page by page, up to `max_bytes`.
    ///
    /// # Errors
    /// [`RequestError`]; `TooLarge` when there are more, `Refused` when there is no result.
    pub async fn collect(
        &self,
        handle: &Handle,
        max_bytes: u64,
    ) -> Result<Collected, RequestError> {
        let mut outputs = String::new();
        loop {
            let page = self
                .collect_page(handle, outputs.len() as u64, MAX_COLLECT_BYTES as u64)
                .await?;
            if page.state != CallState::Finished {
                let state = format!("{:?}", page.state).to_lowercase();
                return Err(RequestError::Refused(format!("the call is {state}")));
            }
            if page.total_bytes > max_bytes {
                return Err(RequestError::TooLarge(format!(
                    "the result is {} bytes; the limit given is {max_bytes}",
                    page.total_bytes
                )));
            }
            outputs.push_str(&page.chunk);
            if page.eof {
                return Ok(Collected {
                    outputs,
                    error: page.error,
                });
            }
            if page.chunk.is_empty() {
                return Err(RequestError::Malformed(
                    "an empty page before the end".to_owned(),
                ));
            }
        }
    }

    /// One page of a finished call's outputs.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn collect_page(
        &self,
        handle: &Handle,
        offset: u64,
        limit: u64,
    ) -> Result<CollectRes, RequestError> {
        let call = &handle.call;
        let frame = Frame::new("collect", call)
            .scope(self.scope_of(handle).as_deref())
            .number("offset", offset)
            .number("limit", limit);
        self.ask(frame, call.clone(), "collect_res", true).await
    }

    /// Carries an MCP method to the daemon.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn mcp(
        &self,
        method: &str,
        params: Option<&RawValue>,
    ) -> Result<McpRes, RequestError> {
        let id = self.mint();
        let mut frame = Frame::new("mcp", &id).text("method", method);
        if let Some(params) = params {
            frame = frame.raw("params", params.get());
        }
        self.ask(frame, id, "mcp_res", false).await
    }

    /// Asks the daemon to drain and exit.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn shutdown(&self, drain_ms: u64, reason: &str) -> Result<ShutdownRes, RequestError> {
        let id = self.mint();
        let frame = Frame::new("shutdown", &id)
            .number("drain_ms", drain_ms)
            .text("reason", reason);
        self.ask(frame, id, "shutdown_res", false).await
    }

    /// Follows events, across reconnects; takes the place of an earlier stream.
    ///
    /// # Errors
    /// [`RequestError::Closed`].
    pub async fn subscribe(&self, subscribe: Subscribe) -> Result<EventStream, RequestError> {
        let (sink, items) = mpsc::channel(events::BACKLOG);
        self.command(Command::Follow { subscribe, sink }).await?;
        Ok(EventStream {
            items,
            _commands: self.commands.clone(),
        })
    }

    /// Says goodbye and waits for the driver's end; pending calls end as unavailable.
    pub async fn close(&self) {
        let (done, ended) = oneshot::channel();
        if self.command(Command::Close(done)).await.is_ok() {
            // An error means that the driver is gone, which is what was asked for.
            let _ = ended.await;
        }
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        frame: Frame,
        id: RequestId,
        expects: &'static str,
        repeatable: bool,
    ) -> Result<T, RequestError> {
        self.ask_text(frame.done(), id, expects, repeatable).await
    }

    async fn ask_text<T: DeserializeOwned>(
        &self,
        frame: tokio_tungstenite::tungstenite::Utf8Bytes,
        id: RequestId,
        expects: &'static str,
        repeatable: bool,
    ) -> Result<T, RequestError> {
        let (reply, answer) = oneshot::channel::<Reply>();
        self.command(Command::Ask(Ask {
            id,
            expects,
            frame,
            repeatable,
            reply,
        }))
        .await?;
        let text = answer.await.map_err(|_| RequestError::Closed)??;
        serde_json::from_str(&text).map_err(|error| RequestError::Malformed(error.to_string()))
    }

    async fn command(&self, command: Command) -> Result<(), RequestError> {
        self.commands
            .send(command)
            .await
            .map_err(|_| RequestError::Closed)
    }
}
