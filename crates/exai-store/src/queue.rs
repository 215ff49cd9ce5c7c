//! The way to the writer's thread. Room is taken before anything is put in, so that putting
//! in never waits and never fails: what happened can always be told, from `Drop` too.

use crate::{
    ages::Ages,
    condition::Condition,
    error::StoreError,
    job::Job,
    options::{Lives, Options},
};
use exai_protocol::{BootId, UnixMillis, WallClock};
use std::{
    hash::{BuildHasher as _, RandomState},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{self, Receiver, SyncSender, TrySendError},
    },
    time::{Duration, Instant},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};

/// Questions on their way.
const ASKS: usize = 512;
/// Reservations under way, each with the room its end will take.
const ENDS: usize = 512;
/// What has no room of its own: rare, and may be lost.
const OTHERS: usize = 8;

/// What the writer wakes up for.
pub(crate) enum Event {
    /// Work.
    Work(Envelope),
    /// A reader met damage; it has to be looked into.
    Verify,
    /// Write what is there, then end.
    Close(oneshot::Sender<()>),
}

/// Work and the room it takes, given back when the work is done.
pub(crate) struct Envelope {
    pub(crate) job: Box<dyn Job>,
    _room: OwnedSemaphorePermit,
}

/// Where work is handed in.
pub(crate) struct Desk {
    events: SyncSender<Event>,
    asks: Arc<Semaphore>,
    ends: Arc<Semaphore>,
    calls: Arc<Semaphore>,
    numbers: AtomicU64,
    condition: watch::Receiver<Condition>,
    pub(crate) boot: BootId,
    /// Other lives that are not over.
    pub(crate) lives: Lives,
    /// The home is another's.
    pub(crate) guest: Arc<AtomicBool>,
    /// What is written is on the disk itself when it is told.
    pub(crate) syncs_each: bool,
    clock: WallClock,
    ages: Ages,
}

impl Desk {
    pub(crate) fn new(
        options: &Options,
        condition: watch::Receiver<Condition>,
    ) -> (Self, Receiver<Event>) {
        let (events, receiver) = mpsc::sync_channel(ASKS + ENDS + options.calls + OTHERS);
        // Should one life open the file twice, its numbers still differ; two bits short, so
        // that they fit a column however far they count.
        let first = RandomState::new().hash_one(&options.path) >> 2;
        let desk = Self {
            events,
            asks: Arc::new(Semaphore::new(ASKS)),
            ends: Arc::new(Semaphore::new(ENDS)),
            calls: Arc::new(Semaphore::new(options.calls)),
            numbers: AtomicU64::new(first),
            condition,
            boot: options.boot.clone(),
            lives: options.lives.clone(),
            guest: options.guest.clone(),
            syncs_each: options.sync.is_none(),
            clock: options.clock.clone(),
            ages: Ages::new(options.steady_for, (options.clock)()),
        };
        (desk, receiver)
    }

    pub(crate) fn now(&self) -> UnixMillis {
        (self.clock)()
    }

    /// What is from before this is older than that; nothing is while the clock cannot be asked
    /// for ages.
    pub(crate) fn ago(&self, age: Duration) -> UnixMillis {
        let now = self.now();
        if !self.ages.can_be_told(Instant::now(), now) {
            return UnixMillis(0);
        }
        let ms = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
        UnixMillis(now.0.saturating_sub(ms))
    }

    /// Whether ages can be told at all.
    pub(crate) fn tells_ages(&self) -> bool {
        self.ages.can_be_told(Instant::now(), self.now())
    }

    /// A number no other row of this boot has.
    pub(crate) fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn condition(&self) -> &watch::Receiver<Condition> {
        &self.condition
    }

    /// Room for a question; waits while the writer is behind.
    pub(crate) async fn ask_room(&self) -> Result<OwnedSemaphorePermit, StoreError> {
        self.asks
            .clone()
            .acquire_owned()
            .await
            .map_err(|_| StoreError::closed())
    }

    /// The same where nobody may wait.
    pub(crate) fn ask_room_now(&self) -> Option<OwnedSemaphorePermit> {
        self.asks.clone().try_acquire_owned().ok()
    }

    /// Room for a call's end; waits like [`Desk::end_room`].
    pub(crate) async fn call_room(&self) -> Result<OwnedSemaphorePermit, StoreError> {
        self.room_of(&self.calls).await
    }

    /// Room for an end. Where none is left because nothing can be written, waiting would be
    /// for the disk, and the answer is the reason instead.
    pub(crate) async fn end_room(&self) -> Result<OwnedSemaphorePermit, StoreError> {
        self.room_of(&self.ends).await
    }

    async fn room_of(&self, of: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, StoreError> {
        match room_now(of) {
            Err(StoreError::Busy) => {}
            other => return other,
        }
        let state = self.condition.borrow().state.clone();
        if state != crate::State::Good {
            return Err(StoreError::Unavailable(state));
        }
        of.clone()
            .acquire_owned()
            .await
            .map_err(|_| StoreError::closed())
    }

    /// The same without waiting.
    pub(crate) fn end_room_now(&self) -> Result<OwnedSemaphorePermit, StoreError> {
        room_now(&self.ends)
    }

    /// Hands work in. Should the writer be gone, whoever waits is told so.
    pub(crate) fn submit(&self, job: Box<dyn Job>, room: OwnedSemaphorePermit) {
        let event = Event::Work(Envelope { job, _room: room });
        if let Err(
            TrySendError::Disconnected(Event::Work(back)) | TrySendError::Full(Event::Work(back)),
        ) = self.events.try_send(event)
        {
            back.job.done(Err(StoreError::closed()));
        }
    }

    /// Has the file checked. If there is no room, someone asked already.
    pub(crate) fn verify(&self) {
        let _ = self.events.try_send(Event::Verify);
    }

    /// Takes nothing more in. Resolves when all that was taken is written; `None` if the
    /// writer has ended already.
    pub(crate) fn close(&self) -> Option<oneshot::Receiver<()>> {
        self.asks.close();
        self.ends.close();
        self.calls.close();
        let (done, closed) = oneshot::channel();
        self.events
            .try_send(Event::Close(done))
            .ok()
            .map(|()| closed)
    }
}

fn room_now(of: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, StoreError> {
    use tokio::sync::TryAcquireError;
    of.clone().try_acquire_owned().map_err(|error| match error {
        TryAcquireError::NoPermits => StoreError::Busy,
        TryAcquireError::Closed => StoreError::closed(),
    })
}
