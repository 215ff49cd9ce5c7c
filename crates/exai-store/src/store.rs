//! The handle everybody holds. It can only ask: the file belongs to the writer's thread.

use crate::{
    budget::{
        Ask, Ceiling, Scope, Standing, Sums, reserve,
        settle::{self, Open},
    },
    condition::Condition,
    day::Day,
    error::{ReserveError, StoreError},
    job::Task,
    money::MicroUsd,
    open,
    options::Options,
    queue::Desk,
    read::{self, Readers},
    receipt::Receipt,
    reservation::{Blank, Grant, Settled, Unseen},
    usage::{Usage, UsageQuery, UsageTotal, rows::Ended, totals},
    who::{ModelCall, Who},
    writer::{File, Writer},
};
use rusqlite::Connection;
use std::sync::{Arc, atomic::AtomicU64};
use tokio::sync::{oneshot, watch};

/// The daemon's database. Clones are the same one.
#[derive(Clone)]
pub struct Store {
    desk: Arc<Desk>,
    readers: Arc<Readers>,
    headway: Arc<AtomicU64>,
}

impl Store {
    /// Opens the file, making or bringing it up to date, and starts the writer's thread.
    /// Blocks for as long as that takes. There is always a store; whether it can promise
    /// anything is its [`Store::condition`], and what is wrong is tried again by itself.
    #[must_use]
    pub fn open(options: Options) -> Self {
        let (retry, path, busy) = (options.retry, options.path.clone(), options.busy);
        let file = File::open(options.clone());
        let (desk, events) = Desk::new(&options, file.condition());
        let readers = Readers::new(path, busy, file.openings());
        let headway = Arc::new(AtomicU64::new(0));
        let writer = Writer::new(events, file, retry, Arc::clone(&headway));
        let thread = std::thread::Builder::new().name("exai-store".to_owned());
        if let Err(error) = thread.spawn(move || writer.run()) {
            // With the closure the channel is gone, so that everybody hears `closed`.
            tracing::error!(%error, "no thread for the database");
        }
        Self {
            desk: Arc::new(desk),
            readers: Arc::new(readers),
            headway,
        }
    }

    /// How the file is. Damaged files that an owner has removed are no longer named.
    #[must_use]
    pub fn condition(&self) -> Condition {
        let mut now = self.desk.condition().borrow().clone();
        now.set_aside.retain(|damaged| damaged.exists());
        now
    }

    /// Counts the writer's turns, up at the begin and up at the end of each: an odd number that
    /// stays is a turn that does not end.
    #[must_use]
    pub fn headway(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.headway)
    }

    /// How the file is, from now on.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Condition> {
        self.desk.condition().clone()
    }

    /// Holds what a request may cost, under all its ceilings at once. On `Ok` that is in the
    /// file. A caller that stops waiting holds nothing.
    ///
    /// # Errors
    /// [`ReserveError`]: the request must not be sent.
    pub async fn reserve(&self, ask: Ask) -> Result<Grant, ReserveError> {
        // In this order: nobody who has the first kind of room waits for its own end.
        let end = self.desk.end_room().await?;
        let room = self.desk.ask_room().await?;
        let (boot, at) = (self.desk.boot.clone(), self.desk.now());
        let number = self.desk.number();
        let blank = Blank {
            desk: self.desk.clone(),
            room: end,
            number,
            ask: ask.clone(),
        };
        let (sender, answer) = oneshot::channel();
        let work = move |db: &Connection| reserve::reserve(db, boot.as_str(), number, &ask, at);
        let tell = move |made: Result<Result<reserve::Made, _>, StoreError>| {
            let unseen = match made {
                Ok(Ok(made)) => Ok(Unseen::new(blank.fill(made.day, made.held), made.warnings)),
                Ok(Err(over)) => Err(ReserveError::Over(over)),
                Err(error) => Err(ReserveError::Store(error)),
            };
            let _ = sender.send(unseen);
        };
        self.desk.submit(Task::asked(work, tell), room);
        let unseen = answer.await.map_err(|_| StoreError::closed())??;
        unseen.seen().ok_or_else(|| StoreError::closed().into())
    }

    /// Writes what a request used that needed no reservation: it had no price to hold. It
    /// counts to its budgets all the same.
    ///
    /// # Errors
    /// [`StoreError::Busy`] or closed; then nothing is written.
    pub fn record(
        &self,
        call: Arc<ModelCall>,
        usage: Usage,
    ) -> Result<Receipt<Settled>, StoreError> {
        let room = self.desk.end_room_now()?;
        let (boot, at, number) = (self.desk.boot.clone(), self.desk.now(), self.desk.number());
        let (sender, receipt) = Receipt::new();
        let held = MicroUsd(0);
        let work = move |db: &Connection| {
            let open = Open {
                boot: boot.as_str(),
                number,
                day: Day::of(at),
                held,
                call: &call,
            };
            let counted = settle::settle(db, &open, &usage, Ended::Reported, at)?;
            Ok(Settled { counted, held })
        };
        let tell = move |settled| {
            let _ = sender.send(settled);
        };
        self.desk.submit(Task::told(work, tell), room);
        Ok(receipt)
    }

    /// Sums of usage.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn usage(&self, query: UsageQuery) -> Result<Vec<UsageTotal>, StoreError> {
        self.read(move |db| totals::read(db, &query)).await
    }

    /// What is used of one scope, on a day.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn sums(&self, scope: Scope, who: Who, day: Day) -> Result<Sums, StoreError> {
        let boot = self.desk.boot.clone();
        self.read(move |db| read::sums(db, scope, &who, &boot, day))
            .await
    }

    /// What is used of these ceilings today, as far as they concern this caller.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn standings(
        &self,
        ceilings: Vec<Ceiling>,
        who: Who,
    ) -> Result<Vec<Standing>, StoreError> {
        let (boot, day) = (self.desk.boot.clone(), Day::of(self.desk.now()));
        self.read(move |db| read::standings(db, &ceilings, &who, &boot, day))
            .await
    }

    /// Looks through the whole file, for `doctor`. Damage it finds is acted upon.
    ///
    /// # Errors
    /// What is wrong with it.
    pub async fn check(&self) -> Result<(), StoreError> {
        let found = self.read(open::damage).await?;
        found.map_or(Ok(()), |damage| {
            self.desk.verify();
            Err(StoreError::Internal(damage))
        })
    }

    /// Writes all that was taken in, closes the file, and takes nothing more. Reservations
    /// still open count as all they may cost when the file is next opened.
    pub async fn close(&self) {
        // The last connection writes the log into the file; that is to be the writer's.
        self.readers.close();
        if let Some(closed) = self.desk.close() {
            let _ = closed.await;
        }
    }

    /// Whether the clock can be asked how old something is. It has to be asked now and then, or
    /// what it goes wrong in a long time looks like a jump.
    pub fn tells_ages(&self) -> bool {
        self.desk.tells_ages()
    }

    pub(crate) fn desk(&self) -> Arc<Desk> {
        Arc::clone(&self.desk)
    }

    pub(crate) async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.readers.read(query).await.map_err(|failed| {
            if failed.damage {
                self.desk.verify();
            }
            failed.error
        })
    }
}
