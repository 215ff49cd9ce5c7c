//! A piece of work for the writer's thread: what to do within its transaction, and whom to
//! tell afterwards. Tables bring their own; the writer knows none of them.

use crate::{condition::State, error::StoreError};
use rusqlite::Connection;

/// A piece of work.
pub(crate) trait Job: Send {
    /// Does it, in a transaction. May be done again if that one came to nothing.
    fn run(&mut self, db: &Connection) -> rusqlite::Result<()>;
    /// Tells whoever waits. `Ok` only once it is committed.
    fn done(self: Box<Self>, outcome: Result<(), StoreError>);
    /// Whether it waits for better days where the file cannot be written, for this reason.
    fn keep(&mut self, why: &State) -> bool;
    /// Whether it is one statement, which needs nothing around it to be taken back whole.
    fn is_one_step(&self) -> bool {
        false
    }
}

/// A [`Job`] of two closures.
pub(crate) struct Task<T, W, D> {
    work: W,
    tell: D,
    keep: bool,
    one_step: bool,
    result: Option<T>,
}

impl<T, W, D> Task<T, W, D>
where
    T: Send + 'static,
    W: FnMut(&Connection) -> rusqlite::Result<T> + Send + 'static,
    D: FnOnce(Result<T, StoreError>) + Send + 'static,
{
    /// Refused where it cannot be promised.
    pub(crate) fn asked(work: W, tell: D) -> Box<dyn Job> {
        Box::new(Self {
            work,
            tell,
            keep: false,
            one_step: false,
            result: None,
        })
    }

    /// The same for work of which any part may stand alone.
    pub(crate) fn asked_in_one_step(work: W, tell: D) -> Box<dyn Job> {
        Box::new(Self {
            work,
            tell,
            keep: false,
            one_step: true,
            result: None,
        })
    }

    /// Tells of something that has happened: kept until it can be written.
    pub(crate) fn told(work: W, tell: D) -> Box<dyn Job> {
        Box::new(Self {
            work,
            tell,
            keep: true,
            one_step: false,
            result: None,
        })
    }
}

impl<T, W, D> Job for Task<T, W, D>
where
    T: Send,
    W: FnMut(&Connection) -> rusqlite::Result<T> + Send,
    D: FnOnce(Result<T, StoreError>) + Send,
{
    fn run(&mut self, db: &Connection) -> rusqlite::Result<()> {
        self.result = Some((self.work)(db)?);
        Ok(())
    }

    fn done(self: Box<Self>, outcome: Result<(), StoreError>) {
        let Self { tell, result, .. } = *self;
        tell(outcome.and_then(|()| result.ok_or_else(StoreError::closed)));
    }

    fn is_one_step(&self) -> bool {
        self.one_step
    }

    fn keep(&mut self, _: &State) -> bool {
        self.keep
    }
}
