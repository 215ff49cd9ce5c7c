//! Reading, on connections that cannot write and wait for nobody.

use crate::{
    budget::{
        Ceiling, Scope, Standing, Sums,
        sums::{self, Key},
    },
    calls::{
        list::{self, CallRow, CallsQuery},
        recall, result,
    },
    condition::State,
    day::Day,
    error::StoreError,
    fault::{self, Fault},
    open, threads,
    usage::{UsageQuery, UsageTotal, totals},
    who::Who,
};
use exai_engine::{
    calls::Finished,
    ports::threads::{Found, ListQuery, Listed, SearchQuery, Thread, ThreadError},
};
use exai_protocol::{BootId, UnixMillis};
use rusqlite::Connection;
use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// Reads that run at once; also the connections that are kept.
const READERS: usize = 4;

/// The file, to be read only: for the command line beside or without a daemon. Its calls
/// block.
pub struct Reader {
    db: Connection,
}

impl Reader {
    /// Opens it, changing nothing.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], with what is wrong with the file.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let state = |fault: Fault| StoreError::Unavailable(fault.into_state(path));
        open::no_link(path).map_err(state)?;
        if !path.exists() {
            let why = format!(
                "there is no database {} yet; start the daemon once",
                path.display()
            );
            return Err(StoreError::Unavailable(State::Unwritable(why)));
        }
        open::reader(path, Duration::from_secs(3))
            .map(|db| Self { db })
            .map_err(state)
    }

    /// Sums of usage.
    ///
    /// # Errors
    /// [`StoreError::Internal`].
    pub fn usage(&self, query: &UsageQuery) -> Result<Vec<UsageTotal>, StoreError> {
        totals::read(&self.db, query).map_err(|error| StoreError::internal(&error))
    }

    /// What is used of one scope.
    ///
    /// # Errors
    /// [`StoreError::Internal`].
    pub fn sums(
        &self,
        scope: Scope,
        who: &Who,
        boot: &BootId,
        day: Day,
    ) -> Result<Sums, StoreError> {
        self::sums(&self.db, scope, who, boot, day).map_err(|error| StoreError::internal(&error))
    }

    /// What is used of a day.
    ///
    /// # Errors
    /// [`StoreError::Internal`].
    pub fn day(&self, day: Day) -> Result<Sums, StoreError> {
        sums::read(&self.db, &Key::day(day)).map_err(|error| StoreError::internal(&error))
    }

    /// Those of a scope that used most, the dearest first, with their names: a day's date, a
    /// thread, a client or its session. Scopes without names of their own have none.
    ///
    /// # Errors
    /// [`StoreError::Internal`].
    pub fn dearest(&self, scope: Scope, most: usize) -> Result<Vec<(String, Sums)>, StoreError> {
        sums::dearest(&self.db, scope, most).map_err(|error| StoreError::internal(&error))
    }

    /// Calls, the newest first.
    ///
    /// # Errors
    /// [`StoreError::Internal`].
    pub fn calls(&self, query: &CallsQuery) -> Result<Vec<CallRow>, StoreError> {
        list::read(&self.db, query).map_err(|error| StoreError::internal(&error))
    }

    /// What a call returned, if that is kept; `results` is where large ones are.
    ///
    /// # Errors
    /// [`StoreError::Internal`].
    pub fn result(&self, call: u64, results: &Path) -> Result<Option<Finished>, StoreError> {
        let found = recall::row(&self.db, crate::money::sum_column(call));
        let found = found.map_err(|error| StoreError::internal(&error))?;
        Ok(found.and_then(|row| result::load(row.kept, row.held, results)))
    }

    /// Conversations of everybody, the last used one first; those last used before `oldest`
    /// are no more.
    ///
    /// # Errors
    /// [`StoreError::Internal`].
    pub fn threads(&self, query: &ListQuery, oldest: UnixMillis) -> Result<Listed, StoreError> {
        threads::list(&self.db, None, query, oldest).map_err(|error| StoreError::internal(&error))
    }

    /// Turns of everybody that hold all of these words, the best first.
    ///
    /// # Errors
    /// [`StoreError::Internal`].
    pub fn search_threads(
        &self,
        query: &SearchQuery,
        oldest: UnixMillis,
    ) -> Result<Vec<Found>, StoreError> {
        threads::search(&self.db, None, query, oldest).map_err(|error| StoreError::internal(&error))
    }

    /// All of one conversation, by its id or the beginning of it.
    ///
    /// # Errors
    /// [`StoreError::Internal`]; within it, what became of that id.
    pub fn thread(&self, id: &str) -> Result<Result<Thread, ThreadError>, StoreError> {
        threads::load(&self.db, id).map_err(|error| StoreError::internal(&error))
    }

    /// Looks through the whole file for damage; changes nothing.
    ///
    /// # Errors
    /// The first damage there is.
    pub fn check(&self) -> Result<(), StoreError> {
        match open::damage(&self.db) {
            Ok(None) => Ok(()),
            Ok(Some(damage)) => Err(StoreError::Internal(damage)),
            Err(error) => Err(StoreError::internal(&error)),
        }
    }
}

/// What is used of each ceiling; those that say nothing of this caller are left out.
pub(crate) fn standings(
    db: &Connection,
    ceilings: &[Ceiling],
    who: &Who,
    boot: &BootId,
    day: Day,
) -> rusqlite::Result<Vec<Standing>> {
    let standing = |ceiling: &Ceiling| {
        let key = Key::new(ceiling.scope, who, boot.as_str(), day)?;
        let sums = sums::read(db, &key);
        Some(sums.map(|sums| Standing {
            ceiling: *ceiling,
            sums,
        }))
    };
    ceilings.iter().filter_map(standing).collect()
}

/// See [`Reader::sums`].
pub(crate) fn sums(
    db: &Connection,
    scope: Scope,
    who: &Who,
    boot: &BootId,
    day: Day,
) -> rusqlite::Result<Sums> {
    match Key::new(scope, who, boot.as_str(), day) {
        Some(key) => sums::read(db, &key),
        None => Ok(Sums::default()),
    }
}

/// A few connections for the daemon's own reading.
pub(crate) struct Readers {
    path: PathBuf,
    busy: Duration,
    openings: Arc<AtomicU64>,
    idle: Mutex<Vec<Idle>>,
    room: tokio::sync::Semaphore,
}

struct Idle {
    opening: u64,
    db: Connection,
}

/// A read that failed, and whether the file is to blame.
pub(crate) struct ReadFailed {
    pub(crate) error: StoreError,
    pub(crate) damage: bool,
}

impl Readers {
    pub(crate) fn new(path: PathBuf, busy: Duration, openings: Arc<AtomicU64>) -> Self {
        let room = tokio::sync::Semaphore::new(READERS);
        Self {
            path,
            busy,
            openings,
            idle: Mutex::default(),
            room,
        }
    }

    /// Ends with those that wait; what is being read comes to its end.
    pub(crate) fn close(&self) {
        self.room.close();
        self.idle().clear();
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a query beside the reactor.
    pub(crate) async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, ReadFailed> {
        let closed = |_| ReadFailed {
            error: StoreError::closed(),
            damage: false,
        };
        let _room = self.room.acquire().await.map_err(closed)?;
        let readers = self.clone();
        let read = tokio::task::spawn_blocking(move || readers.read_blocking(query));
        read.await.unwrap_or_else(|error| {
            Err(ReadFailed {
                error: StoreError::Internal(error.to_string()),
                damage: false,
            })
        })
    }

    fn read_blocking<T>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, ReadFailed> {
        let opening = self.openings.load(Ordering::Relaxed);
        let kept = {
            let mut idle = self.idle();
            idle.retain(|kept| kept.opening == opening);
            idle.pop()
        };
        let db = match kept {
            Some(kept) => kept.db,
            None => open::reader(&self.path, self.busy).map_err(|fault| ReadFailed {
                damage: matches!(fault, Fault::Corrupt(_)),
                error: StoreError::Unavailable(fault.into_state(&self.path)),
            })?,
        };
        let answer = query(&db).map_err(|error| ReadFailed {
            damage: fault::is_damage(&error),
            error: StoreError::internal(&error),
        })?;
        if !self.room.is_closed() {
            self.idle().push(Idle { opening, db });
        }
        Ok(answer)
    }
}
