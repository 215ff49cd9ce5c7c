//! The engine's ledger, kept in this file: `accepted` is there before anything is promised,
//! `finished` before anybody hears of it, and a new daemon knows what the last one knew.

mod chores;
mod entry;
mod growth;
mod kin;

use crate::{
    calls::{
        self, Held,
        enter::{self, Made},
        finish::Place,
        recall::{self, Found},
        result,
        stroke::Stroke,
    },
    condition,
    error::StoreError,
    job::Task,
    money,
    queue::Desk,
    store::Store,
};
use entry::Standing;
use exai_engine::{
    calls::{CallKey, Finished},
    ports::ledger::{Entered, Entering, Ledger, LedgerError, LedgerFuture, News, Recalled},
};
use exai_protocol::{RequestId, UnixMillis, record::ProgressRecord};
use growth::Growth;
use kin::Kin;
pub use kin::{Elder, Heir};
use rusqlite::Connection;
use std::{path::PathBuf, sync::Arc, time::Duration};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio_util::task::TaskTracker;

/// Large results that are written at once.
const SPILLS: usize = 2;

/// Longest words of progress that are kept.
const MOST_WORDS: usize = 500;

/// After one so-manieth of the bytes of all results one looks whether there are too many.
const LOOKS: u64 = 8;

/// How much is kept of calls, and where.
#[derive(Debug, Clone)]
pub struct Keeping {
    /// Where results go that are too large for the file.
    pub directory: PathBuf,
    /// How long a result can be collected.
    pub results_for: Duration,
    /// How long an equal call of the same client gets a result that nobody waited for.
    pub left_for: Duration,
    /// Bytes of all results.
    pub result_bytes: u64,
    /// Bytes of one result; a larger one is not kept at all.
    pub most_bytes: u64,
    /// How long it is known that a call was made.
    pub rows_for: Duration,
    /// Calls that are known at most.
    pub rows: u64,
}

/// The journal of calls.
#[derive(Clone)]
pub struct Journal {
    store: Store,
    desk: Arc<Desk>,
    boot: Arc<str>,
    keeping: Arc<Keeping>,
    place: Arc<Place>,
    growth: Arc<Growth>,
    spills: Arc<Semaphore>,
    kin: Kin,
    /// What goes on although nobody waits for it.
    tasks: TaskTracker,
}

impl Journal {
    /// The journal in that file.
    #[must_use]
    pub fn new(store: &Store, keeping: Keeping) -> Self {
        let desk = store.desk();
        let place = Place {
            directory: keeping.directory.clone(),
            most_bytes: keeping.most_bytes,
            sync: desk.syncs_each,
        };
        Self {
            store: store.clone(),
            boot: Arc::from(desk.boot.as_str()),
            desk,
            growth: Arc::new(Growth::new(keeping.result_bytes / LOOKS)),
            keeping: Arc::new(keeping),
            place: Arc::new(place),
            spills: Arc::new(Semaphore::new(SPILLS)),
            kin: Kin::default(),
            tasks: TaskTracker::new(),
        }
    }

    /// Waits until what was handed in is on its way to the file; to be called before the store
    /// is closed.
    pub async fn settle(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    fn left_since(&self, now: UnixMillis) -> i64 {
        let for_ms = u64::try_from(self.keeping.left_for.as_millis()).unwrap_or(u64::MAX);
        money::sum_column(now.0.saturating_sub(for_ms))
    }

    async fn entered(&self, entering: Entering) -> Result<Entered, StoreError> {
        // In this order: nobody who has the first kind of room waits for its own end.
        let room = self.desk.call_room().await?;
        let pass = self.desk.ask_room().await?;
        let entering = Arc::new(entering);
        let at = self.desk.now();
        let left_since = self.left_since(at);
        let (boot, asked) = (Arc::clone(&self.boot), Arc::clone(&entering));
        let lives = self.desk.lives.clone();
        let work = move |db: &Connection| enter::enter(db, &boot, &asked, at, left_since, &lives);
        let (sender, answer) = oneshot::channel();
        let blank = Blank {
            journal: self.clone(),
            room,
            entering,
        };
        let tell = move |made: Result<Made, StoreError>| {
            let answer = made.map(|made| blank.fill(made));
            // Nobody waits any more: what came of it takes itself back.
            let _ = sender.send(answer);
        };
        self.desk.submit(Task::asked_in_one_step(work, tell), pass);
        let unseen = answer.await.map_err(|_| StoreError::closed())??;
        unseen.seen(self).await
    }

    async fn recalled(&self, key: CallKey) -> Result<Option<Recalled>, StoreError> {
        let found = self.store.read(move |db| recall::find(db, &key)).await?;
        Ok(match found {
            None => None,
            Some(Found::Expired(..)) => Some(Recalled::Expired),
            Some(Found::Finished(row)) => Some(match self.load(*row).await {
                Some(finished) => Recalled::Finished(finished),
                None => Recalled::Expired,
            }),
            // It runs in this life and is only not in the engine's table any more, because its
            // end could not be written: not to be run again by asking for it.
            Some(Found::Open(open)) if *open.boot == *self.boot => Some(Recalled::Expired),
            Some(Found::Open(open)) if (self.desk.lives)(&open.boot) => Some(Recalled::Elsewhere {
                runs: open.started,
                open: open.open,
            }),
            Some(Found::Open(open)) => {
                let can_go_on = open.open.arguments.is_some() || !open.may_run();
                can_go_on.then_some(Recalled::Open(open.open))
            }
        })
    }

    async fn abandoned(&self, key: CallKey, reason: String) -> Result<Option<bool>, StoreError> {
        let pass = self.desk.ask_room().await?;
        let (boot, at) = (Arc::clone(&self.boot), self.desk.now());
        let lives = self.desk.lives.clone();
        let (sender, answer) = oneshot::channel();
        let work = move |db: &Connection| calls::abandon(db, &key, &boot, &reason, at, &lives);
        let tell = move |done| {
            let _ = sender.send(done);
        };
        self.desk.submit(Task::asked_in_one_step(work, tell), pass);
        answer.await.map_err(|_| StoreError::closed())?
    }

    /// With what it returned, which may be a file.
    async fn load(&self, row: recall::Row) -> Option<Arc<Finished>> {
        let recall::Row { kept, held, .. } = row;
        let place = Arc::clone(&self.place);
        let load = move || result::load(kept, held, &place.directory);
        let loaded = tokio::task::spawn_blocking(load).await;
        loaded.ok().flatten().map(Arc::new)
    }
}

impl Ledger for Journal {
    fn remembers(&self) -> bool {
        true
    }

    fn is_whole(&self) -> bool {
        self.store.condition().is_whole()
    }

    fn name(&self) -> Option<Arc<str>> {
        self.store.condition().name
    }

    fn absent<'a>(&'a self, key: &'a CallKey) -> LedgerFuture<'a, Option<Arc<str>>> {
        let key = key.clone();
        // One connection, so that it is the name of the file that was looked into.
        let look = self.store.read(move |db| {
            let found = recall::find(db, &key)?;
            let name = condition::name_of(db)?;
            Ok(found.is_none().then_some(name))
        });
        Box::pin(async move { look.await.map_err(|error| refused(&error)) })
    }

    fn enter(&self, call: Entering) -> LedgerFuture<'_, Entered> {
        Box::pin(async move { self.entered(call).await.map_err(|error| refused(&error)) })
    }

    fn recall<'a>(&'a self, key: &'a CallKey) -> LedgerFuture<'a, Option<Recalled>> {
        let recalled = self.recalled(key.clone());
        Box::pin(async move { recalled.await.map_err(|error| refused(&error)) })
    }

    fn abandon<'a>(&'a self, key: &'a CallKey, reason: &'a str) -> LedgerFuture<'a, Option<bool>> {
        let abandoned = self.abandoned(key.clone(), reason.to_owned());
        Box::pin(async move { abandoned.await.map_err(|error| refused(&error)) })
    }

    fn follow(&self, key: &CallKey) -> Option<mpsc::Receiver<News>> {
        self.kin.elder().map(|elder| elder.follow(key))
    }

    fn stop_elsewhere(&self, key: &CallKey, reason: &str) -> bool {
        self.kin
            .elder()
            .is_some_and(|elder| elder.stop(key, reason))
    }

    fn said(&self, key: &CallKey, progress: &ProgressRecord) {
        let cut = progress.message.floor_char_boundary(MOST_WORDS);
        let words = &progress.message[..cut];
        let at = money::sum_column(progress.at.0);
        let step = Stroke::said(key, at, &progress.stage, words);
        if self.kin.given_to_heir(&step).is_some() {
            return;
        }
        let Some(room) = self.desk.ask_room_now() else {
            return;
        };
        let (key, stage) = (key.clone(), Arc::clone(&progress.stage));
        let words = words.to_owned();
        let work =
            move |db: &Connection| Stroke::said(&key, at, &stage, &words).write(db).map(|_| ());
        self.desk
            .submit(Task::asked_in_one_step(work, |_| {}), room);
    }

    fn left(&self, key: &CallKey) {
        let (key, at) = (key.clone(), money::sum_column(self.desk.now().0));
        let write = {
            let key = key.clone();
            move |db: &Connection| Stroke::left(&key, at).write(db).map(|_| ())
        };
        let task = Task::asked_in_one_step(write, |_| {});
        if !self.kin.has_heir()
            && let Some(room) = self.desk.ask_room_now()
        {
            return self.desk.submit(task, room);
        }
        // Lost, an equal call would run a second time.
        let journal = self.clone();
        self.tasks.spawn(async move {
            if journal.kin.written_by_heir(&Stroke::left(&key, at)).await {
                return;
            }
            if let Ok(room) = journal.desk.ask_room().await {
                journal.desk.submit(task, room);
            }
        });
    }

    fn taken(&self, key: &CallKey) {
        let Some(room) = self.desk.ask_room_now() else {
            return;
        };
        let key = key.clone();
        let work = move |db: &Connection| calls::taken(db, &key);
        self.desk
            .submit(Task::asked_in_one_step(work, |_| {}), room);
    }
}

pub(crate) fn refused(error: &StoreError) -> LedgerError {
    LedgerError {
        reason: error.to_string(),
    }
}

/// Room for a call that is being entered.
struct Blank {
    journal: Journal,
    room: OwnedSemaphorePermit,
    entering: Arc<Entering>,
}

impl Blank {
    fn fill(self, made: Made) -> Unseen {
        let Self {
            journal,
            room,
            entering,
        } = self;
        let other = {
            let (principal, scope) = (entering.key.principal.clone(), entering.key.scope.clone());
            |request: String| CallKey {
                principal,
                scope,
                request_id: RequestId::from(request.as_str()),
            }
        };
        let stand = |id| {
            let held = Held {
                id,
                boot: Arc::clone(&journal.boot),
                entering,
            };
            Standing::new(&journal, room, held)
        };
        let (standing, met) = match made {
            Made::New(id) => (Some(stand(id)), Met::New),
            Made::Interrupted(id, evidence) => (Some(stand(id)), Met::Interrupted(*evidence)),
            Made::Again(id, begun) => (Some(stand(id).begun_before(begun)), Met::New),
            Made::Left(id, row) => (Some(stand(id)), Met::Left(row)),
            Made::Finished(row) => (None, Met::Finished(row)),
            Made::Expired => (None, Met::Expired),
            Made::Elsewhere(runs) => (None, Met::Elsewhere(runs)),
            Made::Behind(id, request) => (Some(stand(id)), Met::Behind(other(request))),
            Made::Other(tool) => (None, Met::Other(tool)),
        };
        Unseen {
            standing,
            met: Some(met),
        }
    }
}

enum Met {
    New,
    Finished(Box<recall::Row>),
    Expired,
    Elsewhere(bool),
    Behind(CallKey),
    Other(Arc<str>),
    Interrupted(exai_engine::ports::ledger::Interrupted),
    Left(Box<recall::Row>),
}

/// An entry that nobody has seen yet: should whoever asked be gone, nothing was promised and
/// nothing ran, so it is taken back, and the same call may come again. One that must not run
/// again stays.
struct Unseen {
    standing: Option<Standing>,
    met: Option<Met>,
}

impl Unseen {
    async fn seen(mut self, journal: &Journal) -> Result<Entered, StoreError> {
        let (standing, met) = (self.standing.take(), self.met.take());
        Ok(match (met, standing) {
            (Some(Met::New), Some(standing)) => Entered::New(Box::new(standing)),
            (Some(Met::Interrupted(evidence)), Some(standing)) => {
                Entered::Interrupted(evidence, Box::new(standing))
            }
            (Some(Met::Left(row)), Some(standing)) => match journal.load(*row).await {
                Some(finished) => Entered::Left(finished, Box::new(standing)),
                // Its file is gone, so this call runs after all.
                None => {
                    standing.start_if_it_must().await?;
                    Entered::New(Box::new(standing))
                }
            },
            (Some(Met::Finished(row)), _) => match journal.load(*row).await {
                Some(finished) => Entered::Finished(finished),
                None => Entered::Expired,
            },
            (Some(Met::Other(tool)), _) => Entered::Other(tool),
            (Some(Met::Behind(key)), Some(standing)) => Entered::Behind(key, Box::new(standing)),
            (Some(Met::Elsewhere(runs)), _) => Entered::Elsewhere { runs },
            (Some(Met::Expired), _) => Entered::Expired,
            _ => return Err(StoreError::closed()),
        })
    }
}

impl Drop for Unseen {
    fn drop(&mut self) {
        if let (Some(standing), Some(Met::New | Met::Behind(_))) = (self.standing.take(), &self.met)
        {
            use exai_engine::ports::ledger::Entry as _;
            Box::new(standing).withdraw();
        }
    }
}
