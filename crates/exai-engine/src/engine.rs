//! The engine: the parts of the house joined, and the few things all of them need.

mod letting_go;
mod without_a_life;

use crate::{
    admission::{Admission, Limits},
    calls::{Backlog, CallNow, Calls, RetentionLimits},
    events::{Bus, Happening},
    handing_over::Unwritten,
    ports::{ledger::Ledger, recorder::Recorder},
    quotas::{Quotas, Rates, Refused},
    registry::Registry,
    sessions::{Session, Sessions},
    surface::{Open, Surfaces},
    tool::Tool,
};
use exai_protocol::{
    BootId, Outcome, RequestId, UnixMillis, WallClock,
    event::{EventBody, LimitKind, LimitStatus, SystemMetrics},
};
use std::{
    collections::BTreeMap,
    future::Future,
    pin::Pin,
    sync::{
        Arc, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{
    sync::Semaphore,
    time::{Instant, Interval, MissedTickBehavior},
};
use tokio_util::task::TaskTracker;

/// Runs a tool's future where blocking it delays nobody else.
pub type Runner = Arc<dyn Fn(Pin<Box<dyn Future<Output = ()> + Send>>) + Send + Sync>;

/// The engine's settings.
#[derive(Debug, Clone)]
pub struct Config {
    /// A call's deadline, unless its tool or its client says otherwise.
    pub call_timeout: Duration,
    /// Signs of life of a running call.
    pub heartbeat: Duration,
    /// How long a call goes on with nobody waiting.
    pub unwatched: Duration,
    /// The hint in refusals, in seconds.
    pub retry_after: u64,
    /// What is kept of finished calls.
    pub retention: RetentionLimits,
    /// Permits and queue.
    pub limits: Limits,
    /// Calls in a time.
    pub quotas: Quotas,
    /// How long a session outlives its last connection.
    pub session_idle: Duration,
    /// Whether argument values go into the record.
    pub log_arguments: bool,
    /// Tools that never share a run, whatever their spec says.
    pub never_coalesce: Vec<String>,
    /// Folders that are open for every client, besides its own.
    pub open_folders: Vec<String>,
    /// A larger result cannot be sent whole: its call ends `too_large`, and it is collected.
    pub max_result_bytes: usize,
}

/// What the engine is given.
pub struct Ports {
    /// Which run this is.
    pub boot_id: BootId,
    /// The wall clock.
    pub clock: WallClock,
    /// The durable truth of calls.
    pub ledger: Arc<dyn Ledger>,
    /// Where records go.
    pub recorder: Recorder,
    /// Where tools run.
    pub runner: Runner,
}

/// See the module.
pub struct Engine {
    config: Config,
    ports: Ports,
    registry: Registry,
    pub(crate) surfaces: RwLock<Arc<dyn Surfaces>>,
    sessions: Sessions,
    bus: Arc<Bus>,
    admission: Arc<Admission>,
    rates: Rates,
    refused: Refused,
    calls: Calls,
    backlog: Arc<Backlog>,
    unwritten: Arc<Unwritten>,
    tasks: TaskTracker,
    glances: Arc<Semaphore>,
    numbers: AtomicU64,
    outcomes: [AtomicU64; OUTCOMES.len()],
    draining: AtomicBool,
    lag_us: AtomicU64,
}

const OUTCOMES: [Outcome; 13] = [
    Outcome::Ok,
    Outcome::ToolError,
    Outcome::NotFound,
    Outcome::InvalidArgument,
    Outcome::Timeout,
    Outcome::OverCapacity,
    Outcome::OverBudget,
    Outcome::Cancelled,
    Outcome::Unavailable,
    Outcome::TooLarge,
    Outcome::Expired,
    Outcome::OutcomeUnknown,
    Outcome::Internal,
];

/// Calls that look at files beside the line, at a time.
const GLANCES: usize = 8;

/// No lag was measured yet.
const UNMEASURED: u64 = u64::MAX;

impl Engine {
    /// An engine with no tools and no sessions.
    #[must_use]
    pub fn new(config: Config, ports: Ports) -> Arc<Self> {
        Arc::new(Self {
            bus: Bus::new(ports.boot_id.clone()),
            admission: Admission::new(config.limits.clone()),
            rates: Rates::new(&config.quotas),
            refused: Refused::default(),
            calls: Calls::new(config.retention),
            backlog: Backlog::new(config.limits.queue_calls, config.limits.queue_bytes),
            config,
            ports,
            unwritten: Arc::default(),
            registry: Registry::default(),
            surfaces: RwLock::new(Arc::new(Open)),
            sessions: Sessions::default(),
            tasks: TaskTracker::new(),
            glances: Arc::new(Semaphore::new(GLANCES)),
            numbers: AtomicU64::new(0),
            outcomes: Default::default(),
            draining: AtomicBool::new(false),
            lag_us: AtomicU64::new(UNMEASURED),
        })
    }

    /// Replaces one source's tools and tells everyone what changed.
    pub fn replace_tools(&self, source: &str, tools: Vec<Arc<dyn Tool>>) {
        let before = self.registry.snapshot();
        if let Some(change) = self.registry.replace(source, tools) {
            self.tell_lists(&before, &self.registry.snapshot());
            self.bus.publish(self.now(), Happening::Tools(change));
        }
    }

    /// From now on nothing starts; what waits is told so.
    pub fn start_draining(&self) {
        self.draining.store(true, Relaxed);
        for call in self
            .calls
            .live()
            .into_iter()
            .filter(|call| !call.is_running())
        {
            call.drain();
        }
    }

    /// Waits for running calls until the deadline, answers the rest, and waits for all to
    /// have ended. Returns how many were cut short.
    pub async fn drain(&self, deadline: Instant) -> usize {
        self.start_draining();
        self.tasks.close();
        let cut = match tokio::time::timeout_at(deadline, self.tasks.wait()).await {
            Ok(()) => 0,
            Err(_) => {
                let rest = self.calls.live();
                rest.iter().for_each(|call| call.drain());
                rest.len()
            }
        };
        // Every remaining task ends by itself once told; a second's grace covers their records.
        let _ = tokio::time::timeout(Duration::from_secs(1), self.tasks.wait()).await;
        cut
    }

    /// Forgets what nobody can miss; to be called now and then.
    pub fn sweep(&self) {
        self.calls.sweep(Instant::now());
        let idle_ms = u64::try_from(self.config.session_idle.as_millis()).unwrap_or(u64::MAX);
        self.sessions.collect_idle(self.now(), idle_ms);
        self.forget_departed();
        for relieved in self.refused.relieved() {
            tracing::info!(
                limit = relieved.limit.as_str(),
                subject = relieved.subject,
                refused = relieved.refused,
                "a limit refuses no more calls"
            );
            self.publish(EventBody::LimitStatus(relieved));
        }
    }

    /// Takes to the bus what happened outside the engine.
    pub fn publish(&self, body: EventBody) {
        self.bus
            .publish(self.now(), Happening::Told(Arc::new(body)));
    }

    /// Takes a sample of the daemon's load to the bus.
    pub fn publish_metrics(&self, sample: SystemMetrics) {
        if let Some(lag) = sample.loop_lag_ms {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a small lag"
            )]
            self.lag_us.store((lag * 1000.0) as u64, Relaxed);
        }
        self.bus.publish(self.now(), Happening::Metrics(sample));
    }

    /// How late the event loop last woke, in milliseconds.
    #[must_use]
    pub fn loop_lag_ms(&self) -> Option<f64> {
        let lag = self.lag_us.load(Relaxed);
        (lag != UNMEASURED).then(|| crate::events::millis(lag))
    }

    /// Calls by outcome since the start; outcomes that never happened are left out.
    #[must_use]
    pub fn outcomes(&self) -> BTreeMap<String, u64> {
        let counted = OUTCOMES.iter().zip(&self.outcomes);
        counted
            .map(|(outcome, count)| (outcome.as_str().to_owned(), count.load(Relaxed)))
            .filter(|(_, count)| *count > 0)
            .collect()
    }

    /// The registry.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The sessions.
    #[must_use]
    pub fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// The event bus.
    #[must_use]
    pub fn bus(&self) -> &Arc<Bus> {
        &self.bus
    }

    /// Permits and queue.
    #[must_use]
    pub fn admission(&self) -> &Arc<Admission> {
        &self.admission
    }

    /// The settings.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Where records go.
    #[must_use]
    pub fn recorder(&self) -> &Recorder {
        &self.ports.recorder
    }

    /// Whether nothing new is taken.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining.load(Relaxed)
    }

    /// Calls queued or running.
    #[must_use]
    pub fn live_calls(&self) -> usize {
        self.calls.live_count()
    }

    /// The calls that wait or run, oldest first.
    #[must_use]
    pub fn calls_now(&self) -> Vec<CallNow> {
        let mut calls: Vec<CallNow> = self.calls.live().iter().map(|call| call.look()).collect();
        calls.sort_by_key(|call| call.facts.number);
        calls
    }

    /// The wall clock.
    #[must_use]
    pub fn now(&self) -> UnixMillis {
        (self.ports.clock)()
    }

    /// The clock itself, for those who stamp frames.
    #[must_use]
    pub fn clock(&self) -> WallClock {
        Arc::clone(&self.ports.clock)
    }

    /// An id for a call whose client gave none: never shared, never empty.
    #[must_use]
    pub fn mint_request_id(&self) -> RequestId {
        let number = self.next_number();
        RequestId::new(format!("minted-{}-{number}", self.ports.boot_id))
    }

    /// An id for a new session.
    #[must_use]
    pub fn mint_session_id(&self) -> String {
        let number = self.next_number();
        format!("{}-{number}", self.ports.boot_id)
    }

    /// Waits until another call may be submitted although the record is behind.
    pub fn room(&self) -> impl Future<Output = ()> + Send + 'static {
        let backlog = Arc::clone(&self.backlog);
        async move { backlog.room().await }
    }

    /// Calls that wait for room in the record.
    #[must_use]
    pub fn waiting_for_the_record(&self) -> usize {
        self.backlog.calls()
    }

    /// A client has taken results of so many bytes, or is gone and never will.
    pub fn taken_by(&self, session: &Session, bytes: usize) {
        if session
            .account
            .taken(bytes, self.config.limits.client_bytes)
        {
            self.admission.look_again();
        }
    }

    /// Calls refused since the start, by limit; and the limits that refuse calls now.
    #[must_use]
    pub fn refused(&self) -> (BTreeMap<String, u64>, Vec<LimitStatus>) {
        (self.refused.totals(), self.refused.now())
    }

    pub(crate) fn rates(&self) -> &Rates {
        &self.rates
    }

    /// Notes that a call is refused for a limit; the first one of a spell is told.
    pub(crate) fn note_refused(
        &self,
        limit: LimitKind,
        subject: &Arc<str>,
        bound: impl FnOnce() -> String,
        retry_after: u64,
    ) {
        let begun = self
            .refused
            .note(limit, subject, bound, retry_after, self.now());
        if let Some(begun) = begun {
            tracing::warn!(limit = limit.as_str(), %subject, bound = begun.bound, "a limit is reached; calls are refused");
            self.publish(EventBody::LimitStatus(begun));
        }
    }

    pub(crate) fn backlog(&self) -> &Arc<Backlog> {
        &self.backlog
    }

    pub(crate) fn unwritten(&self) -> &Arc<Unwritten> {
        &self.unwritten
    }

    pub(crate) fn glances(&self) -> &Arc<Semaphore> {
        &self.glances
    }

    pub(crate) fn tasks(&self) -> &TaskTracker {
        &self.tasks
    }

    pub(crate) fn calls(&self) -> &Calls {
        &self.calls
    }

    pub(crate) fn ledger(&self) -> &dyn Ledger {
        &*self.ports.ledger
    }

    pub(crate) fn next_number(&self) -> u64 {
        self.numbers.fetch_add(1, Relaxed) + 1
    }

    pub(crate) fn count(&self, outcome: Outcome) {
        self.outcomes[outcome as usize].fetch_add(1, Relaxed);
    }

    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(task);
    }

    pub(crate) fn run_tool(&self, future: Pin<Box<dyn Future<Output = ()> + Send>>) {
        (self.ports.runner)(future);
    }

    /// A timer of its own for each call: a late tick is not made up for.
    pub(crate) fn heartbeat(&self) -> Interval {
        let mut interval = tokio::time::interval(self.config.heartbeat);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        interval
    }
}
