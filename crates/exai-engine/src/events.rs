//! The event bus. Publishing never waits and never copies per reader: ordered records go
//! into a bounded ring, state replaces its predecessor, and every subscriber pulls at its own
//! pace. A reader that falls off the ring is told how much it missed.

use exai_protocol::{
    BootId, UnixMillis,
    event::{
        ConnectionStatus, EventBody, SystemMetrics, ToolCallProgress, ToolCallResult,
        ToolCallStarted, ToolDiscovered, Topic,
    },
    record::{CallFacts, FinishedRecord, ProgressRecord},
};
use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::Notify;

/// Ordered events kept for replay.
pub const RING: usize = 1024;

/// One numbered event.
#[derive(Debug)]
pub struct Event {
    /// Counts within this boot.
    pub seq: u64,
    /// When.
    pub at: UnixMillis,
    /// How many ordered events there are up to this one.
    ordered: u64,
    what: Happening,
}

/// What happened, as the engine holds it; words are made only for those who listen.
#[derive(Debug, Clone)]
pub enum Happening {
    /// A client came or went.
    Connection(ConnectionStatus),
    /// A tool was started after this many microseconds of waiting.
    Started(Arc<CallFacts>, u64),
    /// A tool said how far it is.
    Progress(Arc<ProgressRecord>),
    /// A call ended.
    Finished(Arc<FinishedRecord>),
    /// The registry changed.
    Tools(ToolDiscovered),
    /// A sample of the daemon's load.
    Metrics(SystemMetrics),
    /// Something that happened outside the engine, in wire words already.
    Told(Arc<EventBody>),
}

/// What a state event is about; a newer one of the same subject replaces it.
#[derive(PartialEq, Eq, Hash, Clone)]
enum Subject {
    Call(u64),
    System,
    /// Of a topic, in its own words.
    Told(Topic, String),
}

/// The owner of the ring.
pub struct Bus {
    boot_id: BootId,
    state: Mutex<State>,
    published: Notify,
    /// Somebody began to follow.
    followed: Notify,
}

struct State {
    newest: u64,
    /// Ordered events published so far.
    ordered: u64,
    evicted_through: u64,
    /// Ordered events that left the ring.
    evicted: u64,
    ring: VecDeque<Arc<Event>>,
    latest: HashMap<Subject, Arc<Event>>,
    /// How many follow a topic.
    followers: HashMap<Topic, usize>,
}

impl Bus {
    /// An empty bus.
    #[must_use]
    pub fn new(boot_id: BootId) -> Arc<Self> {
        let state = State {
            newest: 0,
            ordered: 0,
            evicted_through: 0,
            evicted: 0,
            ring: VecDeque::new(),
            latest: HashMap::new(),
            followers: HashMap::new(),
        };
        Arc::new(Self {
            boot_id,
            state: Mutex::new(state),
            published: Notify::new(),
            followed: Notify::new(),
        })
    }

    /// Adds an event; never waits.
    pub fn publish(&self, at: UnixMillis, what: Happening) {
        let forgotten = self.lock().push(at, what);
        // Often the last owner of an old call; taking that apart must not hold up the bus.
        drop(forgotten);
        self.published.notify_waiters();
    }

    /// The number of the newest event.
    #[must_use]
    pub fn newest(&self) -> u64 {
        self.lock().newest
    }

    /// The boot the numbers belong to.
    #[must_use]
    pub fn boot_id(&self) -> &BootId {
        &self.boot_id
    }

    /// Follows topics from now, or from after `since` of boot `boot`.
    /// The flag says that the gap is no longer kept.
    #[must_use]
    pub fn subscribe(
        self: &Arc<Self>,
        topics: Vec<Topic>,
        since: Option<u64>,
        boot: Option<&str>,
    ) -> (Subscription, bool) {
        let mut state = self.lock();
        let same_boot = boot.is_none_or(|boot| boot == self.boot_id.as_str());
        let replay = since
            .filter(|since| same_boot && (state.evicted_through..=state.newest).contains(since));
        let resync = since.is_some() && replay.is_none();
        let cursor = replay.unwrap_or(state.newest);
        let passed = state.ordered_through(cursor);
        for topic in &topics {
            *state.followers.entry(*topic).or_default() += 1;
        }
        drop(state);
        self.followed.notify_waiters();
        (
            Subscription {
                bus: Arc::clone(self),
                topics,
                cursor,
                passed,
            },
            resync,
        )
    }

    /// Whether anybody follows one of these topics: what costs work is not done for nobody.
    #[must_use]
    pub fn is_followed(&self, topics: &[Topic]) -> bool {
        let state = self.lock();
        topics
            .iter()
            .any(|topic| state.followers.contains_key(topic))
    }

    /// Waits until somebody follows one of these topics; cancel-safe.
    pub async fn followed(&self, topics: &[Topic]) {
        loop {
            let followed = self.followed.notified();
            tokio::pin!(followed);
            followed.as_mut().enable();
            if self.is_followed(topics) {
                return;
            }
            followed.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Adds an event; returns the one that made room for it.
    fn push(&mut self, at: UnixMillis, what: Happening) -> Option<Arc<Event>> {
        self.newest += 1;
        let subject = what.subject();
        if subject.is_none()
            && let Some(ended) = what.ends()
        {
            self.latest.remove(&ended);
        }
        self.ordered += u64::from(subject.is_none());
        let event = Arc::new(Event {
            seq: self.newest,
            at,
            ordered: self.ordered,
            what,
        });
        if let Some(subject) = subject {
            return self.latest.insert(subject, event);
        }
        let oldest = if self.ring.len() == RING {
            self.ring.pop_front()
        } else {
            None
        };
        if let Some(oldest) = &oldest {
            self.evicted_through = oldest.seq;
            self.evicted += 1;
        }
        self.ring.push_back(event);
        oldest
    }

    /// How many ordered events there are up to `seq`, which the ring still reaches back to.
    fn ordered_through(&self, seq: u64) -> u64 {
        self.evicted + self.ring.partition_point(|event| event.seq <= seq) as u64
    }

    /// The first event after `cursor` that any of `topics` covers.
    fn next(&self, cursor: u64, topics: &[Topic]) -> Option<Arc<Event>> {
        let wanted =
            |event: &&Arc<Event>| event.seq > cursor && topics.contains(&event.what.topic());
        let from = self.ring.partition_point(|event| event.seq <= cursor);
        let ordered = self.ring.range(from..).find(wanted);
        let state = self
            .latest
            .values()
            .filter(wanted)
            .min_by_key(|event| event.seq);
        ordered
            .into_iter()
            .chain(state)
            .min_by_key(|event| event.seq)
            .cloned()
    }
}

/// One reader's place on the bus.
pub struct Subscription {
    bus: Arc<Bus>,
    topics: Vec<Topic>,
    cursor: u64,
    /// Ordered events up to the cursor.
    passed: u64,
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut state = self.bus.lock();
        for topic in &self.topics {
            if let Entry::Occupied(mut count) = state.followers.entry(*topic) {
                *count.get_mut() -= 1;
                if *count.get() == 0 {
                    count.remove();
                }
            }
        }
    }
}

/// What a reader gets.
pub enum Delivery {
    /// The next event.
    Event(Arc<Event>),
    /// It read too slowly.
    Lagged {
        /// Ordered events that are gone, of any topic.
        dropped: u64,
        /// The next number it can get.
        next_seq: u64,
    },
}

impl Subscription {
    /// Waits for the next event; cancel-safe.
    pub async fn next(&mut self) -> Delivery {
        let bus = Arc::clone(&self.bus);
        loop {
            let published = bus.published.notified();
            tokio::pin!(published);
            published.as_mut().enable();
            if let Some(delivery) = self.poll_now() {
                return delivery;
            }
            published.await;
        }
    }

    fn poll_now(&mut self) -> Option<Delivery> {
        let state = self.bus.lock();
        if self.passed < state.evicted {
            let dropped = state.evicted - self.passed;
            self.cursor = state.evicted_through;
            self.passed = state.evicted;
            return Some(Delivery::Lagged {
                dropped,
                next_seq: self.cursor + 1,
            });
        }
        let event = state.next(self.cursor, &self.topics);
        // With nothing to deliver, all there is has been passed: other topics make no lag.
        (self.cursor, self.passed) = event
            .as_ref()
            .map_or((state.newest, state.ordered), |event| {
                (event.seq, event.ordered)
            });
        event.map(Delivery::Event)
    }
}

impl Event {
    /// The topic.
    #[must_use]
    pub fn topic(&self) -> Topic {
        self.what.topic()
    }

    /// The event in wire words.
    #[must_use]
    pub fn body(&self) -> EventBody {
        self.what.body()
    }
}

impl Happening {
    fn topic(&self) -> Topic {
        match self {
            Self::Connection(_) => Topic::ConnectionStatus,
            Self::Started(..) => Topic::ToolCallStarted,
            Self::Progress(_) => Topic::ToolCallProgress,
            Self::Finished(_) => Topic::ToolCallResult,
            Self::Tools(_) => Topic::ToolDiscovered,
            Self::Metrics(_) => Topic::SystemMetrics,
            Self::Told(body) => body.topic(),
        }
    }

    fn subject(&self) -> Option<Subject> {
        match self {
            Self::Progress(progress) => Some(Subject::Call(progress.call.number)),
            Self::Metrics(_) => Some(Subject::System),
            Self::Told(body) if body.is_state() => Self::told(body),
            _ => None,
        }
    }

    /// The state that an ordered event has the last word on.
    fn ends(&self) -> Option<Subject> {
        match self {
            Self::Finished(end) => Some(Subject::Call(end.call.number)),
            Self::Told(body) => Self::told(body),
            _ => None,
        }
    }

    fn told(body: &EventBody) -> Option<Subject> {
        Some(Subject::Told(body.topic(), body.subject()?))
    }

    fn body(&self) -> EventBody {
        match self {
            Self::Connection(status) => EventBody::ConnectionStatus(status.clone()),
            Self::Tools(change) => EventBody::ToolDiscovered(change.clone()),
            Self::Metrics(sample) => EventBody::SystemMetrics(sample.clone()),
            Self::Told(body) => (**body).clone(),
            Self::Started(call, queue_us) => EventBody::ToolCallStarted(ToolCallStarted {
                request_id: call.request_id.clone(),
                session_id: call.session_id.clone(),
                client: call.client_name.to_string(),
                tool: call.tool.to_string(),
                queue_ms: millis(*queue_us),
            }),
            Self::Progress(progress) => EventBody::ToolCallProgress(ToolCallProgress {
                request_id: progress.call.request_id.clone(),
                session_id: progress.call.session_id.clone(),
                tool: progress.call.tool.to_string(),
                seq: progress.seq,
                stage: progress.stage.to_string(),
                message: progress.message.to_string(),
            }),
            Self::Finished(end) => EventBody::ToolCallResult(ToolCallResult {
                request_id: end.call.request_id.clone(),
                session_id: end.call.session_id.clone(),
                client: end.call.client_name.to_string(),
                tool: end.call.tool.to_string(),
                outcome: end.outcome,
                error: end.error.as_ref().map(|error| error.message.clone()),
                queue_ms: millis(end.queue_us),
                run_ms: end.run_us.map(millis),
                result_bytes: end.result_bytes,
            }),
        }
    }
}

/// Microseconds as the wire's milliseconds.
#[must_use]
#[expect(
    clippy::cast_precision_loss,
    reason = "durations stay far below 2^53 microseconds"
)]
pub fn millis(us: u64) -> f64 {
    us as f64 / 1000.0
}
