//! Conversations in this file, as the engine's port wants them. What is asked of one is asked
//! on behalf of a principal, and those of others do not exist for it.

mod append;
mod errors;
mod find;
mod gone;
mod id;
mod leases;
mod limits;
mod rows;

pub use limits::ThreadLimits;
pub(crate) use {find::list, find::search, rows::load};

use crate::{error::StoreError, job::Task, store::Store};
use append::New;
use errors::told;
use exai_engine::{
    ports::{
        models::ModelFuture,
        threads::{
            Failure, Found, Imported, ListQuery, Listed, Open, Said, SearchQuery, Thread,
            ThreadError, Threads, Turn, workspace,
        },
    },
    tool::ToolCall,
};
use exai_protocol::{Principal, UnixMillis};
use id::Named;
use leases::Leases;
use rusqlite::Connection;
use std::sync::Arc;
use tokio::sync::oneshot;

/// What a statement about a conversation may find instead of it.
pub(crate) type Outcome<T> = rusqlite::Result<Result<T, ThreadError>>;

/// The conversations of a store.
pub struct StoredThreads {
    store: Store,
    limits: ThreadLimits,
    leases: Leases,
}

impl StoredThreads {
    /// Those of this file, within these limits.
    #[must_use]
    pub fn new(store: Store, limits: ThreadLimits) -> Self {
        let leases = Leases::default();
        Self {
            store,
            limits,
            leases,
        }
    }

    fn now(&self) -> UnixMillis {
        self.store.desk().now()
    }

    /// Those last used before this are no more.
    fn oldest(&self) -> UnixMillis {
        self.store.desk().ago(self.limits.unused)
    }

    async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> Outcome<T> + Send + 'static,
    ) -> Result<T, ThreadError> {
        self.store.read(query).await.map_err(|error| told(&error))?
    }

    /// Does it in the writer's transaction, and is back once that is in the file.
    async fn write<T: Send + 'static>(
        &self,
        work: impl FnMut(&Connection) -> Outcome<T> + Send + 'static,
    ) -> Result<T, ThreadError> {
        let desk = self.store.desk();
        let room = desk.ask_room().await.map_err(|error| told(&error))?;
        let (sender, answer) = oneshot::channel();
        let tell = move |outcome: Result<Result<T, ThreadError>, StoreError>| {
            let _ = sender.send(outcome);
        };
        desk.submit(Task::asked(work, tell), room);
        let outcome = answer.await.map_err(|_| StoreError::closed());
        outcome
            .and_then(|written| written)
            .map_err(|error| told(&error))?
    }

    async fn begin(&self, call: &ToolCall, wanted: Option<&str>) -> Result<Open, ThreadError> {
        let Some(wanted) = wanted else {
            return Ok(Open {
                id: id::fresh().map_err(ThreadError::Unavailable)?,
                principal: call.principal.clone(),
                workspace: call
                    .roots
                    .first()
                    .map_or_else(String::new, |root| workspace(root)),
                turns: Arc::default(),
                count: 0,
                lease: None,
            });
        };
        let named = Named::of(wanted)?;
        let key = self.key(&call.principal, &named.id).await?;
        let lease = self.leases.take(call, &key).await?;
        // Only now: what waited before us has been kept.
        let thread = self.thread(&call.principal, &key).await?;
        self.limits.admits(&thread)?;
        let turns = named.path(thread.thread.turns, &key)?;
        Ok(Open {
            id: key,
            principal: call.principal.clone(),
            workspace: thread.thread.workspace,
            count: thread.count,
            turns: turns.into(),
            lease: Some(Box::new(lease)),
        })
    }

    /// The whole id of what may be the beginning of one.
    async fn key(&self, who: &Principal, id: &str) -> Result<Arc<str>, ThreadError> {
        let (who, id) = (who.clone(), id.to_owned());
        self.read(move |db| rows::key(db, Some(&who), &id)).await
    }

    async fn thread(&self, who: &Principal, key: &str) -> Result<rows::Loaded, ThreadError> {
        let (who, key) = (who.clone(), key.to_owned());
        let oldest = self.oldest();
        let limits = self.limits;
        let loaded = self
            .read(move |db| rows::loaded(db, Some(&who), &key))
            .await?;
        if loaded.thread.touched_at < oldest {
            return Err(limits.unused(&loaded.thread.id));
        }
        Ok(loaded)
    }
}

impl Threads for StoredThreads {
    fn open<'a>(
        &'a self,
        call: &'a ToolCall,
        id: Option<&'a str>,
    ) -> ModelFuture<'a, Result<Open, ThreadError>> {
        Box::pin(self.begin(call, id))
    }

    fn append<'a>(
        &'a self,
        open: &'a Open,
        said: Said,
    ) -> ModelFuture<'a, Result<u32, ThreadError>> {
        let (at, oldest, limits) = (self.now(), self.oldest(), self.limits);
        let new = New {
            key: Arc::clone(&open.id),
            principal: open.principal.clone(),
            workspace: open.workspace.clone(),
            count: open.count,
            turn: Turn {
                number: open.count.saturating_add(1),
                parent: open.parent(),
                at,
                said,
            },
        };
        Box::pin(self.write(move |db| append::append(db, &new, oldest, &limits)))
    }

    fn failed(&self, open: &Open, failure: Failure) {
        let (key, at) = (Arc::clone(&open.id), self.now());
        // That it failed is told to whoever asked; that it is written down as well is a help.
        let Ok(room) = self.store.desk().end_room_now() else {
            return;
        };
        let work = move |db: &Connection| append::failure(db, &key, &failure, at);
        let job = Task::asked(work, |_: Result<(), StoreError>| {});
        self.store.desk().submit(job, room);
    }

    fn list<'a>(
        &'a self,
        who: &'a Principal,
        query: ListQuery,
    ) -> ModelFuture<'a, Result<Listed, ThreadError>> {
        let (who, oldest) = (who.clone(), self.oldest());
        Box::pin(self.read(move |db| find::list(db, Some(&who), &query, oldest).map(Ok)))
    }

    fn search<'a>(
        &'a self,
        who: &'a Principal,
        query: SearchQuery,
    ) -> ModelFuture<'a, Result<Vec<Found>, ThreadError>> {
        let (who, oldest) = (who.clone(), self.oldest());
        Box::pin(self.read(move |db| find::search(db, Some(&who), &query, oldest).map(Ok)))
    }

    fn load<'a>(
        &'a self,
        who: &'a Principal,
        id: &'a str,
    ) -> ModelFuture<'a, Result<Thread, ThreadError>> {
        Box::pin(async move {
            let named = Named::of(id)?;
            let key = self.key(who, &named.id).await?;
            Ok(self.thread(who, &key).await?.thread)
        })
    }

    fn rename<'a>(
        &'a self,
        who: &'a Principal,
        id: &'a str,
        title: &'a str,
    ) -> ModelFuture<'a, Result<(), ThreadError>> {
        Box::pin(async move {
            let key = self.key(who, id).await?;
            let title = append::title_of(title);
            self.write(move |db| append::rename(db, &key, &title)).await
        })
    }

    fn delete<'a>(
        &'a self,
        who: &'a Principal,
        id: &'a str,
    ) -> ModelFuture<'a, Result<(), ThreadError>> {
        Box::pin(async move {
            let key = self.key(who, id).await?;
            let at = self.now();
            self.write(move |db| gone::delete(db, &key, at)).await
        })
    }

    fn import<'a>(
        &'a self,
        who: &'a Principal,
        thread: Imported,
    ) -> ModelFuture<'a, Result<bool, ThreadError>> {
        let (who, now) = (who.clone(), self.now());
        Box::pin(self.write(move |db| append::import(db, &who, &thread, now)))
    }
}
