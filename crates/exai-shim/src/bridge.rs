//! The way to the daemon: made when the MCP client first speaks, so that the daemon learns who
//! it is and a shim that is only probed starts nothing. Keeps the tool list fresh.

use crate::{
    catalog::Catalog, profiles::Profiles, setup::Setup, shelf::Shelf, whereabouts::Whereabouts,
};
use exai_client::{Client, ClientConfig, News, Session, Times, WatchedDial};
use exai_config::{clients::Profile, clock::wall_clock};
use exai_protocol::{hello::ClientInfo, version::feature};
use rmcp::model::Implementation;
use std::{
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};
use tokio::sync::broadcast::error::RecvError;
use tokio_util::task::TaskTracker;

/// Calls one window may have pending.
const MAX_PENDING: usize = 1024;
/// Before the list is asked for again after a failure.
const RETRY: Duration = Duration::from_secs(5);
/// Longest names of a client worth passing on.
const MAX_NAME: usize = 128;

pub(crate) struct Bridge {
    setup: Setup,
    catalog: Arc<Catalog>,
    shelf: Arc<Shelf>,
    tracker: TaskTracker,
    client: OnceLock<Client>,
    profiles: Profiles,
    roots: Mutex<Option<Vec<String>>>,
    /// What a daemon said last of how long it lets a call run that nobody waits for.
    unwatched: Mutex<Option<Duration>>,
}

impl Bridge {
    pub(crate) fn new(
        setup: Setup,
        catalog: Arc<Catalog>,
        shelf: Arc<Shelf>,
        tracker: TaskTracker,
    ) -> Self {
        Self {
            profiles: Profiles::new(&setup),
            setup,
            catalog,
            shelf,
            tracker,
            client: OnceLock::new(),
            roots: Mutex::default(),
            unwatched: Mutex::default(),
        }
    }

    /// The client; the first to ask says for whom. `None` where there may be none, because the
    /// daemon waits for whoever started us.
    pub(crate) fn client(&self, who: impl FnOnce() -> Option<Implementation>) -> Option<&Client> {
        if self.setup.is_inside {
            return None;
        }
        Some(self.client.get_or_init(|| {
            let Setup {
                env,
                home,
                settings,
                ..
            } = &self.setup;
            let whereabouts = Whereabouts::new(Arc::clone(env), home.clone(), settings.clone());
            let dial = WatchedDial::new(whereabouts);
            let config = self.config(who());
            let client = &config.client;
            self.catalog.belongs_to(&client.name, &client.profile);
            let client = Client::spawn(config, dial, wall_clock(&**env), &self.tracker);
            self.tracker
                .spawn(keep_fresh(client.clone(), Arc::clone(&self.catalog)));
            self.tracker
                .spawn(Arc::clone(&self.shelf).keep_true(client.clone()));
            client
        }))
    }

    /// A client of the old era says once who it is.
    pub(crate) fn introduced(&self, who: &Implementation) {
        self.profiles.introduced(&who.name, &who.version);
    }

    /// What is known of whoever asks; of the client that introduced itself, where it does not
    /// say who it is.
    pub(crate) fn profile(&self, who: Option<&Implementation>) -> Arc<Profile> {
        let who = who.map(|who| (who.name.as_str(), who.version.as_str()));
        self.profiles.of(who)
    }

    /// After this a call is stopped that nobody asks for: as the daemon says, whose settings may
    /// be others than ours. One that is older than the question says nothing.
    pub(crate) fn unwatched(&self) -> Duration {
        let mut known = self
            .unwatched
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(session) = self.client.get().and_then(Client::session) {
            let told = session.limits.as_ref().and_then(|told| told.unwatched_ms);
            *known = told.map(Duration::from_millis);
        }
        known.unwrap_or(self.setup.settings.calls.unwatched)
    }

    /// The folders the client's user has open, where it said so.
    pub(crate) fn roots(&self) -> Option<Vec<String>> {
        self.roots
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(crate) fn set_roots(&self, roots: Vec<String>) {
        *self.roots.lock().unwrap_or_else(PoisonError::into_inner) = Some(roots);
    }

    /// The client's budget for a call, where the owner set one.
    pub(crate) fn call_budget_ms(&self) -> Option<u64> {
        let budget = self.setup.settings.shim.rpc_timeout?;
        u64::try_from(budget.as_millis()).ok()
    }

    /// Says goodbye to the daemon, for a moment at most.
    pub(crate) async fn close(&self, within: Duration) {
        if let Some(client) = self.client.get() {
            // The daemon sees the socket close either way.
            let _ = tokio::time::timeout(within, client.close()).await;
        }
    }

    fn config(&self, who: Option<Implementation>) -> ClientConfig {
        let settings = &self.setup.settings;
        let defaults = Times::default();
        let times = Times {
            handshake: settings.shim.handshake_timeout,
            connect_wait: settings.shim.connect_wait,
            reattach_wait: settings.shim.reattach_wait,
            rpc: settings.shim.rpc_timeout.unwrap_or(defaults.rpc),
            ack_grace: settings.shim.ack_grace,
            ping_interval: settings.network.ping_interval,
            pong_within: settings.network.ping_timeout,
            ..defaults
        };
        let (name, version) = who.map_or_else(Default::default, |who| (who.name, who.version));
        let cwd = std::env::current_dir().map(|dir| dir.to_string_lossy().into_owned());
        let session_id = settings.shim.session_id.clone();
        let client = ClientInfo {
            id: session_id.as_deref().map(Into::into),
            name: short(name),
            version: short(version),
            pid: Some(std::process::id()),
            cwd: cwd.unwrap_or_default(),
            roots: Vec::new(),
            profile: short(settings.tools.profile.clone()),
        };
        let features = [
            feature::PROGRESS,
            feature::PARTIAL,
            feature::RICH_RESULTS,
            feature::BRIEF,
            feature::TOOLS_CHANGED,
            feature::RESOURCES_CHANGED,
        ];
        ClientConfig {
            client,
            session_id,
            features: features.map(str::to_owned).to_vec(),
            max_frame_bytes: settings.network.max_frame_bytes,
            max_pending: MAX_PENDING,
            times,
            ..ClientConfig::default()
        }
    }
}

fn short(mut name: String) -> String {
    name.truncate(name.floor_char_boundary(MAX_NAME));
    name
}

/// Fetches the list whenever a daemon names a hash that is not ours.
async fn keep_fresh(client: Client, catalog: Arc<Catalog>) {
    let (mut link, mut news) = (client.link(), client.news());
    let mut mentioned = None;
    loop {
        let mut retry = None;
        if let Some(session) = client.session() {
            mention(&session, &mut mentioned);
            let known = session.tools_hash.as_deref() == Some(catalog.list().hash());
            if !known && !fetch(&client, &catalog).await {
                retry = Some(RETRY);
            }
        }
        // The announced hash is that of the hello; later ones come as news.
        loop {
            tokio::select! {
                changed = link.changed() => match changed {
                    Ok(()) if link.borrow_and_update().is_ready() => break,
                    Ok(()) => {}
                    Err(_) => return,
                },
                heard = news.recv() => match heard {
                    Ok(News::ToolsChanged(changed)) if changed.tools_hash == catalog.list().hash() => {}
                    Ok(News::ToolsChanged(_)) | Err(RecvError::Lagged(_)) => {
                        if !fetch(&client, &catalog).await {
                            retry = Some(RETRY);
                        }
                    }
                    Ok(News::Notify(_) | News::ResourcesChanged) => {}
                    Err(RecvError::Closed) => return,
                },
                () = tokio::time::sleep(retry.unwrap_or(RETRY)), if retry.is_some() => break,
            }
        }
    }
}

/// A daemon of another version is no fault: what both know they do, and the window's next shim is
/// of its version. Said once for each, and nobody is replaced because of it.
fn mention(session: &Session, mentioned: &mut Option<String>) {
    let Some(server) = &session.server else {
        return;
    };
    let ours = env!("CARGO_PKG_VERSION");
    if server.version == ours || mentioned.as_ref() == Some(&server.version) {
        return;
    }
    tracing::warn!(
        daemon = server.version,
        shim = ours,
        "the daemon is of another version; both go on, and a new window starts the shim that is installed"
    );
    *mentioned = Some(server.version.clone());
}

async fn fetch(client: &Client, catalog: &Catalog) -> bool {
    match client.list_tools().await {
        Ok(list) => {
            catalog.offer(list.tools, list.tools_hash);
            true
        }
        Err(error) => {
            tracing::warn!(%error, "the tool list could not be fetched");
            false
        }
    }
}
