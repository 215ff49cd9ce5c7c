//! What the MCP library asks of a server: everything but tool calls, answered at once whether or
//! not a daemon exists.

use crate::{
    answer::{self, Era},
    bridge::Bridge,
    catalog::{Catalog, List},
    listeners::Listeners,
    tasks,
    transport::Signals,
};
use exai_config::clients::Profile;
use rmcp::{
    RoleServer, ServerHandler,
    model::{
        DiscoverResult, ErrorData, Implementation, InitializeRequestParams, InitializeResult,
        ListToolsResult, PaginatedRequestParams, ServerCapabilities, ServerConfig,
        SubscriptionFilter,
    },
    service::{NotificationContext, RequestContext, SubscriptionContext},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// What a model should know of this server before it reads any tool.
const INSTRUCTIONS: &str = "exai runs tools in one daemon shared by all windows of this machine. \
    A call keeps running while the daemon is being reached or restarted; an error says whether \
    it ran and what to do next.";
/// Longest wait for a client that said it has roots.
const ROOTS_WITHIN: Duration = Duration::from_secs(10);

pub(crate) struct Shim {
    name: String,
    title: String,
    bridge: Arc<Bridge>,
    catalog: Arc<Catalog>,
    listeners: Arc<Listeners>,
    signals: Arc<Signals>,
    /// The list of which this was said.
    warned: AtomicU64,
}

impl Shim {
    pub(crate) fn new(
        (name, title): (String, String),
        bridge: Arc<Bridge>,
        catalog: Arc<Catalog>,
        listeners: Arc<Listeners>,
        signals: Arc<Signals>,
    ) -> Self {
        Self {
            name,
            title,
            bridge,
            catalog,
            listeners,
            signals,
            warned: AtomicU64::new(0),
        }
    }

    /// Requests name their revision, or belong to a session that did.
    fn era(&self, context: &RequestContext<RoleServer>) -> Era<'_> {
        match context.protocol_version() {
            Some(version) if !version.has_initialize() => Era::Modern { server: &self.name },
            _ => Era::Legacy,
        }
    }

    /// Names that this client cannot use are its users' loss; once a list it is said which.
    fn warn_of_names(&self, list: &List, profile: &Profile) {
        if self.warned.fetch_max(list.version, Ordering::Relaxed) >= list.version {
            return;
        }
        for name in list.names() {
            if let Err(shown) = profile.shown(&self.name, name) {
                let (client, most) = (&profile.title, profile.tool_most);
                tracing::warn!(
                    shown,
                    client,
                    most,
                    "a tool's name is too long for the client"
                );
            }
        }
    }

    /// Asks a client of the old era for its folders; what it does not say stays unknown.
    #[expect(
        deprecated,
        reason = "roots are deprecated, and still what the clients of today have"
    )]
    async fn learn_roots(&self, context: &NotificationContext<RoleServer>) {
        let info = context.peer.peer_info();
        if info.is_none_or(|info| info.capabilities.roots.is_none()) {
            return;
        }
        match tokio::time::timeout(ROOTS_WITHIN, context.peer.list_roots()).await {
            Ok(Ok(list)) => {
                let roots = list.roots.into_iter().map(|root| root.uri);
                self.bridge.set_roots(roots.collect());
            }
            Ok(Err(error)) => tracing::debug!(%error, "the client's roots are not known"),
            Err(_) => tracing::debug!("the client did not say its roots in time"),
        }
    }
}

impl ServerHandler for Shim {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_tool_list_changed()
            .enable_prompts()
            .enable_prompts_list_changed()
            .enable_resources()
            .enable_resources_list_changed()
            .enable_completions()
            .build();
        let mut implementation = Implementation::new(&self.name, env!("CARGO_PKG_VERSION"));
        if !self.title.is_empty() {
            implementation = implementation.with_title(&self.title);
        }
        let list = self.catalog.list();
        ServerConfig::new(capabilities)
            .with_server_info(implementation)
            .with_instructions(list.instructions().unwrap_or(INSTRUCTIONS))
    }

    async fn initialize(
        &self,
        request: InitializeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<InitializeResult, ErrorData> {
        self.bridge.introduced(&request.client_info);
        self.bridge.client(|| Some(request.client_info.clone()));
        context.peer.set_peer_info(request.clone());
        self.negotiate_initialize(&request)
    }

    async fn discover(
        &self,
        context: RequestContext<RoleServer>,
    ) -> Result<DiscoverResult, ErrorData> {
        self.bridge.client(|| context.client_info());
        let versions = self.supported_protocol_versions().into_owned();
        let mut info = self.get_info();
        // Only here: in a revision with a handshake tasks are something else.
        info.capabilities.extensions = Some(tasks::extension());
        Ok(DiscoverResult::from_server_info(versions, info))
    }

    async fn on_initialized(&self, context: NotificationContext<RoleServer>) {
        let heeds = self.bridge.profile(None).list_changed;
        self.listeners.initialized(heeds).await;
        self.learn_roots(&context).await;
    }

    async fn on_roots_list_changed(&self, context: NotificationContext<RoleServer>) {
        self.learn_roots(&context).await;
    }

    async fn list_tools(
        &self,
        page: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        if page.is_some_and(|page| page.cursor.is_some()) {
            let message = "this cursor is not known; the list of tools has one page";
            return Err(ErrorData::invalid_params(message, None));
        }
        let who = context.client_info();
        let profile = self.bridge.profile(who.as_ref());
        let may_continue = self.bridge.client(|| who).is_some() && profile.is_limited();
        let (list, era) = (self.catalog.list(), self.era(&context));
        if era == Era::Legacy {
            self.listeners.listed(list.version);
        }
        self.warn_of_names(&list, &profile);
        Ok(answer::of_list(list.tools(), may_continue, era))
    }

    fn accepted_subscription_filter(&self, _: &SubscriptionFilter) -> Option<SubscriptionFilter> {
        Some({
            let all = SubscriptionFilter::builder().tools_list_changed();
            all.prompts_list_changed().resources_list_changed().build()
        })
    }

    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        let sink = context.sink().clone();
        let id = sink.id().clone();
        self.listeners.add(sink);
        tokio::select! {
            () = context.cancelled() => {}
            () = self.signals.closing.cancelled() => {}
        }
        self.listeners.remove(&id);
        Ok(())
    }
}
