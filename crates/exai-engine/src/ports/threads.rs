//! Conversations that outlive a call: who said what, in order, each turn once. A tool opens one,
//! asks whom it asks, and appends the whole turn or nothing; whoever keeps them implements
//! [`Threads`].

mod error;
mod find;
mod turn;

pub use error::ThreadError;
pub use find::{Found, ListQuery, Listed, SearchQuery, ThreadRow, workspace};
pub use turn::{Failure, Imported, Open, Said, Sent, SentKind, Thread, Turn};

use crate::{ports::models::ModelFuture, tool::ToolCall};
use exai_protocol::Principal;

/// The conversations of this daemon. Nobody sees or changes those of another principal; to him
/// they do not exist.
pub trait Threads: Send + Sync + 'static {
    /// Opens a conversation for one turn: a new one without an id, or the one of that id, as it
    /// stands. `ID#3` goes on from its third turn, which makes a branch. While it is open nobody
    /// else has it: a second turn waits here, with signs of life, until the first is over.
    ///
    /// # Errors
    /// [`ThreadError`]; nothing may be sent then.
    fn open<'a>(
        &'a self,
        call: &'a ToolCall,
        id: Option<&'a str>,
    ) -> ModelFuture<'a, Result<Open, ThreadError>>;

    /// Keeps a whole turn; on `Ok` it is in the file. Returns its number.
    ///
    /// # Errors
    /// [`ThreadError`]: nothing of the turn is kept.
    fn append<'a>(
        &'a self,
        open: &'a Open,
        said: Said,
    ) -> ModelFuture<'a, Result<u32, ThreadError>>;

    /// Keeps that a turn was tried and failed, and nothing of its words. A conversation that
    /// does not exist yet does not begin with it.
    fn failed(&self, open: &Open, failure: Failure);

    /// Conversations, the last used one first.
    ///
    /// # Errors
    /// [`ThreadError::Unavailable`].
    fn list<'a>(
        &'a self,
        who: &'a Principal,
        query: ListQuery,
    ) -> ModelFuture<'a, Result<Listed, ThreadError>>;

    /// Turns that hold all of these words, the best first.
    ///
    /// # Errors
    /// [`ThreadError::Unavailable`].
    fn search<'a>(
        &'a self,
        who: &'a Principal,
        query: SearchQuery,
    ) -> ModelFuture<'a, Result<Vec<Found>, ThreadError>>;

    /// All of one conversation.
    ///
    /// # Errors
    /// [`ThreadError`].
    fn load<'a>(
        &'a self,
        who: &'a Principal,
        id: &'a str,
    ) -> ModelFuture<'a, Result<Thread, ThreadError>>;

    /// Gives it a title.
    ///
    /// # Errors
    /// [`ThreadError`].
    fn rename<'a>(
        &'a self,
        who: &'a Principal,
        id: &'a str,
        title: &'a str,
    ) -> ModelFuture<'a, Result<(), ThreadError>>;

    /// Removes it with all its turns. Its id is remembered as deleted.
    ///
    /// # Errors
    /// [`ThreadError`].
    fn delete<'a>(
        &'a self,
        who: &'a Principal,
        id: &'a str,
    ) -> ModelFuture<'a, Result<(), ThreadError>>;

    /// Takes a conversation over from elsewhere, whole. `false`: one of that id is here already,
    /// and nothing was changed.
    ///
    /// # Errors
    /// [`ThreadError::Unavailable`].
    fn import<'a>(
        &'a self,
        who: &'a Principal,
        thread: Imported,
    ) -> ModelFuture<'a, Result<bool, ThreadError>>;
}
