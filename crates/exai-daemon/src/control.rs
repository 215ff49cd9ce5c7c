//! The daemon as its own edge and its own tools see it: who may come in, how it is doing,
//! and the wish that it should end.

use crate::{
    library, limits, models,
    named::{NamedKeys, owner},
    watchdog::{self, Book},
};
use exai_config::{TokenStore, token::Keyring};
use exai_engine::{
    Engine,
    ports::{
        logs::{LogFile, Logs},
        vitals::{Identity, Vitals},
    },
    sessions::Session,
    tool::ToolCall,
};
use exai_llm::desk::Models;
use exai_protocol::{
    Principal, RawValue, Secret, WallClock,
    control::McpError,
    health::{Health, uptime_human},
    hello::ServerInfo,
    tool::ToolEntry,
};
use exai_server::{Control, Failures, Keys, McpFuture, Pass, Passes};
use exai_tools::library::Library;
use std::{
    sync::{
        Arc, Mutex, OnceLock, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// A wish that the daemon should end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ending {
    pub(crate) drain: Duration,
    pub(crate) reason: String,
}

/// What the daemon knows of itself.
pub(crate) struct Facts {
    pub(crate) server: ServerInfo,
    pub(crate) identity: Identity,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) warnings: Vec<String>,
    pub(crate) clock: WallClock,
}

/// See the module.
pub(crate) struct Daemon {
    facts: Facts,
    started_at: f64,
    engine: OnceLock<Arc<Engine>>,
    models: OnceLock<Arc<Models>>,
    /// What was found wrong once everything stood.
    late: OnceLock<Vec<String>>,
    watchdog: Book,
    strangers: OnceLock<Arc<Failures>>,
    library: OnceLock<Library>,
    keys: RwLock<Keys>,
    named: Arc<NamedKeys>,
    store: Option<Mutex<(TokenStore, Duration)>>,
    ending: watch::Sender<Option<Ending>>,
    /// Another daemon has this home, or is about to: what names us to others is its to write.
    still: AtomicBool,
    log_troubles: Box<dyn Fn() -> Vec<String> + Send + Sync>,
}

impl Daemon {
    /// `store` comes with the overlap of a rotation; it is absent where the owner gave the token himself: then there is no file to rotate.
    pub(crate) fn new(
        facts: Facts,
        keyring: Keyring,
        named: NamedKeys,
        store: Option<(TokenStore, Duration)>,
        log_troubles: Box<dyn Fn() -> Vec<String> + Send + Sync>,
    ) -> Arc<Self> {
        Arc::new(Self {
            started_at: (facts.clock)().as_secs_f64(),
            facts,
            engine: OnceLock::new(),
            models: OnceLock::new(),
            late: OnceLock::new(),
            watchdog: Book::default(),
            strangers: OnceLock::new(),
            library: OnceLock::new(),
            keys: RwLock::new(keys(keyring)),
            named: Arc::new(named),
            store: store.map(Mutex::new),
            ending: watch::Sender::new(None),
            still: AtomicBool::new(false),
            log_troubles,
        })
    }

    /// The engine is made after its tools, which know the daemon; so it is set once, at the start.
    pub(crate) fn set_engine(&self, engine: &Arc<Engine>) {
        // Set by the composition alone, before anything is served.
        let _ = self.engine.set(Arc::clone(engine));
    }

    /// The same for who is asked.
    pub(crate) fn set_models(&self, models: &Arc<Models>) {
        let _ = self.models.set(Arc::clone(models));
    }

    /// The same for what was found wrong on the way.
    pub(crate) fn set_late_warnings(&self, warnings: Vec<String>) {
        let _ = self.late.set(warnings);
    }

    /// What the watchdog sees.
    pub(crate) fn watchdog(&self) -> &Book {
        &self.watchdog
    }

    /// The same for those who failed to come in.
    pub(crate) fn set_strangers(&self, strangers: Arc<Failures>) {
        let _ = self.strangers.set(strangers);
    }

    /// And for what clients may read.
    pub(crate) fn set_library(&self, library: Library) {
        let _ = self.library.set(library);
    }

    /// Who is asked; absent before the composition is done.
    pub(crate) fn models(&self) -> Option<&Arc<Models>> {
        self.models.get()
    }

    pub(crate) fn engine(&self) -> &Engine {
        #[expect(
            clippy::expect_used,
            reason = "the composition sets it before anything is served"
        )]
        self.engine
            .get()
            .expect("the engine is set before anything is served")
    }

    /// Leaves the home's files to the next daemon, or takes them back.
    pub(crate) fn keep_still(&self, still: bool) {
        self.still.store(still, Relaxed);
    }

    /// Whether the home's files are another's.
    pub(crate) fn is_still(&self) -> bool {
        self.still.load(Relaxed)
    }

    /// Becomes some once somebody asked for the end.
    pub(crate) fn ending(&self) -> watch::Receiver<Option<Ending>> {
        self.ending.subscribe()
    }

    pub(crate) fn end(&self, drain: Duration, reason: &str) {
        tracing::info!(reason, drain_s = drain.as_secs_f64(), "asked to end");
        self.ending.send_if_modified(|ending| {
            let first = ending.is_none();
            ending.get_or_insert(Ending {
                drain,
                reason: reason.to_owned(),
            });
            first
        });
    }

    /// The named keys.
    pub(crate) fn named(&self) -> &Arc<NamedKeys> {
        &self.named
    }

    /// Puts the token's file back if it was removed: without it nobody of this home gets in.
    pub(crate) fn keep_token(&self) {
        let Some(store) = &self.store else { return };
        // Before the keys: a rotation takes the two in the same order.
        let store = store.lock().unwrap_or_else(PoisonError::into_inner);
        let current = {
            let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
            keys.current.clone()
        };
        match store.0.keep(&current) {
            Ok(false) => {}
            Ok(true) => tracing::warn!("the token's file was removed; it is written again"),
            Err(error) => tracing::error!(%error, "the token's file cannot be written again"),
        }
    }

    /// The vital signs now.
    pub(crate) fn snapshot(&self) -> Health {
        let facts = &self.facts;
        let t = (facts.clock)().as_secs_f64();
        let engine = self.engine();
        let depth = engine.admission().depth();
        let (sessions, connections) = engine.sessions().counts();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "an uptime"
        )]
        let uptime = (t - self.started_at).max(0.0) as u64;
        let mut warnings = facts.warnings.clone();
        warnings.extend((self.log_troubles)());
        warnings.extend(self.named.faults());
        warnings.extend(self.strangers.get().and_then(|failures| failures.trouble()));
        let providers = self
            .models
            .get()
            .map_or_else(Vec::new, |desk| models::health(desk));
        warnings.extend(providers.iter().filter_map(models::trouble));
        let limits = limits::health(engine);
        warnings.extend(self.late.get().into_iter().flatten().cloned());
        warnings.extend(limits.shedding.iter().map(limits::trouble));
        let watchdog = self.watchdog.entries();
        warnings.extend(watchdog.iter().filter_map(watchdog::trouble));
        let behind = engine.waiting_for_the_record();
        if behind > 0 {
            warnings.push(format!(
                "{behind} calls wait for room in the record: the disk under logs/ does not keep up"
            ));
        }
        Health {
            t,
            pid: std::process::id(),
            host: facts.host.clone(),
            port: facts.port,
            started_at: self.started_at,
            sessions,
            global_capacity: engine.config().limits.global as u64,
            global_inflight: depth.running as u64,
            uptime_human: uptime_human(uptime),
            tool_count: engine.registry().snapshot().len() as u64,
            boot_id: facts.server.boot_id.clone(),
            version: facts.server.version.clone(),
            state: if engine.is_draining() {
                "draining"
            } else {
                "running"
            }
            .to_owned(),
            queued: depth.queued as u64,
            connections,
            tasks: tasks(),
            loop_lag_ms: engine.loop_lag_ms(),
            outcomes: engine.outcomes(),
            providers,
            limits: Some(limits),
            watchdog,
            warnings,
        }
    }
}

/// Tasks of the event loop, where this is one of its threads.
fn tasks() -> Option<u64> {
    let runtime = tokio::runtime::Handle::try_current().ok()?;
    u64::try_from(runtime.metrics().num_alive_tasks()).ok()
}

fn keys(keyring: Keyring) -> Keys {
    Keys {
        current: keyring.current,
        previous: keyring.previous,
    }
}

impl Control for Daemon {
    fn passes(&self) -> Passes {
        let owners = {
            let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
            keys.valid((self.facts.clock)())
        };
        let owners = owners.into_iter().map(|key| Pass {
            key,
            principal: owner(),
            revoked: CancellationToken::new(),
        });
        let mut passes: Vec<Pass> = owners.collect();
        let named = Arc::clone(&self.named);
        Box::pin(async move {
            // File work.
            let named = tokio::task::spawn_blocking(move || named.passes()).await;
            passes.extend(named.into_iter().flatten());
            passes
        })
    }

    fn owner(&self) -> Principal {
        owner()
    }

    fn rotate_token(&self, old: &Secret, new: &Secret) -> Result<(), String> {
        // The previous token opens the door for a while, and may not change the lock.
        let now = (self.facts.clock)();
        let current = Keys {
            current: self
                .keys
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .current
                .clone(),
            previous: None,
        };
        if !current.admits(old, now) {
            return Err("unauthorized".to_owned());
        }
        let Some(store) = &self.store else {
            return Err(
                "the token is set by EXAI_WS_TOKEN; change it there and restart".to_owned(),
            );
        };
        let store = store.lock().unwrap_or_else(PoisonError::into_inner);
        let rotated = store
            .0
            .rotate(Some(new.clone()), store.1, (self.facts.clock)())
            .map_err(|error| error.to_string())?;
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys(rotated);
        Ok(())
    }

    fn health(&self) -> Health {
        self.snapshot()
    }

    fn identity(&self) -> &ServerInfo {
        &self.facts.server
    }

    fn mcp(&self, session: &Arc<Session>, method: &str, params: Option<&RawValue>) -> McpFuture {
        let (library, engine) = match (self.library.get(), self.engine.get()) {
            (Some(library), Some(engine)) => (library.clone(), Arc::clone(engine)),
            _ => {
                let message = "the daemon is still starting; ask again".to_owned();
                let error = McpError {
                    code: -32603,
                    message,
                };
                return Box::pin(std::future::ready(Err(error)));
            }
        };
        let method = method.to_owned();
        library::answer(library, engine, Arc::clone(session), method, params)
    }

    fn shutdown(&self, drain: Duration, reason: &str) {
        let reason = if reason.is_empty() {
            "asked over the wire"
        } else {
            reason
        };
        self.end(drain, reason);
    }
}

impl Vitals for Daemon {
    fn health(&self) -> Health {
        self.snapshot()
    }

    fn tools(&self) -> Vec<ToolEntry> {
        self.engine()
            .registry()
            .snapshot()
            .entries()
            .cloned()
            .collect()
    }

    fn tools_for(&self, call: &ToolCall) -> Vec<ToolEntry> {
        let engine = self.engine();
        let session = engine.sessions().find(&call.principal, &call.session_id);
        // A session that is gone may call nothing.
        let rules = session.map(|session| engine.rules(&session));
        let permits = |entry: &ToolEntry| rules.as_ref().is_some_and(|at| at.permits(entry));
        let tools = Vitals::tools(self).into_iter();
        tools.filter(permits).collect()
    }

    fn identity(&self) -> &Identity {
        &self.facts.identity
    }
}

/// The home's logs, for the tools that show them.
pub(crate) struct HomeLogs {
    pub(crate) home: exai_config::Home,
    pub(crate) warnings: Vec<String>,
}

impl Logs for HomeLogs {
    fn tail(&self, file: LogFile, lines: usize) -> Result<Vec<String>, String> {
        let path = match file {
            LogFile::Daemon => self.home.daemon_log(),
            LogFile::Calls => self.home.calls_file(),
            LogFile::Failures => self.home.failures_file(),
            LogFile::Progress => self.home.progress_log(),
        };
        exai_telemetry::tail::tail(&path, lines)
            .map_err(|error| format!("{}: {error}", path.display()))
    }

    fn self_check(&self, health: &Health) -> Vec<String> {
        let mut faults = self.warnings.clone();
        faults.extend(
            health
                .warnings
                .iter()
                .filter(|warning| !self.warnings.contains(warning))
                .cloned(),
        );
        if let Some(lag) = health.loop_lag_ms.filter(|lag| *lag > 250.0) {
            faults.push(format!(
                "the event loop woke {lag:.0} ms late: the machine is overloaded"
            ));
        }
        faults
    }
}
