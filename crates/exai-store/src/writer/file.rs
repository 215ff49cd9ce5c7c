//! The file's life under the writer: open, failing, opened again, set aside. Its condition is
//! published at every turn.

use super::{
    batch,
    place::{self, Place, Standing},
};
use crate::{
    aside,
    condition::{self, Condition, State},
    fault::{self, Fault},
    open,
    options::Options,
    queue::Envelope,
};
use rusqlite::Connection;
use std::{
    fs::OpenOptions,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::watch;

pub(crate) struct File {
    options: Options,
    db: Option<Connection>,
    /// Of the file that is open.
    place: Place,
    tried: Instant,
    condition: watch::Sender<Condition>,
    /// Which file it is, as far as it could be read.
    name: Option<Arc<str>>,
    /// Counts openings, so that readers notice when theirs is another file.
    openings: Arc<AtomicU64>,
    /// When the first write was made that power loss could still take.
    unsynced: Option<Instant>,
}

impl File {
    /// Tries once; how that went is the condition.
    pub(crate) fn open(options: Options) -> Self {
        let standing = aside::standing(&options.path);
        let mut file = Self {
            place: Place::new(&options.path),
            options,
            db: None,
            tried: Instant::now(),
            condition: watch::Sender::new(Condition::new(State::Closed, standing, None)),
            name: None,
            openings: Arc::new(AtomicU64::new(0)),
            unsynced: None,
        };
        let _ = file.reopen(false);
        file
    }

    pub(crate) fn condition(&self) -> watch::Receiver<Condition> {
        self.condition.subscribe()
    }

    pub(crate) fn openings(&self) -> Arc<AtomicU64> {
        self.openings.clone()
    }

    pub(super) fn is_open(&self) -> bool {
        self.db.is_some()
    }

    /// Writes all of it, or none and says why.
    pub(super) fn write(&mut self, work: &mut [Envelope]) -> Result<batch::Outcomes, State> {
        self.ready()?;
        if work.is_empty() {
            return Ok(Vec::new());
        }
        self.keep_place()?;
        match self.attempt(work) {
            Ok(outcomes) => Ok(outcomes),
            Err(error) if fault::is_damage(&error) => {
                self.look_through()?;
                self.attempt(work).map_err(|error| self.failed(&error))
            }
            Err(error) => Err(self.failed(&error)),
        }
    }

    /// Looks through the file, because a reader met damage.
    pub(super) fn verify(&mut self) {
        if self.is_open() {
            let _ = self.look_through();
        }
    }

    /// There is damage: in the file that was opened, or because it is not that one any more.
    fn look_through(&mut self) -> Result<(), State> {
        match self.place.look() {
            Standing::Ours => self.reopen(true),
            Standing::Gone | Standing::Overwritten => self.mend_place(),
        }
    }

    /// The last chance: opens it now, however lately that failed.
    pub(super) fn urge(&mut self) {
        if !self.is_open() {
            let _ = self.reopen(false);
        }
    }

    /// In how long what was written is to be brought to the disk itself.
    pub(super) fn sync_in(&self) -> Option<Duration> {
        let (since, every) = (self.unsynced?, self.options.sync?);
        Some(every.saturating_sub(since.elapsed()))
    }

    /// SQLite itself brings its log to the disk only when it writes it into the file.
    pub(super) fn sync_if_due(&mut self) {
        if self.sync_in() != Some(Duration::ZERO) {
            return;
        }
        self.unsynced = None;
        let log = aside::log_of(&self.options.path);
        let opened = OpenOptions::new().write(true).open(&log);
        if let Err(error) = opened.and_then(|log| log.sync_data())
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(%error, "the database's log could not be synced; power loss may take what was written last");
        }
    }

    pub(super) fn close(&mut self) {
        if self.is_open() {
            self.place.look();
            let _ = self.mend_place();
        }
        self.db = None;
        self.publish(State::Closed);
    }

    /// Opens it if it is not, but no more often than its owner allows.
    fn ready(&mut self) -> Result<(), State> {
        if self.is_open() {
            return Ok(());
        }
        if self.tried.elapsed() < self.options.retry {
            return Err(self.condition.borrow().state.clone());
        }
        self.reopen(false)
    }

    fn attempt(&mut self, work: &mut [Envelope]) -> rusqlite::Result<batch::Outcomes> {
        let db = self.db.as_mut().ok_or(rusqlite::Error::InvalidQuery)?;
        let outcomes = batch::write(db, work)?;
        if self.options.sync.is_some() {
            self.unsynced.get_or_insert_with(Instant::now);
        }
        // Publishing looks at the directory, which is not for every batch.
        if !self.condition.borrow().keeps() {
            self.publish(State::Good);
        }
        Ok(outcomes)
    }

    /// What happens to the file behind our back is seen and mended before more is written into it.
    fn keep_place(&mut self) -> Result<(), State> {
        if !self.place.is_time() {
            return match self.place.found() {
                Standing::Ours => Ok(()),
                // As little is kept as when it could not be mended.
                Standing::Gone | Standing::Overwritten => {
                    Err(self.condition.borrow().state.clone())
                }
            };
        }
        self.place.look();
        self.mend_place()
    }

    /// What is open is all there is of it.
    fn mend_place(&mut self) -> Result<(), State> {
        let Some(db) = &self.db else { return Ok(()) };
        let found = self.place.found();
        if found != Standing::Ours && self.options.guest.load(Ordering::Relaxed) {
            return self.follow();
        }
        let why = match found {
            Standing::Ours => return Ok(()),
            Standing::Gone => "it was taken away while the daemon ran",
            Standing::Overwritten => "it was written over while the daemon ran",
        };
        // Its pages may be in the log, all of them; or not.
        let is_whole = || matches!(open::damage(db), Ok(None));
        if found == Standing::Overwritten && !is_whole() {
            place::leave_as_it_is(db);
            self.db = None;
            return self.reopened(open::anew(&self.options, why));
        }
        if let Err(fault) = self.place.put_back(db, &self.options, why) {
            let state = fault.into_state(&self.options.path);
            self.publish(state.clone());
            return Err(state);
        }
        tracing::error!(why, "the database was written again");
        self.reopen(false)
    }

    /// The home's owner mends it: what stands there then is what we write into.
    fn follow(&mut self) -> Result<(), State> {
        if !self.place.is_mended() {
            let at = self.options.path.display();
            let why = format!("the database {at} was taken away; the next daemon writes it again");
            let state = State::Failing(why);
            self.publish(state.clone());
            return Err(state);
        }
        if let Some(db) = self.db.take() {
            place::leave_as_it_is(&db);
        }
        self.reopen(false)
    }

    fn reopen(&mut self, suspect: bool) -> Result<(), State> {
        self.db = None;
        let opened = open::writer(&self.options, suspect);
        self.reopened(opened)
    }

    fn reopened(&mut self, opened: Result<Connection, Fault>) -> Result<(), State> {
        self.place.opened();
        self.tried = Instant::now();
        self.openings.fetch_add(1, Ordering::Relaxed);
        match opened {
            Ok(db) => {
                self.name = condition::name_of(&db).ok();
                self.db = Some(db);
                self.publish(State::Good);
                Ok(())
            }
            Err(fault) => {
                // It may be read all the same, and what it has is what calls are looked up in.
                let path = &self.options.path;
                let reader = open::reader(path, self.options.busy).ok();
                self.name = reader.and_then(|db| condition::name_of(&db).ok());
                let state = fault.into_state(&self.options.path);
                self.publish(state.clone());
                Err(state)
            }
        }
    }

    /// A full disk heals by itself, with the connection as it is; all else is opened anew.
    fn failed(&mut self, error: &rusqlite::Error) -> State {
        let state = Fault::of(&self.options.path, error).into_state(&self.options.path);
        // Of a file that was taken away nothing else is left.
        if !matches!(state, State::Full(_)) && self.place.look() == Standing::Ours {
            self.db = None;
            self.tried = Instant::now();
        }
        self.publish(state.clone());
        state
    }

    fn publish(&self, state: State) {
        let now = Condition::new(
            state,
            aside::standing(&self.options.path),
            self.name.clone(),
        );
        self.condition.send_if_modified(|before| {
            let news = *before != now;
            if before.state != now.state {
                match &now.state {
                    State::Good | State::Closed => tracing::info!("{}", now.state),
                    bad => tracing::error!("{bad}"),
                }
            }
            if news {
                *before = now;
            }
            news
        });
    }
}
