//! The handle: cheap to clone, safe to drop, and every question has a typed answer.

mod asking;
mod collecting;
mod making;

pub use collecting::Collected;

use crate::{
    asks::{Ask, Reply, RequestError},
    command::Command,
    config::ClientConfig,
    dial::Dial,
    driver::Driver,
    events::{self, EventStream, News},
    handle::{self, Handle},
    outbound::Frame,
    state::{LinkState, Session},
};
use exai_protocol::{ClientId, RequestId, WallClock, hello::ClientInfo, request::Subscribe};
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
